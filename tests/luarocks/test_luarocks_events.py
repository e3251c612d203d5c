"""The published events of LuaRocks: one for each change, with the files as they are stored."""

import hashlib
from typing import Any

import pytest

from chalicelib.core import blobs, events
from chalicelib.core.published import Event
from chalicelib.core.tables import Account
from chalicelib.luarocks import index, modules
from tests.client import Client
from tests.luarocks.builders import Upload, rock, rockspec

SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"


@pytest.fixture(autouse=True)
def _published(upload: Upload) -> None:
    """Alice has published `say` 1.0-1."""
    assert upload().status == 200


def summaries() -> list[tuple[str, str, str, str | None]]:
    """Kind, action, name and version of every event, by time."""
    return [(event.kind, event.action, event.name, event.version) for event in events.unnumbered()]


def last() -> Event:
    return events.unnumbered()[-1]


def test_a_rockspec_leaves_one_event_with_its_hash(alice: Account) -> None:
    content = rockspec()
    event = last()
    assert event.public() == {
        "service": "luarocks",
        "kind": "version",
        "name": "alice/say",
        "action": "publish",
        "at": event.at.isoformat().replace("+00:00", "Z"),
        "version": "1.0-1",
        "former_name": None,
        "listed": True,
        "files": [
            {"name": "say-1.0-1.rockspec", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)},
        ],
        "actor": "Alice",
        "number": 0,
    }
    assert (event.accounts, event.credential, event.address) == ((int(alice.id),), 1, "203.0.113.7")


def test_the_files_of_an_event_are_the_stored_ones(client: Client, key: str, upload_rock: Upload) -> None:
    files = {"rock_file": ("say-1.0-1.all.rock", rock()), "rock_sig": ("say-1.0-1.all.rock.asc", SIGNATURE)}
    assert client.post(f"/api/1/{key}/upload_rock/1", files=files).status == 200
    assert [file.name for file in last().files] == ["say-1.0-1.all.rock", "say-1.0-1.all.rock.asc"]
    for file in last().files:
        stored = blobs.get(blobs.key_of(index.AREA, file.sha256))
        assert (hashlib.sha256(stored).hexdigest(), len(stored)) == (file.sha256, file.size)


def test_a_file_that_is_uploaded_again_is_a_change(upload: Upload, upload_rock: Upload) -> None:
    upload(rockspec(lua="lua >= 5.3"))
    for payload in ("1", "2"):
        upload_rock(1, "say-1.0-1.all.rock", rock(payload=payload))
    assert summaries() == [
        ("version", "publish", "alice/say", "1.0-1"),
        ("version", "change", "alice/say", "1.0-1"),
        ("rock", "publish", "alice/say", "1.0-1"),
        ("rock", "change", "alice/say", "1.0-1"),
    ]


def test_a_refused_upload_leaves_none(upload: Upload) -> None:
    assert upload(b"not a rockspec").status == 400
    assert len(events.unnumbered()) == 1


@pytest.mark.parametrize(
    ("path", "edits", "kind"),
    [
        ("modules/alice/say", [{"archived": True}, {"summary": "x"}, {"archived": False}], "module"),
        (
            "modules/alice/say/versions/1.0-1",
            [{"archived": True}, {"development": True}, {"archived": False}],
            "version",
        ),
    ],
)
def test_an_edit_archives_changes_or_restores(
    client: Client, key: str, path: str, edits: list[dict[str, Any]], kind: str
) -> None:
    for edit in edits:
        assert client.request("PATCH", f"/api/1/{key}/{path}", json=edit).status == 200
    version = "1.0-1" if kind == "version" else None
    assert summaries()[1:] == [(kind, action, "alice/say", version) for action in ("archive", "change", "restore")]


def test_a_transfer_has_both_names_and_all_owners(client: Client, key: str, bob_key: str, bob: Account) -> None:
    owners = f"modules/alice/say/owners/{bob.username}"
    assert client.request("PUT", f"/api/1/{key}/{owners}").status == 200
    assert len(events.unnumbered()) == 1  # an invitation changes nothing yet
    assert client.request("PUT", f"/api/1/{bob_key}/{owners}").status == 200
    assert client.post(f"/api/1/{key}/modules/alice/say/transfer", json={"to": "bob"}).status == 200
    assert summaries()[1:] == [("module", "change", "alice/say", None), ("module", "transfer", "bob/say", None)]
    assert (last().former_name, last().accounts) == ("alice/say", (1, 2))


def test_deletions_are_events(client: Client, key: str, upload: Upload, upload_rock: Upload) -> None:
    upload(rockspec(version="2.0-1"))
    upload_rock(1, "say-1.0-1.all.rock")
    for path in ("/versions/1.0-1/rocks/all", "/versions/1.0-1", ""):
        assert client.request("DELETE", f"/api/1/{key}/modules/alice/say{path}").status == 204
    assert summaries()[3:] == [
        ("rock", "delete", "alice/say", "1.0-1"),
        ("version", "delete", "alice/say", "1.0-1"),
        ("module", "delete", "alice/say", None),
    ]


def test_a_root_slot_that_the_command_line_gives_away_is_a_change_of_both_modules(upload: Upload, bob_key: str) -> None:
    upload(rockspec(), key=bob_key)
    modules.take_root("bob", "say", None)
    assert sorted(summaries()[2:]) == [("module", "change", "alice/say", None), ("module", "change", "bob/say", None)]
    assert last().actor is None


def test_a_manifest_is_published_changed_and_deleted(client: Client, key: str) -> None:
    for method, path in (
        ("PUT", ""),
        ("PUT", "/modules/alice/say"),
        ("DELETE", "/modules/alice/say"),
        ("DELETE", ""),
    ):
        assert client.request(method, f"/api/1/{key}/manifests/team{path}").status in (200, 201, 204)
    actions = ("publish", "change", "change", "delete")
    assert summaries()[1:] == [("manifest", action, "team", None) for action in actions]
