"""Custom manifests: creation, changes, and the files below /m/."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.core import audit, job_runner
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rockspec
from tests.people import register


class Manifests:
    """A client of our API for manifests, with one key."""

    def __init__(self, client: Client, key: str) -> None:
        self.client, self.base = client, f"/api/1/{key}/manifests"

    def __call__(self, method: str, path: str, **more: Any) -> Reply:
        return self.client.request(method, f"{self.base}/{path}", **more)


@pytest.fixture
def alice_api(client: Client, key: str, upload: Upload) -> Manifests:
    """The API with Alice's key; she has published two modules and created the manifest `team`."""
    upload()
    upload(rockspec("other", "scm-1"))
    api = Manifests(client, key)
    assert api("PUT", "team", json={"description": "What we use"}).status == 201
    return api


@pytest.fixture
def bob_api(client: Client, bob_key: str, upload: Upload) -> Manifests:
    """The API with Bob's key; he has a module of the same name as Alice."""
    upload(rockspec(version="7.0-1"), key=bob_key)
    return Manifests(client, bob_key)


def read_manifest(client: Client, path: str) -> dict[str, list[str]]:
    found = client.get(path).json["repository"]
    return {name: list(versions) for name, versions in found.items()}


def test_a_manifest_is_returned_as_json(alice_api: Manifests) -> None:
    row = alice_api("GET", "team").json["manifest"]
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
    assert alice_api("GET", "").json == {"manifests": [row]}


def test_a_manifest_lists_modules_and_serves_their_files(client: Client, alice_api: Manifests) -> None:
    assert client.get("/m/team/manifest").body == b"commands = {}\nmodules = {}\nrepository = {}\n"
    before = client.get("/m/team/manifest").header("etag")
    assert alice_api("PUT", "team/modules/alice/say").json["module"]["manifests"] == ["team"]
    assert alice_api("PUT", "team/modules/alice/other").status == 200
    assert read_manifest(client, "/m/TEAM/manifest-5.1.json") == {"say": ["1.0-1"]}
    assert read_manifest(client, "/m/team/dev/manifest-5.1.json") == {"other": ["scm-1"]}
    assert client.get("/m/team/say-1.0-1.rockspec").body == rockspec()
    assert client.get("/m/team/dev/other-scm-1.rockspec").status == 200
    assert client.get("/m/team/manifest").header("etag") != before
    assert alice_api("GET", "team").json["modules"] == ["alice/other", "alice/say"]
    assert alice_api("GET", "team").json["manifest"]["modules_count"] == 2


def test_a_manifest_lists_one_module_per_name(alice_api: Manifests, bob_api: Manifests) -> None:
    alice_api("PUT", "team/modules/alice/say")
    assert alice_api("PUT", "team/modules/alice/say").status == 200
    reply = alice_api("PUT", "team/modules/bob/say")
    assert (reply.status, reply.json) == (400, {"errors": ["Manifest already has a module named `say`"]})
    assert alice_api("GET", "team").json["manifest"]["modules_count"] == 1


def test_files_of_other_modules_are_not_found_below_a_manifest(
    client: Client, alice_api: Manifests, bob_api: Manifests
) -> None:
    alice_api("PUT", "team/modules/bob/say")
    assert client.get("/m/team/say-7.0-1.rockspec").status == 200
    assert client.get("/m/team/say-1.0-1.rockspec").status == 404


def test_only_admins_add_modules_to_a_closed_manifest(alice_api: Manifests, bob_api: Manifests) -> None:
    reply = bob_api("PUT", "team/modules/bob/say")
    assert (reply.status, reply.json) == (403, {"errors": ["Don't have permission to add to manifest"]})
    assert alice_api("PUT", "team/admins/bob").json["manifest"]["admins"] == ["alice", "bob"]
    assert bob_api("PUT", "team/modules/bob/say").status == 200


def test_owners_add_their_modules_to_an_open_manifest(alice_api: Manifests, bob_api: Manifests) -> None:
    alice_api("PATCH", "team", json={"is_open": True})
    assert bob_api("PUT", "team/modules/alice/say").status == 403
    assert bob_api("PUT", "team/modules/bob/say").status == 200
    assert bob_api("DELETE", "team/modules/bob/say").status == 204
    assert bob_api("DELETE", "team/modules/bob/say").json == {"errors": ["The manifest does not list this module."]}


def test_accounts_that_are_not_admins_are_refused(alice_api: Manifests, bob_api: Manifests) -> None:
    alice_api("PUT", "team/modules/alice/say")
    for method, path, body in (
        ("PATCH", "team", {"is_open": True}),
        ("DELETE", "team", None),
        ("PUT", "team/admins/bob", None),
        ("DELETE", "team/admins/alice", None),
        ("DELETE", "team/modules/alice/say", None),
    ):
        assert bob_api(method, path, json=body).status == 403, (method, path)


def test_a_name_is_unique(alice_api: Manifests, bob_api: Manifests) -> None:
    reply = bob_api("PUT", "team")
    assert (reply.status, reply.json) == (409, {"errors": ["manifest name already taken"]})


@pytest.mark.parametrize("name", ["root", "dev", "a_b", "-a", "a" * 64, "Caf%C3%A9", "A"])
def test_a_name_is_a_slug(alice_api: Manifests, name: str) -> None:
    reply = alice_api("PUT", name)
    assert (reply.status, reply.json) == (400, {"errors": ["invalid manifest name"]})


@pytest.mark.parametrize(("field", "longest"), [("display_name", 255), ("description", 10_000)])
def test_the_texts_of_a_manifest_have_a_length(alice_api: Manifests, field: str, longest: int) -> None:
    for method, path in (("PUT", "new"), ("PATCH", "team")):
        reply = alice_api(method, path, json={field: "x" * (longest + 1)})
        message = f"{field} must be a string of at most {longest} characters"
        assert (reply.status, reply.json) == (400, {"errors": [message]})
    reply = alice_api("PUT", "new", json={field: "x" * longest})
    assert (reply.status, reply.json["manifest"][field]) == (201, "x" * longest)
    assert alice_api("PUT", "x" * 63).status == 201


def test_only_an_empty_manifest_is_deleted(client: Client, alice_api: Manifests) -> None:
    alice_api("PUT", "team/modules/alice/say")
    reply = alice_api("DELETE", "team")
    assert (reply.status, reply.json) == (400, {"errors": ["The manifest is not empty: remove its modules first"]})
    alice_api("DELETE", "team/modules/alice/say")
    assert alice_api("DELETE", "team").status == 204
    assert client.get("/m/team/manifest").status == alice_api("GET", "team").status == 404


def test_the_last_admin_cannot_be_removed(alice_api: Manifests, bob: Account) -> None:
    assert alice_api("DELETE", "team/admins/alice").json == {
        "errors": ["A manifest needs an admin: add another one first"]
    }
    alice_api("PUT", "team/admins/bob")
    assert alice_api("DELETE", "team/admins/alice").status == 204
    assert alice_api("DELETE", "team/admins/bob").status == 403


def test_concurrent_changes_of_a_manifest_all_succeed(alice_api: Manifests) -> None:
    people = [register(f"user{number}", f"user{number}@example.org", "wonderland") for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda user: alice_api("PUT", f"team/admins/{user.username}"), people))
    assert [reply.status for reply in replies] == [200] * 6
    admins = alice_api("GET", "team").json["manifest"]["admins"]
    assert sorted(admins) == ["alice", *(user.username for user in people)]


def test_a_deleted_module_is_removed_from_its_manifests(client: Client, key: str, alice_api: Manifests) -> None:
    alice_api("PUT", "team/modules/alice/say")
    client.request("DELETE", f"/api/1/{key}/modules/alice/say")
    job_runner.run_due()
    assert read_manifest(client, "/m/team/manifest.json") == {}
    assert alice_api("DELETE", "team").status == 204


def test_changes_of_a_manifest_are_in_the_activity_log(alice_api: Manifests, alice: Account) -> None:
    alice_api("PATCH", "team", json={"display_name": "Work"})
    actions = [(entry.action, entry.subject) for entry in audit.entries(int(alice.id))]
    assert {("manifest.create", "m/team"), ("manifest.edit", "m/team")} <= set(actions)
