"""Sessions, password and e-mail address: which changes end sessions, and which need the password."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import audit
from chalicelib.core.caller import Device
from chalicelib.core.identity import accounts, credentials, sessions
from chalicelib.core.tables import Account
from tests.account.person import LogIn, Person, nothing_stored, refused
from tests.client import Client

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENDED = "Your session has ended: log in again."
NOT_YOURS = "This is not your password."


def test_sessions_are_listed_with_address_client_and_times(client: Client, alice: Account) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        first, _ = sessions.open_session(alice, None, Device("198.51.100.1", "Mozilla/5.0 <b>"))
        clock.shift(60)
        second, secret = sessions.open_session(alice, None, Device("203.0.113.7", "curl/8 " + "x" * 300))
        clock.shift(60)
        reply = Person(client, secret).get("/sessions")
    assert reply.json == {
        "sessions": [
            {
                "id": first.id,
                "address": "198.51.100.1",
                "user_agent": "Mozilla/5.0 <b>",
                "created_at": "2026-03-01T12:00:00Z",
                "last_used_at": None,
                "expires_at": "2026-03-31T12:00:00Z",
                "current": False,
            },
            {
                "id": second.id,
                "address": "203.0.113.7",
                "user_agent": "curl/8 " + "x" * 248,
                "created_at": "2026-03-01T12:01:00Z",
                "last_used_at": "2026-03-01T12:02:00Z",
                "expires_at": "2026-03-31T12:01:00Z",
                "current": True,
            },
        ]
    }


def test_one_session_is_ended(alice_client: Person, logged_in: LogIn, alice: Account) -> None:
    other = logged_in(alice)
    number = other.get("/me").json["session"]
    assert alice_client.delete(f"/sessions/{number}").status == 204
    refused(other.get("/me"), 401, ENDED)
    assert [one["current"] for one in alice_client.get("/sessions").json["sessions"]] == [True]


@pytest.mark.parametrize("number", ["99", "0", "x", "-1", "9" * 30, "%00", "1e3", "%D9%A3"])
def test_an_unknown_session_is_not_found(alice_client: Person, number: str) -> None:
    assert alice_client.delete(f"/sessions/{number}").status == 404


def test_only_own_sessions_can_be_ended(alice_client: Person, logged_in: LogIn, alice: Account, bob: Account) -> None:
    theirs = logged_in(bob)
    key, _ = credentials.create(alice, "hel")
    for number in (theirs.get("/me").json["session"], int(key.id)):
        with nothing_stored():
            refused(alice_client.delete(f"/sessions/{number}"), 404, f"There is no session {number}.")
    assert theirs.get("/me").status == 200


def test_all_other_sessions_are_ended_together(
    alice_client: Person, logged_in: LogIn, alice: Account, calls: list[str]
) -> None:
    others = [logged_in(alice) for _ in range(3)]
    alice_client.get("/me")
    calls.clear()
    assert alice_client.delete("/sessions").status == 204
    assert calls == ["UpdateItem", "GetItem", "TransactWriteItems"]
    for other in others:
        refused(other.get("/me"), 401, ENDED)
    assert alice_client.get("/me").status == 200
    assert next(audit.entries(int(alice.id))).action == "session.end-all"


def test_a_new_password_ends_all_other_sessions_and_leaves_keys(
    client: Client, alice_client: Person, logged_in: LogIn, alice: Account, key: str
) -> None:
    other = logged_in(alice)
    reply = alice_client.put("/password", {"current_password": "wonderland", "password": "white rabbit"})
    assert (reply.status, reply.body) == (204, b"")
    assert alice_client.get("/me").status == 200
    refused(other.get("/me"), 401, ENDED)
    assert client.get(f"/api/1/{key}/status").status == 200
    assert accounts.log_in("alice", "white rabbit").username == "Alice"
    entry = next(audit.entries(int(alice.id)))
    assert (entry.action, entry.by_account_id) == ("account.password", alice.id)


def test_a_log_in_that_began_with_the_old_password_gets_an_invalid_session(
    client: Client, alice_client: Person, alice: Account
) -> None:
    meanwhile = sessions.prove_password("alice", "wonderland", Device("", ""))
    alice_client.put("/password", {"current_password": "wonderland", "password": "white rabbit"})
    _, secret = sessions.open_session(meanwhile, None, Device("", ""))
    refused(Person(client, secret).get("/me"), 401, ENDED)


@pytest.mark.parametrize(
    ("data", "status", "message", "field"),
    [
        ({"current_password": "x", "password": "white rabbit"}, 403, NOT_YOURS, "current_password"),
        ({"current_password": "wonderland", "password": "short"}, 400,
         "A password has at least 8 characters.", "password"),
        ({"current_password": "wonderland", "password": "alice@example.org"}, 400,
         "A password is neither your username nor your e-mail address.", "password"),
        ({"password": "white rabbit"}, 400, "current_password is missing.", "current_password"),
        ({"current_password": "wonderland"}, 400, "password is missing.", "password"),
        ({"current_password": {"$ne": ""}, "password": "white rabbit"}, 400,
         "current_password must be a JSON string.", "current_password"),
    ],
)  # fmt: skip
def test_a_rejected_password_change_changes_nothing(
    alice_client: Person, logged_in: LogIn, alice: Account, data: dict[str, Any], status: int, message: str, field: str
) -> None:
    other = logged_in(alice)
    with nothing_stored():
        refused(alice_client.put("/password", data), status, message, field)
    assert other.get("/me").status == 200
    assert accounts.log_in("alice", "wonderland")


def test_password_guesses_with_a_stolen_session_are_limited(
    alice_client: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 2)
    with time_machine.travel(MOMENT, tick=False):
        for _ in range(2):
            reply = alice_client.put("/password", {"current_password": "x", "password": "white rabbit"})
            refused(reply, 403, NOT_YOURS, "current_password")
        reply = alice_client.put("/password", {"current_password": "wonderland", "password": "white rabbit"})
    refused(reply, 429, "Too many attempts to log in, try again later.")
    assert accounts.log_in("alice", "wonderland")


def test_the_email_address_is_changed_with_the_password(alice_client: Person, alice: Account) -> None:
    reply = alice_client.put("/email", {"password": "wonderland", "email": "liddell@example.org"})
    assert (reply.status, alice_client.get("/me").json["email"]) == (204, "liddell@example.org")
    assert accounts.create("carol", "ALICE@example.org").email == "ALICE@example.org"
    assert next(audit.entries(int(alice.id))).action == "account.email"


def test_the_case_of_the_address_can_be_changed(alice_client: Person, bob: Account) -> None:
    assert alice_client.put("/email", {"password": "wonderland", "email": "Alice@Example.org"}).status == 204
    reply = alice_client.put("/email", {"password": "wonderland", "email": "bob@EXAMPLE.org"})
    refused(reply, 409, "This e-mail address is in use.", "email")
    assert alice_client.get("/me").json["email"] == "Alice@Example.org"


@pytest.mark.parametrize(
    ("data", "status", "message", "field"),
    [
        ({"password": "x", "email": "liddell@example.org"}, 403, NOT_YOURS, "password"),
        ({"password": "wonderland", "email": "bob@example.org"}, 409, "This e-mail address is in use.", "email"),
        ({"password": "wonderland", "email": "<i>@x"}, 400, "This is not an e-mail address.", "email"),
        ({"password": "wonderland", "email": "a\u202e@x"}, 400, "This is not an e-mail address.", "email"),
    ],
)  # fmt: skip
def test_a_rejected_address_change_changes_nothing(
    alice_client: Person, bob: Account, data: dict[str, Any], status: int, message: str, field: str
) -> None:
    alice_client.get("/me")
    with nothing_stored():
        refused(alice_client.put("/email", data), status, message, field)


def test_a_suspended_account_gets_an_error(alice_client: Person, alice: Account) -> None:
    accounts.suspend(alice)
    refused(alice_client.get("/me"), 403, "Your account has been suspended.")


def test_a_user_can_disable_luadns_and_with_self_service_enable_it(alice_client: Person, alice: Account) -> None:
    message = "Only an administrator can enable LuaDNS' API here."
    with nothing_stored():
        refused(alice_client.put("/luadns", {"enabled": True}), 403, message)
    accounts.switch(alice, "luadns_enabled", True)
    assert alice_client.put("/luadns", {"enabled": False}).status == 204
    assert alice_client.get("/me").json["luadns"] is False
    with settings.override(luadns_self_service=True):
        assert alice_client.put("/luadns", {"enabled": True}).status == 204
    assert alice_client.get("/me").json["luadns"] is True


def test_an_administrator_can_enable_luadns_for_themselves(root: Person) -> None:
    assert root.put("/luadns", {"enabled": True}).status == 204
    assert root.get("/me").json["luadns"] is True
