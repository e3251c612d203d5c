"""Read-only mode: every route that writes answers 503 in its service's words, and everything else as ever."""

import logging
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

import app as moonbase
from chalicelib import settings
from chalicelib.core import job_runner, jobs, read_only, registry
from chalicelib.core.declaration import Declaration, JobHandler
from chalicelib.core.errors import Conflict, Invalid
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import ReadOnlyMode
from chalicelib.luadns import dyndns
from chalicelib.web.route import Route
from chalicelib.web.slice import Slice
from tests.client import BROWSER, Client
from tests.luarocks.builders import rockspec
from tests.web.gateway_events import rest_event
from tests.worlds import both_worlds

TEXT = "We move to a new machine until noon."
SERVICES = [each for each in moonbase.SLICES if isinstance(each, Slice)]
ROUTES = [(each.name, route) for each in SERVICES for route in each.service.routes]
IDS = [f"{route.method} {route.path}" for _, route in ROUTES]
WRITING = [(name, route) for name, route in ROUTES if route.writes]


def path_of(route: Route) -> str:
    return re.sub(r"\{\w+\}", "1", route.path)


@pytest.fixture
def closed(aws: None) -> Iterator[None]:
    read_only.turn_on(TEXT)
    yield
    read_only.turn_off()


ENVELOPES: dict[str, Any] = {
    "luarocks": lambda body: body == {"errors": [TEXT]},
    "contentdb": lambda body: body == {"success": False, "error": TEXT},
    "luadns": lambda body: body["message"] == TEXT and list(body) == ["status", "request_id", "message"],
    "hel": lambda body: body["message"] == TEXT and body["code"] == 503 and body["success"] is False,
    "account": lambda body: body == {"message": TEXT},
    "home": lambda body: body == {"message": TEXT},
}


@pytest.mark.usefixtures("closed")
def test_every_route_that_writes_is_refused_in_its_envelope(client: Client) -> None:
    assert len(WRITING) > 100
    for name, route in WRITING:
        reply = client.request(route.method, path_of(route))
        assert (reply.status, reply.header("retry-after")) == (503, "60"), route.path
        if route.path == dyndns.PATH:
            assert reply.body == b"911\n"  # the protocol's word for "later"
        else:
            assert ENVELOPES[name](reply.json), (route.path, reply.body)


@pytest.mark.usefixtures("closed")
def test_a_browser_gets_a_page_with_the_text(client: Client) -> None:
    pages = [route for _, route in WRITING if route.page]
    assert len(pages) > 8
    for route in pages:
        reply = client.request(route.method, path_of(route), headers=BROWSER)
        assert (reply.status, reply.header("retry-after")) == (503, "60"), route.path
        assert TEXT in reply.body.decode()


@pytest.mark.usefixtures("closed")
def test_a_write_is_refused_before_its_body_is_read() -> None:
    for _, route in WRITING:
        admission = moonbase.site.admit(rest_event(route.method, path_of(route)))
        assert admission.refusal is not None
        assert admission.refusal.status == 503


def test_every_other_route_answers_as_ever(client: Client) -> None:
    others = [route for _, route in ROUTES if not route.writes]

    def replies() -> list[tuple[str, int]]:
        return [(route.path, client.request(route.method, path_of(route)).status) for route in others]

    before = replies()
    read_only.turn_on(TEXT)
    try:
        assert replies() == before
    finally:
        read_only.turn_off()


def test_reads_with_a_key_answer_as_ever(client: Client, key: str, closed: None) -> None:
    assert client.get(f"/api/1/{key}/status").status == 200


def test_a_warm_read_makes_no_call_for_the_mode(client: Client, calls: list[str]) -> None:
    client.get("/manifest")
    calls.clear()
    client.get("/manifest")
    before = [*calls]
    with settings.override(read_only_check=0):
        calls.clear()
        client.get("/manifest")
    assert calls == before


def test_a_write_reads_the_mode_once_in_some_seconds(client: Client, key: str, calls: list[str]) -> None:
    def upload() -> list[str]:
        calls.clear()
        client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", rockspec())})
        return [*calls]

    upload()
    known = upload()
    with settings.override(read_only_check=0):
        read_only.forget()
        assert upload() == ["GetItem", *known]


def test_a_write_is_accepted_again_afterwards(client: Client, key: str) -> None:
    read_only.turn_on(TEXT)
    url, files = f"/api/1/{key}/upload", {"rockspec_file": ("x", rockspec())}
    assert client.post(url, files=files).status == 503
    read_only.turn_off()
    assert client.post(url, files=files).status == 200


@both_worlds
def test_another_process_notices_the_mode_within_its_interval(client: Client) -> None:
    with settings.override(read_only_check=0):
        read_only.forget()
        assert read_only.notice() is None
        ReadOnlyMode("read-only", "mode", text=TEXT, since=read_only.now()).save()  # by another process
        assert client.post("/account/api/log-in", json={}).json == {"message": TEXT}


def test_the_setting_refuses_changes_with_a_general_text(client: Client) -> None:
    with settings.override(read_only=True):
        assert client.post("/account/api/log-in", json={}).json == {"message": read_only.TEXT}
        with pytest.raises(Conflict, match="MOONBASE_READ_ONLY"):
            read_only.turn_off()
    assert client.post("/account/api/log-in", json={}).status == 400


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "x" * 501])
def test_a_text_is_one_line(aws: None, text: str) -> None:
    with pytest.raises(Invalid, match="one line of at most 500 characters"):
        read_only.turn_on(text)
    assert read_only.notice() is None


def test_log_in_and_log_out_are_writes_and_sessions_stay_valid(client: Client, alice: Any) -> None:
    given = {"username": "alice", "password": "wonderland"}
    session = {"Authorization": f"Bearer {client.post('/account/api/log-in', json=given).json['session']}"}
    read_only.turn_on(TEXT)
    assert client.post("/account/api/log-in", json=given).status == 503
    assert client.post("/account/api/log-out", headers=session).status == 503
    assert client.get("/account/api/me", headers=session).json["username"] == "Alice"
    read_only.turn_off()


def test_jobs_rest_and_are_not_overdue(aws: None, caplog: pytest.LogCaptureFixture) -> None:
    done: list[Any] = []
    with registry.including(Declaration(name="test", jobs=(JobHandler("test-note", done.append),))):
        writes = Transaction()
        jobs.enqueue(writes, "test-note", 1)
        writes.commit()
        read_only.turn_on(TEXT)
        time.sleep(0.2)
        job_runner.enqueue_repeats()
        assert (job_runner.run_due(), done, len(jobs.pending())) == (0, [], 1)
        with caplog.at_level(logging.INFO, "chalicelib.core.job_runner"):
            job_runner.report()
        assert caplog.records[-1].__dict__["oldest_job"] == 0
        read_only.turn_off()
        assert (job_runner.run_due(), done) == (1, [1])
