"""Maintenance: `fsck` finds nothing after every operation of Hel, and the jobs work."""

import orjson
import pytest

from chalicelib.core import fsck, job_runner, registry
from chalicelib.core.errors import Full
from chalicelib.core.identity import accounts
from chalicelib.hel import users, wire
from chalicelib.web.request import Request
from tests.client import Client
from tests.hel.builders import Create, bulky, package
from tests.worlds import both_worlds

pytestmark = both_worlds


def inconsistencies() -> list[str]:
    return [str(inconsistency) for inconsistency in fsck.check(fsck.FsckScan(), lambda _: None)]


@pytest.fixture
def used(client: Client, create: Create, session: dict[str, str], admin: dict[str, str]) -> str:
    """Run every operation of Hel once; return the URL of a stored file."""
    reply = client.post("/hel/files", query="name=x.lua", body=b"return 1", headers=session)
    url = str(reply.json["data"]["url"])
    versions = {"3": {"files": {url: {"path": "/x"}}, "depends": {}}, **bulky(100_000)}
    create(package(owners=["alice"], versions=versions))
    create(package("other", owners=["alice"]))
    client.get("/packages/thing")
    client.get(url.removeprefix("http://moonbase.test"))
    client.request("PATCH", "/packages/thing", headers=session, json={"name": "renamed"})
    client.request("DELETE", "/packages/other", headers=session)
    client.request("PATCH", "/users/alice", headers=admin, json={"groups": ["red", "admins"], "password": "new"})
    client.post("/auth", json={"action": "register", "nickname": "eve", "email": "e@example.org", "password": "x"})
    client.request("DELETE", "/users/eve", headers=admin)
    return url


def test_fsck_finds_nothing_after_every_operation(used: str) -> None:
    assert inconsistencies() == []


def test_fsck_finds_nothing_after_the_jobs(client: Client, used: str) -> None:
    accounts.create("dave", "dave@example.org")
    for name in ("hel-counts", "hel-users"):
        job_runner.run_now(name)
    assert inconsistencies() == []
    one = client.get("/packages").json["data"]["list"][0]
    assert (one["stats"]["views"], one["stats"]["downloads"]) == (1, 1)
    assert [one["nickname"] for one in client.get("/users").json["data"]["list"]] == ["Alice", "Root", "dave"]


def test_rebuilt_lists_are_equal(client: Client, used: str) -> None:
    for name in ("hel-counts", "hel-users"):
        job_runner.run_now(name)
    before = [client.get(path).body for path in ("/packages", "/users")]
    for name in ("hel", "hel-users"):
        registry.current().catalogues[name].rebuild()
        registry.current().catalogues[name].drop_cache()
    assert [client.get(path).body for path in ("/packages", "/users")] == before


def test_many_new_accounts_are_listed_in_batches(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "_BATCH", 2)
    for number in range(5):
        accounts.create(f"user{number}", f"{number}@example.org")
    users.refresh()
    assert client.get("/users").json["data"]["total"] == 5
    for account in list(accounts.list_accounts())[1:]:
        accounts.suspend(account)
    users.refresh()
    assert [one["nickname"] for one in client.get("/users").json["data"]["list"]] == ["user0"]


def test_a_full_disk_is_an_error_in_the_envelope() -> None:
    reply = wire.render_error(Request({"httpMethod": "POST", "path": "/hel/files"}), Full("The disk is full."))
    expected = {
        "title": "Insufficient Storage",
        "message": "The disk is full.",
        "explanation": "The server is out of storage.",
    }
    assert (reply.status, {name: orjson.loads(reply.body)[name] for name in expected}) == (507, expected)
