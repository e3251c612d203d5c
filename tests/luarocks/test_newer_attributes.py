"""Attributes that a newer version of Moonbase has stored in items: changes by this version keep them."""

from typing import Any

from chalicelib.core import bulk
from chalicelib.core.tables import Account
from chalicelib.luarocks.tables import LuaRocksItem
from tests.client import Client
from tests.luarocks.builders import Upload, rock, rockspec

NEWER = {"funding": {"M": {"url": {"S": "https://example.org"}}}}


def items() -> list[dict[str, Any]]:
    """The items of the module, its versions and its rocks, except deleted ones."""
    kinds = ("module", "version", "rock", "manifest")
    return [item for item in bulk.items(LuaRocksItem) if item["kind"]["S"] in kinds]


def test_all_changes_by_owners_keep_newer_attributes(
    client: Client, key: str, bob: Account, bob_key: str, upload: Upload, upload_rock: Upload
) -> None:
    upload()
    upload(rockspec(version="2.0-1"))
    upload_rock(1, "say-1.0-1.src.rock")
    alice_path, bob_path = f"/api/1/{key}", f"/api/1/{bob_key}"
    client.request("PUT", f"{alice_path}/manifests/stable")
    bulk.put(LuaRocksItem, [{**item, **NEWER} for item in items()])
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", f"{alice_path}/modules/alice/say", {"summary": "New", "labels": ["a"], "homepage": None}),
        ("PATCH", f"{alice_path}/modules/alice/say/versions/1.0-1", {"archived": True}),
        ("PUT", f"{alice_path}/manifests/stable/modules/alice/say", {}),
        ("PUT", f"{alice_path}/modules/alice/say/root", {}),
        ("PUT", f"{alice_path}/modules/alice/say/owners/bob", {}),
        ("PUT", f"{bob_path}/modules/alice/say/owners/bob", {}),
        ("DELETE", f"{alice_path}/modules/alice/say/versions/2.0-1", {}),
        ("POST", f"{alice_path}/modules/alice/say/transfer", {"to": "bob"}),
    ]
    for method, path, body in steps:
        reply = client.request(method, path, json=body or None)
        assert reply.status in (200, 204), (path, reply.body)
    assert upload(rockspec()).json["version"]["revision"] == 2
    assert upload_rock(1, "say-1.0-1.src.rock", rock()).json["rock"]["revision"] == 2
    assert [item["kind"]["S"] for item in items()] == ["manifest", "module", "rock", "version"]
    assert all(item["funding"] == NEWER["funding"] for item in items())
