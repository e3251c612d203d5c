"""Custom manifests: creation, changes, and the files below /m/."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.core import audit, jobs
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rockspec
from tests.people import register


class Manifests:
    """The additional API, called with one key."""

    def __init__(self, client: Client, key: str) -> None:
        self.client, self.base = client, f"/api/1/{key}/manifests"

    def __call__(self, method: str, path: str, **more: Any) -> Reply:
        return self.client.request(method, f"{self.base}/{path}", **more)


@pytest.fixture
def alices(client: Client, key: str, upload: Upload) -> Manifests:
    """Alice, who has published two modules and created the manifest `team`."""
    upload()
    upload(rockspec("other", "scm-1"))
    made = Manifests(client, key)
    assert made("PUT", "team", json={"description": "What we use"}).status == 201
    return made


@pytest.fixture
def bobs(client: Client, bob_key: str, upload: Upload) -> Manifests:
    """Bob, with a module of the same name as Alice's."""
    upload(rockspec(version="7.0-1"), key=bob_key)
    return Manifests(client, bob_key)


def listed(client: Client, path: str) -> dict[str, list[str]]:
    found = client.get(path).json["repository"]
    return {name: list(versions) for name, versions in found.items()}


def test_a_manifest_has_a_row(alices: Manifests) -> None:
    row = alices("GET", "team").json["manifest"]
    dates = {name: row[name] for name in ("created_at", "updated_at")}
    assert row == {
        "id": 2,
        "name": "team",
        "display_name": None,
        "description": "What we use",
        "is_open": False,
        "admins": ["alice"],
        "modules_count": 0,
        **dates,
    }
    assert alices("GET", "").json == {"manifests": [row]}


def test_it_serves_the_files_that_it_lists(client: Client, alices: Manifests) -> None:
    assert client.get("/m/team/manifest").body == b"commands = {}\nmodules = {}\nrepository = {}\n"
    before = client.get("/m/team/manifest").header("last-modified")
    assert alices("PUT", "team/modules/alice/say").json["module"]["manifests"] == ["team"]
    assert alices("PUT", "team/modules/alice/other").status == 200
    assert listed(client, "/m/TEAM/manifest-5.1.json") == {"say": ["1.0-1"]}
    assert listed(client, "/m/team/dev/manifest-5.1.json") == {"other": ["scm-1"]}
    assert client.get("/m/team/say-1.0-1.rockspec").body == rockspec()
    assert client.get("/m/team/dev/other-scm-1.rockspec").status == 200
    assert client.get("/m/team/manifest").header("last-modified") != before
    assert alices("GET", "team").json["modules"] == ["alice/other", "alice/say"]
    assert alices("GET", "team").json["manifest"]["modules_count"] == 2


def test_it_lists_one_module_of_a_name(alices: Manifests, bobs: Manifests) -> None:
    alices("PUT", "team/modules/alice/say")
    assert alices("PUT", "team/modules/alice/say").status == 200
    reply = alices("PUT", "team/modules/bob/say")
    assert (reply.status, reply.json) == (400, {"errors": ["Manifest already has a module named `say`"]})
    assert alices("GET", "team").json["manifest"]["modules_count"] == 1


def test_only_its_files_are_below_it(client: Client, alices: Manifests, bobs: Manifests) -> None:
    alices("PUT", "team/modules/bob/say")
    assert client.get("/m/team/say-7.0-1.rockspec").status == 200
    assert client.get("/m/team/say-1.0-1.rockspec").status == 404


def test_only_admins_add_modules_to_a_closed_manifest(alices: Manifests, bobs: Manifests) -> None:
    reply = bobs("PUT", "team/modules/bob/say")
    assert (reply.status, reply.json) == (403, {"errors": ["Don't have permission to add to manifest"]})
    assert alices("PUT", "team/admins/bob").json["manifest"]["admins"] == ["alice", "bob"]
    assert bobs("PUT", "team/modules/bob/say").status == 200


def test_owners_add_their_modules_to_an_open_manifest(alices: Manifests, bobs: Manifests) -> None:
    alices("PATCH", "team", json={"is_open": True})
    assert bobs("PUT", "team/modules/alice/say").status == 403
    assert bobs("PUT", "team/modules/bob/say").status == 200
    assert bobs("DELETE", "team/modules/bob/say").status == 204
    assert bobs("DELETE", "team/modules/bob/say").json == {"errors": ["The manifest does not list this module."]}


def test_others_change_nothing(alices: Manifests, bobs: Manifests) -> None:
    alices("PUT", "team/modules/alice/say")
    for method, path, body in (
        ("PATCH", "team", {"is_open": True}),
        ("DELETE", "team", None),
        ("PUT", "team/admins/bob", None),
        ("DELETE", "team/admins/alice", None),
        ("DELETE", "team/modules/alice/say", None),
    ):
        assert bobs(method, path, json=body).status == 403, (method, path)


def test_a_name_is_unique(alices: Manifests, bobs: Manifests) -> None:
    reply = bobs("PUT", "team")
    assert (reply.status, reply.json) == (409, {"errors": ["manifest name already taken"]})


@pytest.mark.parametrize("name", ["root", "dev", "a_b", "-a", "a" * 64, "Caf%C3%A9", "A"])
def test_a_name_is_a_slug(alices: Manifests, name: str) -> None:
    reply = alices("PUT", name)
    assert (reply.status, reply.json) == (400, {"errors": ["invalid manifest name"]})


def test_only_an_empty_manifest_is_deleted(client: Client, alices: Manifests) -> None:
    alices("PUT", "team/modules/alice/say")
    reply = alices("DELETE", "team")
    assert (reply.status, reply.json) == (400, {"errors": ["The manifest is not empty: remove its modules first"]})
    alices("DELETE", "team/modules/alice/say")
    assert alices("DELETE", "team").status == 204
    assert client.get("/m/team/manifest").status == alices("GET", "team").status == 404


def test_the_last_admin_stays(alices: Manifests, bob: Account) -> None:
    assert alices("DELETE", "team/admins/alice").json == {"errors": ["A manifest has an admin: add another one first"]}
    alices("PUT", "team/admins/bob")
    assert alices("DELETE", "team/admins/alice").status == 204
    assert alices("DELETE", "team/admins/bob").status == 403


def test_concurrent_changes_of_a_manifest_all_succeed(alices: Manifests) -> None:
    people = [register(f"user{number}", f"user{number}@example.org", "wonderland") for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda user: alices("PUT", f"team/admins/{user.username}"), people))
    assert [reply.status for reply in replies] == [200] * 6
    admins = alices("GET", "team").json["manifest"]["admins"]
    assert sorted(admins) == ["alice", *(user.username for user in people)]


def test_a_deleted_module_leaves_its_manifests(client: Client, key: str, alices: Manifests) -> None:
    alices("PUT", "team/modules/alice/say")
    client.request("DELETE", f"/api/1/{key}/modules/alice/say")
    jobs.run_due()
    assert listed(client, "/m/team/manifest.json") == {}
    assert alices("DELETE", "team").status == 204


def test_changes_of_a_manifest_are_in_the_activity_log(alices: Manifests, alice: Account) -> None:
    alices("PATCH", "team", json={"display_name": "Work"})
    actions = [(entry.action, entry.subject) for entry in audit.entries(int(alice.id))]
    assert {("manifest.create", "m/team"), ("manifest.edit", "m/team")} <= set(actions)
