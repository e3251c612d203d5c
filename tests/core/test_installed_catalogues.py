"""An installed server whose lists were stored before shapes: each service answers at once, in requests and in jobs."""

import zlib

import orjson
import pytest

from chalicelib.core import blobs, bulk, credentials, jobs, registry
from chalicelib.core.tables import Account, CoreItem, Head
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


def as_before_shapes(name: str) -> None:
    """Store a catalogue as it was: a snapshot in JSON, no shape anywhere."""
    registry.current().catalogues[name].rebuild()
    raw = [item for item in bulk.items(CoreItem) if item["pk"]["S"].startswith("catalogue")]
    for item in raw:
        item.pop("shape", None)
    bulk.put(CoreItem, raw)
    head = Head.get(f"catalogue#{name}", "head")
    blobs.delete(head.snapshot)
    content = zlib.compress(orjson.dumps({"old": {"name": "old"}}))
    head.update([Head.snapshot.set(blobs.put(content, f"catalogue/{name}/snapshot-json").key)])
    registry.current().catalogues[name].forget()


@pytest.fixture
def used(client: Client, alice: Account, key: str) -> Client:
    """A client of a server on which something is published with each service."""
    session = {"Cookie": "auth_tkt=" + credentials.create(alice, credentials.SESSION)[1]}
    assert client.post("/packages", json=hel.package(), headers=session).status == 201
    assert client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", luarocks.rockspec())}).status == 200
    contentdb.published("Alice/lamps")
    users.refresh()
    return client


@pytest.mark.parametrize("name", LISTS)
def test_an_entry_is_reloaded_as_a_rebuild_makes_it(used: Client, name: str) -> None:
    catalogue = registry.current().catalogues[name]
    made = dict(catalogue.entities())
    assert {key: catalogue.reload(key, entry) for key, entry in made.items()} == made


@pytest.mark.parametrize(("name", "path"), LISTS.items())
def test_a_request_gets_the_list_as_it_was(used: Client, name: str, path: str) -> None:
    before = used.get(path)
    as_before_shapes(name)
    after = used.get(path)
    assert (after.status, after.body) == (before.status, before.body) == (200, before.body)


def test_a_job_ends_the_rebuild_that_a_request_had_no_time_for(used: Client, calls: list[str]) -> None:
    before = used.get("/packages").body
    as_before_shapes("hel")
    assert dies(lambda: used.get("/packages"), after=0, of="Scan")
    jobs.run_due()
    registry.current().catalogues["hel"].forget()
    calls.clear()
    assert used.get("/packages").body == before
    assert "Scan" not in calls


def test_jobs_find_the_lists_as_they_were(used: Client) -> None:
    before = {path: used.get(path).body for path in LISTS.values()}
    for name in (*LISTS, "contentdb-statistics"):
        as_before_shapes(name)
    jobs.run_now("fold-catalogues")
    assert {path: used.get(path).body for path in LISTS.values()} == before
