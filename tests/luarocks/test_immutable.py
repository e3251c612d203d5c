"""Immutable modules, whose published files are never replaced, and the reasons of archived modules and versions."""

from typing import Any

import pytest

from chalicelib import settings
from chalicelib.core import audit, uploads
from chalicelib.core.tables import Account
from chalicelib.luarocks import index, modules
from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rock, rockspec

OTHER = rockspec().replace(b"Says hello", b"Says goodbye")
SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"
REPLACED = "say-1.0-1.rockspec is published already, and its content cannot be replaced: publish a new version."


@pytest.fixture
def call(client: Client, key: str, upload: Upload, upload_rock: Upload) -> Any:
    """Calls our API for Alice's module `say`, which has 1.0-1 with a src rock, and 2.0-1."""
    upload()
    upload_rock(1, "say-1.0-1.src.rock")
    upload(rockspec(version="2.0-1"))

    def send(method: str, path: str = "", **more: Any) -> Reply:
        return client.request(method, f"/api/1/{key}/modules/alice/say{path}", **more)

    return send


@pytest.fixture
def immutable(call: Any) -> Any:
    assert call("PATCH", json={"immutable": True}).json["module"]["immutable"] is True
    return call


def test_another_content_is_refused(client: Client, immutable: Any, upload: Upload, upload_rock: Upload) -> None:
    before = index.catalogue.snapshot().sequence
    reply = upload(OTHER)
    assert (reply.status, reply.json) == (409, {"errors": [REPLACED]})
    reply = upload_rock(1, "say-1.0-1.src.rock", rock(payload="return 1"))
    assert (reply.status, reply.json) == (409, {"errors": [REPLACED.replace(".rockspec", ".src.rock")]})
    assert index.catalogue.snapshot().sequence == before
    assert client.get("/say-1.0-1.rockspec").body == rockspec()


def test_the_same_bytes_again_are_a_success_that_changes_nothing(
    immutable: Any, alice: Account, upload: Upload, upload_rock: Upload
) -> None:
    before, log = index.catalogue.snapshot().sequence, len(list(audit.entries(int(alice.id))))
    reply = upload()
    assert (reply.status, reply.json["is_new"], reply.json["version"]["revision"]) == (200, False, 1)
    reply = upload_rock(1, "say-1.0-1.src.rock")
    assert (reply.status, reply.json["rock"]["revision"]) == (200, 1)
    assert index.catalogue.snapshot().sequence == before
    assert len(list(audit.entries(int(alice.id)))) == log


def test_a_slot_with_the_same_bytes_is_used_up(client: Client, key: str, immutable: Any) -> None:
    slot = client.post(f"/api/1/{key}/upload_slot").json["upload"]
    uploads.receive(slot, rock())
    data = {"upload": slot, "filename": "say-1.0-1.src.rock"}
    assert client.post(f"/api/1/{key}/upload_rock/1", form=data).json["rock"]["revision"] == 1
    assert client.post(f"/api/1/{key}/upload_rock/1", form=data).status == 404


def test_versions_rocks_and_signatures_can_be_added(
    client: Client, key: str, immutable: Any, upload: Upload, upload_rock: Upload
) -> None:
    assert upload(rockspec(version="3.0-1")).status == 200
    assert upload_rock(1, "say-1.0-1.all.rock").status == 200
    signed = {"rockspec_file": ("x.rockspec", rockspec()), "rockspec_sig": ("x.asc", SIGNATURE)}
    assert client.post(f"/api/1/{key}/upload", files=signed).status == 200
    assert client.get("/say-1.0-1.rockspec.asc").body == SIGNATURE
    signed["rockspec_sig"] = ("x.asc", SIGNATURE.replace(b"AAAA", b"BBBB"))
    reply = client.post(f"/api/1/{key}/upload", files=signed)
    assert (reply.status, reply.json) == (409, {"errors": [REPLACED.replace(".rockspec", ".rockspec.asc")]})
    assert upload().status == 200
    assert client.get("/say-1.0-1.rockspec.asc").body == SIGNATURE


def test_nothing_of_it_is_deleted(immutable: Any) -> None:
    for path, what in (
        ("", "The module say"),
        ("/versions/1.0-1", "say 1.0-1"),
        ("/versions/1.0-1/rocks/src", "say-1.0-1.src.rock"),
    ):
        reply = immutable("DELETE", path)
        message = f"{what} is published for good and cannot be deleted: archive it instead."
        assert (reply.status, reply.json) == (409, {"errors": [message]})
    assert immutable("PATCH", "/versions/1.0-1", json={"archived": True, "reason": "Leaks."}).status == 200


def test_only_an_administrator_undoes_it(immutable: Any, alice: Account, upload: Upload) -> None:
    reply = immutable("PATCH", json={"immutable": False})
    message = "Only an administrator can make an immutable module changeable again."
    assert (reply.status, reply.json) == (403, {"errors": [message]})
    modules.edit("alice", "say", None, immutable=False)
    assert upload(OTHER).json["version"]["revision"] == 2
    alice.update(actions=[Account.rank.set("ADMIN")])
    immutable("PATCH", json={"immutable": True})
    assert immutable("PATCH", json={"immutable": False}).json["module"]["immutable"] is False


def test_only_the_holder_chooses_it(client: Client, call: Any, bob: Account, bob_key: str) -> None:
    call("PUT", "/owners/bob")
    path = f"/api/1/{bob_key}/modules/alice/say"
    client.request("PUT", f"{path}/owners/bob")
    reply = client.request("PATCH", path, json={"immutable": True})
    message = "Only alice, the holder of this module, may do this."
    assert (reply.status, reply.json) == (403, {"errors": [message]})
    assert client.request("PATCH", path, json={"immutable": False, "summary": "Mine"}).status == 200


def test_the_setting_makes_all_modules_immutable(client: Client, call: Any, upload: Upload) -> None:
    with settings.override(immutable=("luarocks",)):
        assert upload(OTHER).status == 409
        assert client.get("/api/1/modules/say").json["module"]["immutable"] is True
    assert client.get("/api/1/modules/say").json["module"]["immutable"] is False
    assert upload(OTHER).status == 200


def test_a_replaced_file_shows_the_hash_of_the_first_one(client: Client, call: Any, upload: Upload) -> None:
    file = client.get("/api/1/modules/say").json["versions"][1]["files"][0]
    assert file["first_sha256"] == file["sha256"]
    upload(OTHER)
    upload(rockspec().replace(b"Says hello", b"Sings"))
    changed = client.get("/api/1/modules/say").json["versions"][1]["files"][0]
    assert (changed["name"], changed["revision"]) == ("say-1.0-1.rockspec", 3)
    assert changed["first_sha256"] == file["sha256"] != changed["sha256"]


def test_the_reason_of_an_archived_module_or_version_is_public(client: Client, key: str, call: Any) -> None:
    assert call("PATCH", "/versions/1.0-1", json={"archived": True, "reason": "Leaks."}).status == 200
    assert call("PATCH", json={"archived": True, "reason": "Use shout."}).status == 200
    shown = client.get("/modules/alice/say").json
    assert [shown["module"][name] for name in ("archived", "reason")] == [True, "Use shout."]
    assert [(each["archived"], each["reason"]) for each in shown["versions"]] == [(False, None), (True, "Leaks.")]
    assert client.get(f"/api/1/{key}/modules").json["modules"][0]["reason"] == "Use shout."
    page = client.page("/modules/alice/say")
    assert "manifests do not list it. Reason: Use shout." in page
    assert "Archived: Leaks." in page
    call("PATCH", json={"reason": "Use yell."})
    assert client.get("/modules/alice/say").json["module"]["reason"] == "Use yell."
    call("PATCH", json={"archived": False})
    call("PATCH", "/versions/1.0-1", json={"archived": False})
    shown = client.get("/modules/alice/say").json
    assert [shown["module"]["reason"], shown["versions"][1]["reason"]] == [None, None]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reason": "Why not"}, "Only an archived module or version has a reason."),
        ({"archived": True, "reason": "two\nlines"}, "A reason is one line of at most 200 characters."),
        ({"archived": True, "reason": "x" * 201}, "A reason is one line of at most 200 characters."),
        ({"archived": True, "reason": 5}, "reason must be a string of at most 255 characters"),
    ],
)
@pytest.mark.parametrize("path", ["", "/versions/1.0-1"])
def test_a_bad_reason_is_refused(call: Any, path: str, changes: dict[str, Any], message: str) -> None:
    reply = call("PATCH", path, json=changes)
    assert (reply.status, reply.json) == (400, {"errors": [message]})
