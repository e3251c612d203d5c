"""Services that the setting MOONBASE_SERVICES turns off: no path, no job, no name on a page; their data stays."""

import re
from typing import Any

import pytest

import app as moonbase
from chalicelib import settings
from chalicelib.core import fsck, job_runner, jobs, registry
from chalicelib.core.errors import Conflict
from chalicelib.core.identity import credentials
from chalicelib.core.registry import DeclarationError, NotOffered
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from chalicelib.web import shelves
from chalicelib.web.slice import Slice
from tests.client import BROWSER, Client
from tests.luarocks.builders import rockspec

NAMES = ("luarocks", "contentdb", "luadns", "hel")
SERVICES = {each.name: each for each in moonbase.SLICES if isinstance(each, Slice)}
WORDS = {
    "luarocks": "luarocks|rocks",
    "contentdb": "luanti|contentdb",
    "luadns": "luadns|dns zone",
    "hel": r"\bhel\b|opencomputers",
}
PAGES = [
    "/",
    *(
        route.path
        for route in SERVICES["account"].service.routes
        if route.page and route.method == "GET" and route.path.startswith("/account") and "{" not in route.path
    ),
    "/account/people/Alice",
]


def without(name: str) -> Any:
    return settings.override(services=tuple(each for each in NAMES if each != name))


def statuses(client: Client, service: str) -> dict[str, int]:
    return {
        f"{route.method} {route.path}": client.request(route.method, re.sub(r"\{\w+\}", "1", route.path)).status
        for route in SERVICES[service].service.routes
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_route_of_a_service_that_is_off_is_404_and_others_answer_as_ever(client: Client, name: str) -> None:
    others = {other: statuses(client, other) for other in SERVICES if other != name}
    with without(name):
        assert set(statuses(client, name).values()) == {404}
        for other, before in others.items():
            assert statuses(client, other) == before


ENVELOPES: dict[str, Any] = {
    "luarocks": ("/api/1/KEY/status", lambda body: body == {"errors": ["There is nothing at this path."]}),
    "contentdb": ("/api/packages", lambda body: body == {"success": False, "error": "Endpoint or method not found"}),
    "luadns": ("/v1/zones", lambda body: body["message"] == "Resource not found."),
    "hel": ("/packages", lambda body: (body["code"], body["success"]) == (404, False)),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_404_is_in_the_service_s_envelope(client: Client, name: str) -> None:
    path, fits = ENVELOPES[name]
    assert client.get(path).status != 404
    with without(name):
        reply = client.get(path)
        assert reply.status == 404
        assert fits(reply.json)
        assert client.request("OPTIONS", path).status == 404


@pytest.mark.parametrize("path", ["/modules", "/users/Alice", "/packages/Alice/lamps"])
def test_a_browser_gets_a_page(client: Client, path: str) -> None:
    with settings.override(services=("luadns",)):
        reply = client.get(path, headers=BROWSER)
        assert (reply.status, reply.header("content-type")) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_pages_do_not_name_it(client: Client, alice: Account, name: str) -> None:
    alice.update(actions=[Account.rank.set("ADMIN")])
    client.headers |= BROWSER
    session = credentials.create(alice, credentials.SESSION)[1]
    client.headers["Cookie"] = f"moonbase_session={session}"
    assert len([path for path in PAGES if names(client, path, name)]) >= 3
    with without(name):
        assert [path for path in PAGES if names(client, path, name)] == []
        del client.headers["Accept"]
        assert not names(client, "/", name)


def names(client: Client, path: str, service: str) -> bool:
    reply = client.get(path)
    assert reply.status in (200, 303), path
    return re.search(WORDS[service], reply.body.decode(), re.IGNORECASE) is not None


def test_its_works_are_not_shown(client: Client, key: str) -> None:
    client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", rockspec())})
    assert list(shelves.of("Alice")) == ["LuaRocks modules"]
    with without("luarocks"):
        assert shelves.of("Alice") == {}


def test_its_keys_cannot_be_created_and_come_back_with_it(client: Client, alice: Account, key: str) -> None:
    session = {"Authorization": "Bearer " + credentials.create(alice, credentials.SESSION)[1]}
    with without("luarocks"):
        assert client.get("/account/api/keys", headers=session).json == {"keys": []}
        refused = client.post("/account/api/keys", headers=session, json={"service": "luarocks"})
        assert (refused.status, refused.json["field"]) == (400, "service")
    assert [one["service"] for one in client.get("/account/api/keys", headers=session).json["keys"]] == ["luarocks"]
    assert client.get(f"/api/1/{key}/status").status == 200


def test_its_jobs_rest_until_it_is_on_again(client: Client) -> None:
    writes = Transaction()
    jobs.enqueue(writes, "luarocks-downloads", None)
    writes.commit()
    with without("luarocks"):
        job_runner.enqueue_repeats()
        assert [job.name for job in jobs.pending()].count("luarocks-downloads") == 1
        job_runner.run_due()
        assert [job.name for job in jobs.pending()] == ["luarocks-downloads"]
        with pytest.raises(Conflict, match="belongs to a service that is turned off"):
            job_runner.run_now("luarocks-downloads")
    job_runner.run_due()
    assert jobs.pending() == []


def test_fsck_and_the_export_cover_it(client: Client, key: str) -> None:
    client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", rockspec())})

    def seen() -> tuple[int, int]:
        scan = fsck.FsckScan()
        assert list(fsck.check(scan, lambda _: None, contents=True)) == []
        return scan.items, scan.blobs

    before = seen()
    with without("luarocks"):
        assert seen() == before
        assert len(registry.current().models) == 5


def test_an_unknown_name_is_an_error_at_the_start() -> None:
    with (
        settings.override(services=("luarock",)),
        pytest.raises(DeclarationError, match=r"^MOONBASE_SERVICES: there is no service luarock; there are: "),
    ):
        registry.Registry(moonbase.SLICES)


def test_essential_services_are_always_on(client: Client) -> None:
    with settings.override(services=("hel",)):
        assert client.get("/healthz").status == 200
        assert client.get("/account/log-in", headers=BROWSER).status == 200
        registry.current().require_offered("account")
        with pytest.raises(NotOffered, match="LuaDNS is turned off on this server"):
            registry.current().require_offered("luadns")
