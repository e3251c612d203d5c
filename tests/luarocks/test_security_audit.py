"""The security audit of an account: what was published under its name, by which key, and what was replaced since."""

import hashlib
from typing import Any

import pytest

from chalicelib.core import audit
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account
from tests.client import Client
from tests.luarocks.builders import Upload, rock, rockspec

OTHER = rockspec(lua="lua >= 5.3")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def ci_key(alice: Account) -> str:
    return credentials.create(alice, "luarocks", comment="CI")[1]


def read(client: Client, key: str, query: str = "") -> Any:
    reply = client.get(f"/api/1/{key}/audit", query=query)
    assert reply.status == 200, reply.json
    return reply.json


def test_uploads_are_listed_with_keys_addresses_and_hashes(
    client: Client, key: str, ci_key: str, upload: Upload, upload_rock: Upload
) -> None:
    upload()
    upload_rock(1, "say-1.0-1.src.rock", key=ci_key)
    upload(OTHER, key=ci_key)
    found = read(client, key)
    common = {"module": "alice/say", "version": "1.0-1", "by": "Alice", "address": "203.0.113.7"}
    expected = [
        {"arch": None, "file": "say-1.0-1.rockspec", "sha256": sha256(OTHER), "key": "CI", "is_served": True},
        {"arch": "src", "file": "say-1.0-1.src.rock", "sha256": sha256(rock()), "key": "CI", "is_served": True},
        {"arch": None, "file": "say-1.0-1.rockspec", "sha256": sha256(rockspec()), "key": "", "is_served": False},
    ]
    shown = [{name: row[name] for name in row if name != "at"} for row in found["published"]]
    assert shown == [{**common, **row} for row in expected]
    (replaced,) = found["replaced"]
    assert {**replaced, "updated_at": None} == {
        "module": "alice/say",
        "file": "say-1.0-1.rockspec",
        "sha256": sha256(OTHER),
        "first_sha256": sha256(rockspec()),
        "revision": 2,
        "updated_at": None,
    }
    assert found["next"] is None


def test_the_audit_has_pages(client: Client, key: str, upload: Upload) -> None:
    for number in range(5):
        upload(rockspec(version=f"{number}.0-1"))
    client.request("PATCH", f"/api/1/{key}/modules/alice/say", json={"summary": "Not a publication"})
    versions, query = [], "limit=2"
    while True:
        page = read(client, key, query)
        versions += [row["version"] for row in page["published"]]
        if page["next"] is None:
            break
        query = f"limit=2&before={page['next']}"
    assert versions == [f"{number}.0-1" for number in (4, 3, 2, 1, 0)]
    assert client.get(f"/api/1/{key}/audit", query="before=x").json == {
        "errors": ["before is not a cursor of this log."]
    }
    assert client.get(f"/api/1/{key}/audit", query="limit=x").json == {"errors": ["limit must be a number"]}


def test_the_key_of_another_owner_is_not_shown(
    client: Client, key: str, bob: Account, bob_key: str, upload: Upload
) -> None:
    upload()
    for who in (key, bob_key):
        client.request("PUT", f"/api/1/{who}/modules/alice/say/owners/bob")
    upload(rockspec(version="2.0-1"), key=bob_key)
    first = read(client, key)["published"][0]
    assert [first[name] for name in ("version", "by", "key", "address")] == ["2.0-1", bob.username, None, None]


def test_a_deleted_file_is_not_served(client: Client, key: str, upload: Upload) -> None:
    upload()
    upload(rockspec(version="2.0-1"))
    client.request("DELETE", f"/api/1/{key}/modules/alice/say/versions/1.0-1")
    assert [row["is_served"] for row in read(client, key)["published"]] == [True, False]
    client.request("DELETE", f"/api/1/{key}/modules/alice/say")
    assert [row["is_served"] for row in read(client, key)["published"]] == [False, False]


def test_an_upload_by_older_code_has_no_hash(client: Client, key: str, alice: Account) -> None:
    audit.entry(int(alice.id), "rockspec.publish", "alice/old", version="1.0-1").save()
    (row,) = read(client, key)["published"]
    assert [row[name] for name in ("module", "version", "sha256", "is_served", "by")] == [
        "alice/old",
        "1.0-1",
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("scope", ["read", "module:say"])
def test_a_key_with_a_scope_reads_no_audit(client: Client, alice: Account, scope: str) -> None:
    narrow = credentials.create(alice, "luarocks", scope=scope)[1]
    assert client.get(f"/api/1/{narrow}/audit").status == 403
