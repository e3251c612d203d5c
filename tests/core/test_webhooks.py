"""Outgoing webhooks: signed messages about events, sent by jobs, retried over a day, and logged."""

import json
import logging
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from standardwebhooks import Webhook as Verifier

import chalicelib.account
from chalicelib import settings
from chalicelib.core import audit, events, job_runner
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Invalid
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Job
from chalicelib.core.webhooks import deliveries, hooks, signing
from chalicelib.core.webhooks.tables import Webhook, WebhookMessage
from tests.web_server import Received, Respond, response, web_server
from tests.worlds import both_worlds

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _loopback() -> Iterator[None]:
    with settings.override(outbound_networks=("127.0.0.1/32",)):
        yield


@pytest.fixture
def caller(carol: Account) -> Caller:
    return Caller(carol, credentials.create(carol, credentials.SESSION)[0])


def make(caller: Caller, url: str, owner: str | None = None, **filters: list[str]) -> tuple[Webhook, str]:
    owner = owner or hooks.of_account(int(caller.account.id))
    return hooks.create(owner, caller, url, "", filters)


def publish(caller: Caller, name: str = "say", **more: Any) -> None:
    writes = Transaction()
    given = {"service": "toys", "kind": "version", "action": "publish", "version": "1.0-1", **more}
    events.record(writes, caller, name=name, **given)
    writes.commit()


def run_jobs() -> None:
    while job_runner.run_due():
        pass


def messages(hook: Webhook) -> list[WebhookMessage]:
    return deliveries.newest(hook, None, 100)


def states(hook: Webhook) -> list[tuple[str, list[int | None]]]:
    """The state of each message, oldest first, and the statuses of its attempts."""
    return [(each.state, [a["status"] for a in each.attempts or []]) for each in reversed(messages(hook))]


def fresh(hook: Webhook) -> Webhook:
    found = Webhook.find(hook.pk, hook.sk)
    assert found is not None
    return found


def always(status: str = "200 OK", body: bytes = b"") -> Respond:
    return lambda *_: response(status, body)


# Messages


@both_worlds
def test_an_event_is_sent_with_a_signature_that_another_implementation_accepts(caller: Caller) -> None:
    with web_server(always(body=b"thanks")) as server:
        hook, secret = make(caller, f"{server.url}/hook?a=b")
        publish(caller, listed=False)
        run_jobs()
    (request,) = server.received
    assert request.line == "POST /hook?a=b HTTP/1.1"
    verified = Verifier(secret).verify(request.body, request.headers)
    assert verified == json.loads(request.body)
    at = verified["data"].pop("at")
    assert (verified.pop("timestamp")[:19], verified) == (
        at[:19],
        {
            "type": "toys.version.publish",
            "data": {
                "service": "toys",
                "kind": "version",
                "name": "say",
                "action": "publish",
                "version": "1.0-1",
                "former_name": None,
                "listed": False,
                "files": [],
                "actor": "carol",
                "number": 1,
            },
        },
    )
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("Moonbase/")
    (message,) = messages(hook)
    assert request.headers["webhook-id"] == f"msg_1_{message.sk}"
    (attempt,) = message.attempts
    assert (message.state, attempt["status"], attempt["answer"], attempt["error"]) == ("sent", 200, "thanks", None)


def test_a_changed_message_is_not_accepted(caller: Caller) -> None:
    secret = signing.new_secret()
    headers = signing.headers("msg_1", int(time.time()), b'{"a":1}', [secret])
    assert Verifier(secret).verify(b'{"a":1}', headers) == {"a": 1}
    for body, id_ in ((b'{"a":2}', "msg_1"), (b'{"a":1}', "msg_2")):
        with pytest.raises(Exception, match="No matching signature"):
            Verifier(secret).verify(body, {**headers, "webhook-id": id_})


def test_an_account_gets_the_events_of_its_works_and_the_server_gets_all(caller: Caller) -> None:
    dave = accounts.create("dave", "dave@example.org")
    other = Caller(dave, credentials.create(dave, credentials.SESSION)[0])
    with web_server(always()) as server:
        make(caller, f"{server.url}/mine")
        make(caller, f"{server.url}/all", hooks.SERVER)
        publish(other, "theirs")
        publish(other, "shared", owners=[int(caller.account.id)])
        run_jobs()
    assert sorted((request.path, json.loads(request.body)["data"]["name"]) for request in server.received) == [
        ("/all", "shared"),
        ("/all", "theirs"),
        ("/mine", "shared"),
    ]


def test_owners_whose_ids_a_service_does_not_store_get_the_events(caller: Caller) -> None:
    dave = accounts.create("dave", "dave@example.org")
    with web_server(always()) as server:
        make(caller, f"{server.url}/mine")
        for name, usernames in (("named", ["CAROL", "dave"]), ("both", ["carol"]), ("theirs", ["dave", "nobody"])):
            owners = [int(caller.account.id)] if name == "both" else []
            publish(Caller(dave, caller.credential), name, owners=owners, usernames=usernames)
        run_jobs()
    assert sorted(json.loads(request.body)["data"]["name"] for request in server.received) == ["both", "named"]


@pytest.mark.parametrize(
    ("filters", "sent"),
    [
        ({}, True),
        ({"services": ["other", "Toys"]}, True),
        ({"services": ["other"]}, False),
        ({"kinds": ["version"], "names": ["SAY"]}, True),
        ({"kinds": ["version"], "names": ["sa"]}, False),
        ({"names": ["lib*", "sa*"]}, True),
        ({"names": ["lib*"]}, False),
        ({"actions": ["delete", "archive"]}, False),
        ({"actions": ["publish"], "services": []}, True),
    ],
)
def test_filters_choose_events(caller: Caller, filters: dict[str, list[str]], sent: bool) -> None:
    hook, _ = make(caller, "https://example.org/", **filters)
    publish(caller)
    (event,) = events.unnumbered()
    assert hooks.wants(hook, event) is sent


def test_a_webhook_gets_no_event_from_before_its_creation(caller: Caller) -> None:
    publish(caller, "before")
    with web_server(always()) as server:
        hook, _ = make(caller, server.url)
        run_jobs()
    assert (server.received, messages(hook)) == ([], [])


def test_a_suspended_account_gets_no_message(caller: Caller) -> None:
    with web_server(always()) as server:
        hook, _ = make(caller, server.url)
        deliveries.send_test(hooks.of_account(int(caller.account.id)), hook)
        accounts.suspend(caller.account)
        publish(caller)
        run_jobs()
    assert (server.received, states(hook)) == ([], [("failed", [])])


def test_jobs_that_run_twice_send_a_message_once(caller: Caller) -> None:
    with web_server(always()) as server:
        hook, _ = make(caller, server.url)
        publish(caller)
        run_jobs()
        deliveries.spread({"event": 1})
        deliveries.send({"owner": "account#1", "hook": 1, "message": messages(hook)[0].sk})
        run_jobs()
    assert (len(server.received), len(messages(hook))) == (1, 1)


def test_without_webhooks_an_event_makes_no_message(caller: Caller) -> None:
    publish(caller)
    run_jobs()
    assert (list(Job.query("jobs")), WebhookMessage.count("webhook-messages#1")) == ([], 0)


# Failures


def days(moves: time_machine.Traveller, count: float) -> None:
    """Let time pass, and run the jobs that become due."""
    end = time.time() + count * 86400
    while pending := [float(job.due_at) for job in Job.query("jobs") if job.due_at <= end]:
        moves.move_to(max(min(pending), time.time()) + 0.001)
        job_runner.run_due()
    moves.move_to(end)


def test_a_failing_receiver_is_tried_for_a_day(caller: Caller) -> None:
    with time_machine.travel(MOMENT, tick=False) as moves, web_server(always("500 Error", b"no")) as server:
        hook, _ = make(caller, server.url)
        publish(caller)
        days(moves, 2)
        assert states(hook) == [("failed", [500] * 8)]
        assert fresh(hook).failing_since == MOMENT.timestamp()
        assert fresh(hook).disabled_because is None
        times = [attempt["at"] - int(MOMENT.timestamp()) for attempt in messages(hook)[0].attempts]
    assert times == pytest.approx([0, 5, 305, 2105, 9305, 27305, 52505, 84905], abs=3)
    assert len({request.headers["webhook-id"] for request in server.received}) == 1
    stamps = [int(request.headers["webhook-timestamp"]) for request in server.received]
    assert stamps == sorted(set(stamps))


def test_a_receiver_that_recovers_gets_the_message(caller: Caller) -> None:
    def respond(request: Received, _: socket.socket) -> bytes:
        return response("200 OK" if len(server.received) > 3 else "503 Service Unavailable")

    with time_machine.travel(MOMENT, tick=False) as moves, web_server(respond) as server:
        hook, _ = make(caller, server.url)
        publish(caller)
        days(moves, 1)
    assert states(hook) == [("sent", [503, 503, 503, 200])]
    assert (fresh(hook).failing_since, fresh(hook).rests_until) == (None, None)


def test_a_webhook_is_disabled_after_failures_for_three_days(caller: Caller) -> None:
    with time_machine.travel(MOMENT, tick=False) as moves, web_server(always("500 Error")) as server:
        hook, _ = make(caller, server.url)
        for _ in range(3):
            publish(caller)
            days(moves, 1.5)
        assert fresh(hook).disabled_because == "failures"
        before = len(server.received)
        publish(caller)
        days(moves, 1)
        assert len(server.received) == before
    (entry,) = [each for each in audit.entries(int(caller.account.id)) if each.action == "webhook.disable"]
    assert (entry.action, entry.subject, entry.detail) == ("webhook.disable", "webhook#1", {"reason": "failures"})
    with pytest.raises(Conflict, match="enable it first"):
        deliveries.send_test("account#1", fresh(hook))
    hooks.change(fresh(hook), caller, enabled=True, filters={})
    assert (fresh(hook).disabled_because, fresh(hook).failing_since) == (None, None)


def test_a_receiver_that_is_gone_disables_the_webhook_at_once(caller: Caller) -> None:
    with web_server(always("410 Gone")) as server:
        hook, _ = make(caller, server.url)
        publish(caller)
        run_jobs()
    assert (fresh(hook).disabled_because, states(hook)) == ("gone", [("failed", [410])])


def test_a_failing_receiver_gets_one_message_per_minute(caller: Caller) -> None:
    with time_machine.travel(MOMENT, tick=False) as moves, web_server(always("500 Error")) as server:
        make(caller, server.url)
        for name in ("a", "b", "c"):
            publish(caller, name)
        counts = []
        for _ in range(4):
            run_jobs()
            counts.append(len(server.received))
            moves.shift(timedelta(seconds=61))
    assert counts == [1, 2, 3, 4]
    assert len({request.headers["webhook-id"] for request in server.received}) > 1


def endless(request: Received, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 4096)


@pytest.mark.parametrize(
    ("respond", "status", "error", "answer"),
    [
        (always("302 Found"), 302, None, ""),
        (lambda *_: response("307 Temporary Redirect", Location="http://127.0.0.1:9/"), 307, None, ""),
        (endless, 200, None, "x" * 1024),
        (always("200 OK", b"\xff" * 5000), 200, None, "\ufffd" * 1024),
        (lambda *_: None, None, "127.0.0.1 cannot be reached, or does not answer properly.", None),
    ],
)
def test_the_log_has_the_result_of_each_attempt(
    caller: Caller, respond: Respond, status: int | None, error: str | None, answer: str | None
) -> None:
    with web_server(respond) as server:
        hook, _ = make(caller, server.url)
        publish(caller)
        run_jobs()
    attempt = messages(hook)[0].attempts[0]
    assert {name: attempt[name] for name in ("status", "error", "answer")} == {
        "status": status,
        "error": error,
        "answer": answer,
    }
    assert len(server.received) == 1


def test_a_receiver_that_does_not_answer_is_too_slow(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "_CAPS", deliveries.Caps(size=1024, seconds=0.3, redirects=0, cut=True))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hook, _ = make(caller, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        publish(caller)
        run_jobs()
    assert messages(hook)[0].attempts[0]["error"] == "127.0.0.1 is too slow."


def test_private_addresses_get_no_message(caller: Caller) -> None:
    with web_server(always()) as server, settings.override(outbound_networks=()):
        hook, _ = make(caller, server.url)
        publish(caller)
        run_jobs()
    assert (messages(hook)[0].attempts[0]["error"], server.connections) == ("127.0.0.1 is not a public address.", 0)


# Secrets, tests, redelivery


def test_a_replaced_secret_signs_for_another_day(caller: Caller) -> None:
    with time_machine.travel(MOMENT, tick=False) as moves, web_server(always()) as server:
        hook, old = make(caller, server.url)
        new = hooks.change(hook, caller, filters={}, new_secret=True)
        assert new is not None
        for _ in range(2):
            deliveries.send_test("account#1", fresh(hook))
            run_jobs()
            moves.shift(timedelta(days=1, seconds=1))
    first, second = server.received
    assert [len(request.headers["webhook-signature"].split()) for request in server.received] == [2, 1]
    for secret, request, at in ((old, first, 0), (new, first, 0), (new, second, 1)):
        with time_machine.travel(MOMENT + timedelta(days=at)):
            assert Verifier(secret).verify(request.body, request.headers)["type"] == "webhook.test"


def test_a_message_can_be_sent_again(caller: Caller) -> None:
    with web_server(always()) as server:
        hook, _ = make(caller, server.url)
        publish(caller)
        run_jobs()
        deliveries.send_again("account#1", hook, messages(hook)[0].sk)
        run_jobs()
    assert states(hook) == [("sent", [200, 200])]
    assert len({request.headers["webhook-id"] for request in server.received}) == 1


def test_secrets_are_sealed_and_neither_stored_nor_logged(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), web_server(always("500 Error")) as server:
        hook, secret = make(caller, f"{server.url}/PATHSECRET?token=QUERYSECRET")
        publish(caller)
        run_jobs()
    stored = str([item.to_dynamodb_dict() for item in (fresh(hook), *messages(hook))])
    assert secret.removeprefix("whsec_") not in stored + caplog.text
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize(
    ("url", "description", "filters"),
    [
        ("ftp://example.org", "", {}),
        ("https://me:pw@example.org", "", {}),
        ("https://example.org/" + "x" * 2000, "", {}),
        ("https://example.org", "x" * 256, {}),
        ("https://example.org", "", {"names": ["x"] * 51}),
        ("https://example.org", "", {"kinds": [""]}),
        ("https://example.org", "", {"services": ["x" * 201]}),
    ],
)
def test_an_invalid_webhook_is_not_created(
    caller: Caller, url: str, description: str, filters: dict[str, list[str]]
) -> None:
    with pytest.raises(Invalid) as caught:
        hooks.create("account#1", caller, url, description, filters)
    assert caught.value.detail["field"] in ("url", "description", *filters)
    assert hooks.list_hooks("account#1") == []


def test_an_account_has_at_most_twenty_webhooks(caller: Caller) -> None:
    for _ in range(hooks.MOST):
        make(caller, "https://example.org")
    with pytest.raises(Conflict, match="at most 20 webhooks"):
        make(caller, "https://example.org")


def test_a_deleted_webhook_gets_no_message(caller: Caller) -> None:
    with web_server(always()) as server:
        hook, _ = make(caller, server.url)
        deliveries.send_test("account#1", hook)
        hooks.delete(hook, caller)
        run_jobs()
    assert server.received == []


def test_the_example_in_the_documentation_verifies_messages() -> None:
    readme = Path(chalicelib.account.__file__ or "").parent / "README.md"
    example: dict[str, Any] = {}
    exec(readme.read_text().split("```python\n")[1].split("```")[0], example)
    secret, other, body = signing.new_secret(), signing.new_secret(), b'{"a":1}'
    headers = signing.headers("msg_1", int(time.time()), body, [other, secret])
    assert example["verify"](secret, headers, body)
    assert not example["verify"](signing.new_secret(), headers, body)
    assert not example["verify"](secret, headers, b'{"a":2}')
    assert not example["verify"](secret, signing.headers("msg_1", int(time.time()) - 301, body, [secret]), body)
