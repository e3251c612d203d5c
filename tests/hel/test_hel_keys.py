"""Keys for CI, instead of a session: their permissions and scopes."""

import pytest

from chalicelib.core import audit
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account
from tests.client import Client
from tests.hel.builders import list_packages, package, refusal, stored, success


def header(account: Account, scope: str | None = None, service: str = "hel") -> dict[str, str]:
    return {"Authorization": f"Bearer {credentials.create(account, service, scope=scope)[1]}"}


def test_a_key_publishes_changes_and_deletes(client: Client, alice: Account, key: dict[str, str]) -> None:
    assert client.get("/profile", headers=key).json == success({"nickname": "Alice"}, logged_in=True)
    assert client.post("/packages", headers=key, json=package(owners=["alice"])).status == 201
    assert client.request("PATCH", "/packages/thing", headers=key, json={"name": "other"}).status == 204
    assert client.request("DELETE", "/packages/other", headers=key).status == 204
    actions = [
        entry.action for entry in audit.entries(int(alice.id)) if entry.credential_id == 1 and entry.by_account_id
    ]
    assert sorted(actions) == ["package.create", "package.delete", "package.update"]


@pytest.mark.parametrize("header_value", ["Bearer nonsense", "Bearer", "Basic QWxpY2U6d29uZGVybGFuZA==", "bearer é"])
def test_an_invalid_key_is_ignored(client: Client, alice: Account, header_value: str) -> None:
    reply = client.post("/packages", headers={"Authorization": header_value}, json=package())
    assert (reply.status, reply.json) == (403, refusal(403, "Unauthorized: create_package failed permission check"))


def test_a_revoked_key_or_another_secret_is_ignored(client: Client, alice: Account) -> None:
    revoked = header(alice)
    credentials.revoke(credentials.find(1))
    session = {"Authorization": f"Bearer {credentials.create(alice, credentials.SESSION)[1]}"}
    for headers in (revoked, header(alice, service="luarocks"), session):
        assert client.get("/profile", headers=headers).json["data"] == {}


def test_a_key_in_a_cookie_is_ignored(client: Client, key: dict[str, str]) -> None:
    cookie = {"Cookie": "auth_tkt=" + key["Authorization"].removeprefix("Bearer ")}
    assert client.get("/profile", headers=cookie).json["data"] == {}


def test_a_read_only_key_cannot_write(client: Client, alice: Account) -> None:
    headers = header(alice, "read")
    assert client.get("/packages", headers=headers).json["logged_in"] is True
    reply = client.post("/packages", headers=headers, json=package())
    expected = refusal(403, "This key may not do that: its scope is read.", logged_in=True)
    assert (reply.status, reply.json) == (403, expected)
    assert client.post("/hel/files", query="name=x", headers=headers, body=b"x").json == expected
    assert stored() == []


def test_a_key_for_one_package_cannot_write_others(client: Client, alice: Account) -> None:
    headers = header(alice, "package:thing")
    expected = refusal(403, "This key may not do that: its scope is package:thing.", logged_in=True)
    assert client.post("/packages", headers=headers, json=package("other")).json == expected
    assert client.post("/packages", headers=headers, json=package(owners=["alice"])).status == 201
    client.post("/packages", headers=header(alice), json=package("other", owners=["alice"]))
    assert client.request("PATCH", "/packages/other", headers=headers, json={}).json == expected
    assert client.request("DELETE", "/packages/other", headers=headers).json == expected
    assert client.request("PATCH", "/packages/thing", headers=headers, json={"name": "moved"}).json == expected
    assert client.request("PATCH", "/packages/thing", headers=headers, json={"license": "MIT"}).status == 204
    assert client.request("DELETE", "/packages/thing", headers=headers).status == 204
    assert list_packages(client) == ["other"]


def test_a_suspended_accounts_key_is_ignored(client: Client, alice: Account, key: dict[str, str]) -> None:
    accounts.suspend(alice)
    assert client.get("/profile", headers=key).json == success({})
