"""Archiving and deletion: deleted and remaining items, and the manifests afterwards."""

from typing import Any

import pytest

from chalicelib.core import audit, job_runner
from chalicelib.core.tables import Account
from chalicelib.luarocks import index
from chalicelib.luarocks.tables import LuaRocksItem
from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rock, rockspec
from tests.worlds import both_worlds

pytestmark = both_worlds


@pytest.fixture
def change(client: Client, key: str, upload: Upload, upload_rock: Upload) -> Any:
    """Calls our API for Alice's module `say`, which has 1.0-1 and 2.0-1, each with a src rock."""
    upload()
    upload_rock(1, "say-1.0-1.src.rock")
    upload(rockspec(version="2.0-1"))
    upload_rock(3, "say-2.0-1.src.rock", rock(version="2.0-1"))

    def call(method: str, path: str = "", **more: Any) -> Reply:
        return client.request(method, f"/api/1/{key}/modules/alice/say{path}", **more)

    return call


def read_manifest(client: Client, path: str = "/manifest.json") -> dict[str, Any]:
    found: dict[str, Any] = client.get(path).json["repository"]
    return {name: {version: len(items) for version, items in versions.items()} for name, versions in found.items()}


def items_after_jobs() -> list[str]:
    """The stored items after the jobs; the catalogue must equal them."""
    job_runner.run_due()
    snapshot = index.catalogue.snapshot()
    assert {key: entry.value for key, entry in index.catalogue.rebuild().entries.items()} == {
        key: entry.value for key, entry in snapshot.entries.items()
    }
    return sorted(f"{item.pk} {item.sk}" for item in LuaRocksItem.scan())


def test_an_archived_version_is_in_no_manifest_and_keeps_its_files(client: Client, change: Any) -> None:
    before = client.get("/manifest").header("etag")
    assert change("PATCH", "/versions/2.0-1", json={"archived": True}).status == 200
    assert read_manifest(client) == read_manifest(client, "/manifests/alice/manifest.json") == {"say": {"1.0-1": 2}}
    assert client.get("/manifest").header("etag") != before
    for name in ("say-2.0-1.rockspec", "say-2.0-1.src.rock"):
        assert client.get(f"/{name}").status == client.get(f"/manifests/alice/{name}").status == 200
    change("PATCH", "/versions/2.0-1", json={"archived": False})
    assert read_manifest(client) == {"say": {"1.0-1": 2, "2.0-1": 2}}


def test_an_archived_module_keeps_its_files_and_its_name(
    client: Client, change: Any, upload: Upload, bob_key: str
) -> None:
    change("PATCH", json={"archived": True})
    assert read_manifest(client) == {}
    assert client.get("/say-2.0-1.src.rock").status == 200
    assert upload(rockspec(version="3.0-1")).json == {
        "errors": ["The module say is archived; unarchive it to publish again"]
    }
    assert upload(rockspec(version="3.0-1"), key=bob_key).json["manifests"] == []
    change("PATCH", json={"archived": False})
    assert read_manifest(client) == {"say": {"1.0-1": 2, "2.0-1": 2}}


def test_an_owner_can_set_the_development_flag(client: Client, change: Any) -> None:
    change("PATCH", "/versions/2.0-1", json={"development": True})
    assert read_manifest(client) == {"say": {"1.0-1": 2}}
    assert read_manifest(client, "/dev/manifest.json") == {"say": {"2.0-1": 2}}


def test_a_deleted_rock_is_gone(client: Client, change: Any) -> None:
    assert change("DELETE", "/versions/1.0-1/rocks/src").status == 204
    assert read_manifest(client) == {"say": {"1.0-1": 1, "2.0-1": 2}}
    assert client.get("/say-1.0-1.src.rock").status == 404
    assert client.get("/say-1.0-1.rockspec").status == 200
    assert "module#1 rock#1#src" not in items_after_jobs()
    assert change("DELETE", "/versions/1.0-1/rocks/src").json == {"errors": ["There is no such rock."]}


def test_a_deleted_version_is_gone_with_its_rocks(client: Client, change: Any) -> None:
    assert change("DELETE", "/versions/2.0-1").status == 204
    assert read_manifest(client) == {"say": {"1.0-1": 2}}
    assert client.get("/say-2.0-1.rockspec").status == client.get("/say-2.0-1.src.rock").status == 404
    assert items_after_jobs() == [
        "module#1 module",
        "module#1 rock#1#src",
        "module#1 version#1.0-1",
        "version-id#1 version-id",
    ]
    assert change("GET").json["module"]["downloads"] == 0


def test_after_a_deletion_the_current_version_is_the_newest_remaining_one(
    client: Client, key: str, change: Any
) -> None:
    change("DELETE", "/versions/2.0-1")
    row = client.get(f"/api/1/{key}/modules").json["modules"][0]
    assert row["current_version_id"] == 1


def test_the_only_version_cannot_be_deleted_without_its_module(change: Any) -> None:
    change("DELETE", "/versions/2.0-1")
    reply = change("DELETE", "/versions/1.0-1")
    assert (reply.status, reply.json) == (400, {"errors": ["This is the only version: delete the module instead"]})


def test_a_deleted_module_leaves_no_items(client: Client, change: Any, upload: Upload, alice: Account) -> None:
    assert change("DELETE").status == 204
    assert (read_manifest(client), client.get("/say-1.0-1.rockspec").status) == ({}, 404)
    assert items_after_jobs() == []
    assert "module.delete" in [entry.action for entry in audit.entries(int(alice.id))]


def test_publications_before_the_sweep_survive_it(client: Client, change: Any, upload: Upload) -> None:
    change("DELETE", "/versions/2.0-1")
    again = upload(rockspec(version="2.0-1"))
    assert (again.json["version"]["revision"], again.json["version"]["id"]) == (1, 6)
    change("DELETE")
    assert upload().json["is_new"] is True
    assert items_after_jobs() == ["module#8 module", "module#8 version#1.0-1", "version-id#8 version-id"]


def test_a_rock_for_a_deleted_version_is_rejected(change: Any, upload: Upload, upload_rock: Upload) -> None:
    change("DELETE", "/versions/2.0-1")
    upload(rockspec(version="2.0-1"))
    for sweep in (False, True):
        if sweep:
            job_runner.run_due()
        reply = upload_rock(3, "say-2.0-1.src.rock", rock(version="2.0-1"))
        assert (reply.status, reply.json) == (404, {"errors": ["Invalid version ID"]})


@pytest.mark.parametrize("path", ["/versions/9.0-1", "/versions/9.0-1/rocks/src", "/versions/1.0-1/rocks/all"])
def test_deleting_a_missing_version_or_rock_is_404(change: Any, path: str) -> None:
    assert change("DELETE", path).status == 404


def test_the_rebuilt_catalogue_is_equal(change: Any, upload: Upload, bob_key: str) -> None:
    upload(rockspec("Other", "scm-1", lua="lua >= 5.1, < 5.4"), key=bob_key)
    change("PUT", "/owners/bob")
    change("PATCH", json={"labels": ["a"], "summary": None})
    change("PATCH", "/versions/1.0-1", json={"archived": True})
    upload(rockspec(version="2.0-1", lua="lua >= 5.2"))
    assert len(items_after_jobs()) > 0
