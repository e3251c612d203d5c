"""Keys of every service: created, shown once, used, listed and revoked."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from chalicelib.account import keys
from chalicelib.core import audit
from chalicelib.core.identity import credentials, two_factor, upload_factor
from chalicelib.core.tables import Account
from tests.account.person import LogIn, Person, nothing_stored, refused
from tests.client import Client
from tests.worlds import both_worlds, embedded_only

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCOPES = {"luarocks": "module:say", "contentdb": "package:Alice/mod", "hel": "package:thing", "luadns": "zone:a.test"}


@pytest.mark.parametrize("service", credentials.services())
@both_worlds
def test_a_key_is_shown_once_and_is_valid(alice_client: Person, alice: Account, service: str) -> None:
    with time_machine.travel(MOMENT, tick=False):
        request = {"service": service, "scope": SCOPES[service], "expires_in_days": 30, "comment": "CI <b>✓</b>"}
        reply = alice_client.post("/keys", request)
        row = {
            "id": reply.json["id"],
            "service": service,
            "scope": SCOPES[service],
            "comment": "CI <b>✓</b>",
            "created_at": "2026-03-01T12:00:00Z",
            "expires_at": "2026-03-31T12:00:00Z",
            "last_used_at": None,
            "revoked_at": None,
            "upload_window_until": None,
        }
        secret = reply.json["key"]
        assert (reply.status, reply.json) == (201, {**row, "key": secret})
        assert alice_client.get("/keys").json == {"keys": [row]}
        assert credentials.identify(secret, service).account.id == alice.id
        assert alice_client.get("/keys").json == {"keys": [{**row, "last_used_at": "2026-03-01T12:00:00Z"}]}


def test_only_the_service_of_a_key_is_required(alice_client: Person) -> None:
    given = alice_client.post("/keys", {"service": "hel"}).json
    nothing = {"scope": None, "comment": "", "expires_at": None}
    assert {name: given[name] for name in nothing} == nothing
    nulls = {"service": "hel", "scope": None, "expires_in_days": None, "comment": None}
    assert alice_client.post("/keys", nulls).json["scope"] is None


def test_luarocks_accepts_a_created_key(client: Client, alice_client: Person) -> None:
    secret = alice_client.post("/keys", {"service": "luarocks"}).json["key"]
    assert client.get(f"/api/1/{secret}/status").status == 200


@embedded_only
@pytest.mark.parametrize(
    ("data", "message", "field"),
    [
        ({}, "service is missing.", "service"),
        ({"service": "session"}, "service must be one of: luarocks, contentdb, luadns, hel.", "service"),
        ({"service": 1}, "service must be a JSON string.", "service"),
        ({"service": "hel", "scope": "all"}, "The scope of a key for hel is read or package:NAME.", "scope"),
        ({"service": "hel", "scope": ""}, "The scope of a key for hel is read or package:NAME.", "scope"),
        ({"service": "hel", "scope": "package:a\0"}, "The scope of a key for hel is read or package:NAME.", "scope"),
        ({"service": "hel", "scope": "x" * 60_000}, "The scope of a key for hel is read or package:NAME.", "scope"),
        ({"service": "hel", "scopes": "read"},
         "There is no field 'scopes' here; there are: service, scope, expires_in_days, comment.", None),
        ({"service": "hel", "expires_in_days": 0}, "expires_in_days must be from 1 to 36500.", "expires_in_days"),
        ({"service": "hel", "expires_in_days": 36501}, "expires_in_days must be from 1 to 36500.", "expires_in_days"),
        ({"service": "hel", "expires_in_days": "30"}, "expires_in_days must be a JSON integer.", "expires_in_days"),
        ({"service": "hel", "expires_in_days": True}, "expires_in_days must be a JSON integer.", "expires_in_days"),
        ({"service": "hel", "expires_in_days": 1.5}, "expires_in_days must be a JSON integer.", "expires_in_days"),
        ({"service": "hel", "comment": "x" * 256}, "A comment has at most 255 characters.", "comment"),
        ({"service": "hel", "comment": "a\0b"}, "A comment has no control characters.", "comment"),
    ],
)  # fmt: skip
def test_an_invalid_key_is_an_error_and_not_stored(
    alice_client: Person, data: dict[str, Any], message: str, field: str | None
) -> None:
    with nothing_stored():
        refused(alice_client.post("/keys", data), 400, message, field)


def test_a_body_of_a_megabyte_is_rejected(alice_client: Person) -> None:
    with nothing_stored():
        reply = alice_client.post("/keys", {"service": "hel", "comment": "x" * 1_000_000})
    refused(reply, 413, "The request is larger than 65536 bytes.")


@both_worlds
def test_a_revoked_key_is_invalid_and_still_listed(client: Client, alice_client: Person, alice: Account) -> None:
    made = alice_client.post("/keys", {"service": "luarocks"}).json
    reply = alice_client.delete(f"/keys/{made['id']}")
    assert (reply.status, reply.body) == (204, b"")
    assert client.get(f"/api/1/{made['key']}/status").status == 403
    (row,) = alice_client.get("/keys").json["keys"]
    assert row["revoked_at"] is not None
    entry = next(audit.entries(int(alice.id)))
    assert (entry.action, entry.subject) == ("luarocks.revoke", f"credential#{made['id']}")


def test_other_accounts_keys_cannot_be_read_or_revoked(
    client: Client, alice_client: Person, logged_in: LogIn, bob: Account
) -> None:
    made = logged_in(bob).post("/keys", {"service": "luarocks"}).json
    assert alice_client.get("/keys").json == {"keys": []}
    with nothing_stored():
        refused(alice_client.delete(f"/keys/{made['id']}"), 404, f"There is no key {made['id']}.")
    assert client.get(f"/api/1/{made['key']}/status").status == 200


def test_a_session_is_not_listed_or_revoked_as_a_key(alice_client: Person) -> None:
    number = alice_client.get("/me").json["session"]
    refused(alice_client.delete(f"/keys/{number}"), 404, f"There is no key {number}.")


@embedded_only
def test_the_number_of_live_keys_is_limited(alice_client: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST", 2)
    first = alice_client.post("/keys", {"service": "hel"}).json
    assert alice_client.post("/keys", {"service": "luadns"}).status == 201
    with nothing_stored():
        reply = alice_client.post("/keys", {"service": "hel"})
    refused(reply, 409, "An account has at most 2 keys: revoke unused ones first.")
    alice_client.delete(f"/keys/{first['id']}")
    assert alice_client.post("/keys", {"service": "hel"}).status == 201


def test_keys_need_a_session(visitor: Person) -> None:
    with nothing_stored():
        for reply in (visitor.get("/keys"), visitor.post("/keys", {"service": "hel"}), visitor.delete("/keys/1")):
            refused(reply, 401, "Log in first.")


def test_a_window_lets_one_key_upload_for_fifteen_minutes(alice_client: Person, alice: Account) -> None:
    codes = two_factor.enable(alice, required_for_uploads=True).recovery_codes
    script = credentials.create(alice, credentials.SESSION)[1]
    alice_client = Person(alice_client.client, script)
    made = alice_client.post("/keys", {"service": "luarocks"}).json
    path = f"/keys/{made['id']}/upload-window"
    with time_machine.travel(MOMENT, tick=False):
        reply = alice_client.put(path, {"code": codes[0]})
        assert (reply.status, reply.json) == (200, {"upload_window_until": "2026-03-01T12:15:00Z"})
        assert alice_client.get("/keys").json["keys"][0]["upload_window_until"] == "2026-03-01T12:15:00Z"
        upload_factor.require(credentials.identify(made["key"], "luarocks"), None)
        assert "two-factor.open-window" in {entry.action for entry in audit.entries(int(alice.id))}
        refused(alice_client.put(path, {"code": codes[0]}), 403, "Invalid verification code", "code")
        assert alice_client.delete(path).status == 204
        assert alice_client.get("/keys").json["keys"][0]["upload_window_until"] is None


def test_no_window_opens_without_two_factor_or_for_another_service(alice_client: Person) -> None:
    rock, package = (alice_client.post("/keys", {"service": service}).json["id"] for service in ("luarocks", "hel"))
    with nothing_stored():
        reply = alice_client.put(f"/keys/{rock}/upload-window", {"code": "123456"})
        refused(reply, 409, "Two-factor authentication is not enabled on this account")
        reply = alice_client.put(f"/keys/{package}/upload-window", {"code": "123456"})
        refused(reply, 404, f"There is no key {package}.")
