"""An upgrade of a server whose lists have no shape: the services' requests and jobs work immediately."""

import zlib

import orjson
import pytest

from chalicelib.core import blobs, bulk, job_runner, registry
from chalicelib.core.catalogues.tables import Head
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account, CoreItem
from chalicelib.hel import users
from tests.aws_calls import dies
from tests.client import Client
from tests.contentdb import builders as contentdb
from tests.hel import builders as hel
from tests.luarocks import builders as luarocks

LISTS = {
    "contentdb": "/api/packages/",
    "contentdb-reviews": "/api/reviews/",
    "hel": "/packages",
    "hel-users": "/users",
    "luarocks": "/manifest",
}


def remove_shape(name: str) -> None:
    """Convert a stored catalogue to the format before shapes: a snapshot in JSON, and no shape numbers."""
    registry.current().catalogues[name].rebuild()
    raw = [item for item in bulk.items(CoreItem) if item["pk"]["S"].startswith("catalogue")]
    for item in raw:
        item.pop("shape", None)
    bulk.put(CoreItem, raw)
    head = Head.get(f"catalogue#{name}", "head")
    blobs.delete(head.snapshot)
    content = zlib.compress(orjson.dumps({"old": {"name": "old"}}))
    head.update([Head.snapshot.set(blobs.put(content, f"catalogue/{name}/snapshot-json").key)])
    registry.current().catalogues[name].drop_cache()


@pytest.fixture
def used(client: Client, alice: Account, key: str) -> Client:
    """A client of a server with a package in each service."""
    session = {"Cookie": "auth_tkt=" + credentials.create(alice, credentials.SESSION)[1]}
    assert client.post("/packages", json=hel.package(), headers=session).status == 201
    assert client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", luarocks.rockspec())}).status == 200
    contentdb.published("Alice/lamps")
    users.refresh()
    return client


@pytest.mark.parametrize("name", LISTS)
def test_reload_returns_the_same_entry_as_a_rebuild(used: Client, name: str) -> None:
    catalogue = registry.current().catalogues[name]
    made = dict(catalogue.entities())
    assert {key: catalogue.reload(key, entry) for key, entry in made.items()} == made


@pytest.mark.parametrize(("name", "path"), LISTS.items())
def test_a_request_gets_the_same_list_after_the_upgrade(used: Client, name: str, path: str) -> None:
    before = used.get(path)
    remove_shape(name)
    after = used.get(path)
    assert (after.status, after.body) == (before.status, before.body) == (200, before.body)


def test_a_job_completes_the_rebuild_of_a_killed_request(used: Client, calls: list[str]) -> None:
    before = used.get("/packages").body
    remove_shape("hel")
    assert dies(lambda: used.get("/packages"), after=0, of="Scan")
    job_runner.run_due()
    registry.current().catalogues["hel"].drop_cache()
    calls.clear()
    assert used.get("/packages").body == before
    assert "Scan" not in calls


def test_a_job_upgrades_all_lists(used: Client) -> None:
    before = {path: used.get(path).body for path in LISTS.values()}
    for name in LISTS:
        remove_shape(name)
    job_runner.run_now("fold-catalogues")
    assert {path: used.get(path).body for path in LISTS.values()} == before
