"""Several owners, transfer and the root slot: permissions, and the module that an upload joins."""

import time
from typing import Any

import pytest
import time_machine

from chalicelib.core import audit
from chalicelib.core.errors import NotFound
from chalicelib.core.identity import accounts, credentials, names, two_factor
from chalicelib.core.tables import Account
from chalicelib.luarocks import index, modules, ownership
from tests import people
from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rock, rockspec


class Owners:
    """A client of our API for modules, with one key."""

    def __init__(self, client: Client, key: str) -> None:
        self.client, self.base = client, f"/api/1/{key}/modules"

    def __call__(self, method: str, path: str, **more: Any) -> Reply:
        return self.client.request(method, f"{self.base}/{path}", **more)


@pytest.fixture
def alice_api(client: Client, key: str, upload: Upload) -> Owners:
    """The API with Alice's key; she has published `say` 1.0-1."""
    assert upload().status == 200
    return Owners(client, key)


@pytest.fixture
def bob_api(client: Client, bob_key: str) -> Owners:
    return Owners(client, bob_key)


@pytest.fixture
def shared(alice_api: Owners, bob_api: Owners) -> None:
    """Bob is an additional owner of `say`."""
    assert alice_api("PUT", "alice/say/owners/bob").status == 200
    assert bob_api("PUT", "alice/say/owners/bob").status == 200


def owners(reply: Reply) -> tuple[list[str], list[str]]:
    assert reply.status == 200, reply.json
    return reply.json["module"]["owners"], reply.json["invited"]


def actions(account: Account) -> list[str]:
    return [entry.action for entry in audit.entries(int(account.id))]


def test_an_owner_is_invited_and_accepts(alice_api: Owners, bob_api: Owners) -> None:
    assert owners(alice_api("PUT", "alice/say/owners/bob")) == (["alice"], ["bob"])
    assert owners(bob_api("PUT", "alice/say/owners/bob")) == (["alice", "bob"], [])
    assert owners(alice_api("PUT", "Alice/SAY/owners/BOB")) == (["alice", "bob"], [])


def test_an_invited_account_publishes_its_own_module(alice_api: Owners, upload: Upload, bob_key: str) -> None:
    alice_api("PUT", "alice/say/owners/bob")
    reply = upload(rockspec(version="2.0-1"), key=bob_key)
    assert (reply.json["is_new"], reply.json["module_url"]) == (True, "http://moonbase.test/modules/bob/say")


def test_an_additional_owners_upload_is_a_version_of_the_shared_module(
    client: Client, shared: None, upload: Upload, upload_rock: Upload, bob_key: str, alice: Account, bob: Account
) -> None:
    reply = upload(rockspec(version="2.0-1"), key=bob_key)
    assert (reply.json["is_new"], reply.json["module"]["id"]) == (False, 1)
    assert reply.json["module_url"] == "http://moonbase.test/modules/alice/say"
    rock_reply = upload_rock(reply.json["version"]["id"], "say-2.0-1.all.rock", rock(version="2.0-1"), key=bob_key)
    assert rock_reply.status == 200
    assert client.get("/say-2.0-1.all.rock").status == 200
    query = {"package": "say", "version": "1.0-1"}
    assert client.get(f"/api/1/{bob_key}/check_rockspec", query=query).json["version"]["id"] == 1
    for account in (alice, bob):
        assert {"rock.publish", "rockspec.publish"} <= set(actions(account))


def test_an_account_with_a_module_of_that_name_cannot_own_another(
    alice_api: Owners, bob_api: Owners, upload: Upload, bob_key: str
) -> None:
    alice_api("PUT", "alice/say/owners/bob")
    upload(key=bob_key)
    reply = bob_api("PUT", "alice/say/owners/bob")
    assert (reply.status, reply.json) == (400, {"errors": ["bob already has a module say"]})


@pytest.mark.parametrize("path", ["alice/say/owners/nobody", "alice/other/owners/bob", "nobody/say/owners/bob"])
def test_only_existing_modules_can_be_shared(alice_api: Owners, bob: Account, path: str) -> None:
    assert alice_api("PUT", path).status == 404


def test_only_the_holder_manages_owners(shared: None, bob_api: Owners) -> None:
    accounts.create("carol", "carol@example.org")
    for method, path, body in (
        ("PUT", "alice/say/owners/carol", None),
        ("DELETE", "alice/say/owners/alice", None),
        ("POST", "alice/say/transfer", {"to": "bob"}),
        ("DELETE", "alice/say", None),
    ):
        reply = bob_api(method, path, json=body)
        message = "Only alice, the holder of this module, may do this."
        assert (reply.status, reply.json) == (403, {"errors": [message]}), path


def test_accounts_that_are_not_owners_are_refused(alice_api: Owners, bob_api: Owners) -> None:
    for method, path, body in (
        ("GET", "alice/say", None),
        ("PATCH", "alice/say", {"archived": True}),
        ("PUT", "alice/say/root", None),
        ("PUT", "alice/say/owners/bob", None),
        ("PATCH", "alice/say/versions/1.0-1", {"archived": True}),
        ("DELETE", "alice/say/versions/1.0-1", None),
        ("DELETE", "alice/say/versions/1.0-1/rocks/src", None),
        ("DELETE", "alice/say", None),
    ):
        assert bob_api(method, path, json=body).status == 403, (method, path)
    assert owners(alice_api("GET", "alice/say")) == (["alice"], [])


def test_an_owner_can_leave_and_can_be_removed(
    shared: None, alice_api: Owners, bob_api: Owners, upload: Upload
) -> None:
    assert bob_api("DELETE", "alice/say/owners/bob").status == 204
    assert owners(alice_api("GET", "alice/say")) == (["alice"], [])
    assert alice_api("DELETE", "alice/say/owners/bob").json == {"errors": ["bob does not own this module."]}
    alice_api("PUT", "alice/say/owners/bob")
    assert alice_api("DELETE", "alice/say/owners/bob").status == 204
    assert bob_api("PUT", "alice/say/owners/bob").status == 403


def test_the_holder_cannot_leave(alice_api: Owners) -> None:
    reply = alice_api("DELETE", "alice/say/owners/alice")
    assert (reply.status, reply.json) == (400, {"errors": ["alice is the holder of say: transfer it first"]})


def test_a_transfer_moves_the_module_with_its_files_and_its_root_slot(
    client: Client, shared: None, alice_api: Owners, bob_api: Owners, upload: Upload, alice: Account, bob: Account
) -> None:
    before = client.get("/manifest")
    reply = alice_api("POST", "alice/say/transfer", json={"to": "Bob"})
    assert owners(reply) == (["bob", "alice"], [])
    assert reply.json["module"]["url"] == "http://moonbase.test/modules/bob/say"
    assert client.get("/manifests/alice/say-1.0-1.rockspec").status == 404
    assert client.get("/manifests/bob/say-1.0-1.rockspec").body == rockspec()
    assert client.get("/manifest").body == before.body
    assert upload(rockspec(version="2.0-1")).json["module_url"] == "http://moonbase.test/modules/bob/say"
    assert "module.transfer" in actions(alice)
    assert "module.transfer" in actions(bob)


def test_a_module_is_not_transferred_without_consent(alice_api: Owners, bob: Account) -> None:
    reply = alice_api("POST", "alice/say/transfer", json={"to": "bob"})
    assert (reply.status, reply.json) == (400, {"errors": ["bob does not own say: invite them first"]})


def test_the_administrator_needs_no_consent(alice_api: Owners, upload: Upload, bob: Account, bob_key: str) -> None:
    moved = ownership.transfer("alice", "say", bob, None)
    assert moved is not None
    assert (moved.key, list(moved.value.owners)) == ("bob/say", ["alice"])


def test_after_a_transfer_the_old_name_is_free(client: Client, shared: None, alice_api: Owners, upload: Upload) -> None:
    alice_api("POST", "alice/say/transfer", json={"to": "bob"})
    alice_api("DELETE", "bob/say/owners/alice")
    reply = upload(rockspec(version="3.0-1"))
    assert (reply.json["is_new"], reply.json["manifests"]) == (True, [])
    assert client.get("/manifests/alice/manifest.json").json["repository"].keys() == {"say"}


def test_the_root_slot_of_a_deleted_module_stays_reserved(
    client: Client, alice_api: Owners, bob_api: Owners, upload: Upload, bob_key: str
) -> None:
    upload(rockspec(version="9.0-1"), key=bob_key)
    assert bob_api("PUT", "bob/say/root").json == {"errors": ["The root manifest already has a module say by alice."]}
    assert alice_api("DELETE", "alice/say").status == 204
    assert client.get("/manifest.json").json["repository"] == {}
    reserved = bob_api("PUT", "bob/say/root")
    assert (reserved.status, len(reserved.json["errors"])) == (409, 1)
    assert reserved.json["errors"][0].startswith("The name say is reserved for its former owner until 20")
    upload(rockspec(version="1.0-2"))
    assert list(client.get("/manifest.json").json["repository"]["say"]) == ["1.0-2"]


def test_a_stranger_gets_the_root_slot_after_the_quarantine(
    client: Client, alice_api: Owners, bob_api: Owners, upload: Upload, bob_key: str
) -> None:
    assert alice_api("DELETE", "alice/say").status == 204
    upload(rockspec(version="9.0-1"), key=bob_key)
    assert client.get("/manifest.json").json["repository"] == {}
    assert list(client.get("/manifests/bob/manifest.json").json["repository"]["say"]) == ["9.0-1"]
    with time_machine.travel(time.time() + 90 * 86400 + 60):
        assert bob_api("PUT", "bob/say/root").json["module"]["in_root"] is True


def test_a_released_name_is_available(alice_api: Owners, bob_api: Owners, upload: Upload, bob_key: str) -> None:
    assert alice_api("DELETE", "alice/say").status == 204
    upload(rockspec(version="9.0-1"), key=bob_key)
    names.release("luarocks", "say")
    assert bob_api("PUT", "bob/say/root").json["module"]["in_root"] is True
    with pytest.raises(NotFound, match="The name say is not reserved"):
        names.release("luarocks", "say")


def test_a_stranger_does_not_see_pending_invitations(alice_api: Owners, bob_api: Owners, bob: Account) -> None:
    people.register("carol", "carol@example.org", "wonderland")
    assert alice_api("PUT", "alice/say/owners/carol").status == 200
    for owner in ("alice", "carol", "bob"):
        reply = bob_api("PUT", f"alice/say/owners/{owner}")
        assert (reply.status, "invited" in str(reply.json)) == (403, False)


def test_the_administrator_moves_the_root_slot(
    client: Client, alice_api: Owners, upload: Upload, bob_key: str, alice: Account
) -> None:
    upload(rockspec(version="9.0-1"), key=bob_key)
    modules.take_root("bob", "say", None)
    assert list(client.get("/manifest.json").json["repository"]["say"]) == ["9.0-1"]
    assert "module.lose-root" in actions(alice)
    assert [entry.value.in_root for entry in index.catalogue.snapshot().entries.values()] == [False, True]


def test_an_owners_modules_are_listed(
    shared: None, alice_api: Owners, bob_api: Owners, client: Client, bob_key: str
) -> None:
    rows = client.get(f"/api/1/{bob_key}/modules").json["modules"]
    assert [(row["user"], row["name"], row["archived"]) for row in rows] == [("alice", "say", False)]


def test_details_can_be_edited(client: Client, alice_api: Owners) -> None:
    changes = {"display_name": "SAY", "summary": " Says it ", "homepage": None, "labels": ["Two Words"]}
    assert alice_api("PATCH", "alice/say", json=changes).status == 200
    shown = client.get("/api/1/modules/say").json["module"]
    assert [shown[name] for name in changes] == ["SAY", "Says it", None, ["two-words"]]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "The body is not JSON."),
        (b"[]", "The body must be a JSON object with some of "),
        (b"{}", "The body must be a JSON object with some of "),
        (b'{"name": "x"}', "name cannot be changed; these fields can: "),
        (b'{"archived": 1}', "archived must be true or false"),
        (b'{"summary": 5}', "summary must be a string of at most 10000 characters"),
        (b'{"labels": "x"}', "labels must be a list of strings"),
        (b'{"display_name": "Shout"}', "A display name may differ from the name only in letter case."),
    ],
)
def test_a_bad_edit_is_refused(alice_api: Owners, body: bytes, error: str) -> None:
    before = index.catalogue.snapshot().sequence
    reply = alice_api("PATCH", "alice/say", body=body)
    assert (reply.status, reply.json["errors"][0][: len(error)]) == (400, error)
    assert index.catalogue.snapshot().sequence == before


@pytest.mark.parametrize(
    ("field", "longest"), [("summary", 10_000), ("description", 10_000), ("license", 255), ("homepage", 2000)]
)
def test_the_texts_of_a_module_have_a_length(alice_api: Owners, field: str, longest: int) -> None:
    reply = alice_api("PATCH", "alice/say", json={field: "x" * (longest + 1)})
    message = f"{field} must be a string of at most {longest} characters"
    assert (reply.status, reply.json) == (400, {"errors": [message]})
    reply = alice_api("PATCH", "alice/say", json={field: "x" * longest})
    assert (reply.status, reply.json["module"][field]) == (200, "x" * longest)


@pytest.mark.parametrize("scope", ["read", "module:say"])
def test_a_scoped_key_can_read_but_not_change(client: Client, alice_api: Owners, alice: Account, scope: str) -> None:
    narrow = Owners(client, credentials.create(alice, "luarocks", scope=scope)[1])
    assert narrow("GET", "alice/say").status == 200
    assert narrow("DELETE", "alice/say").status == 403


def test_owners_need_the_second_factor_if_uploads_do(alice_api: Owners, alice: Account) -> None:
    two_factor.enable(alice, required_for_uploads=True)
    reply = alice_api("DELETE", "alice/say")
    assert (reply.status, reply.json["two_factor_required"]) == (403, True)
