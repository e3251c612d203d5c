"""Log-in and log-out: in one step and in two, by cookie and for scripts, and limits of guessing."""

from datetime import UTC, datetime

import pyotp
import pytest
import time_machine

from chalicelib import settings
from chalicelib.account import csrf
from chalicelib.core import audit
from chalicelib.core.caller import Device
from chalicelib.core.errors import TooMany, Unauthenticated
from chalicelib.core.identity import accounts, credentials, sessions, two_factor
from chalicelib.core.tables import Account
from tests.account.person import LogIn, Person, nothing_stored, refused
from tests.client import Client, Reply

MOMENT = datetime(2026, 3, 1, 12, 0, 15, tzinfo=UTC)
WRONG = "Wrong username or password."


def log_in(visitor: Person, username: str = "alice", password: str = "wonderland", **more: str) -> Reply:
    return visitor.post("/log-in", {"username": username, "password": password, **more})


def test_log_in_opens_a_session_for_browsers_and_scripts(client: Client, visitor: Person, alice: Account) -> None:
    with time_machine.travel(MOMENT, tick=False):
        reply = log_in(visitor)
        secret = reply.json["session"]
        assert (reply.status, reply.json) == (
            200,
            {
                "username": "Alice",
                "session": secret,
                "csrf_token": csrf.token_for(secret),
                "expires_at": "2026-03-31T12:00:15Z",
            },
        )
        assert reply.header("cache-control") == "no-store"
        cookie, *attributes = str(reply.header("set-cookie")).split("; ")
        assert cookie == f"moonbase_session={secret}"
        assert attributes == ["Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Lax"]
        by_cookie, by_token = Person(client, secret).get("/me"), Person(client, secret, by_cookie=False).get("/me")
    expected = {
        "username": "Alice",
        "email": "alice@example.org",
        "email_confirmed": False,
        "rank": "MEMBER",
        "two_factor": False,
        "two_factor_for_uploads": False,
        "luadns": False,
        "session": 1,
    }
    created = {"created_at": by_cookie.json["created_at"]}
    assert (by_cookie.status, by_cookie.json) == (200, {**expected, **created, "csrf_token": csrf.token_for(secret)})
    assert (by_token.status, by_token.json) == (200, {**expected, **created, "csrf_token": None})


def test_over_https_the_cookie_is_bound_to_this_host(client: Client, visitor: Person, alice: Account) -> None:
    with settings.override(base_url="https://moonbase.test"):
        reply = log_in(visitor)
        secret = reply.json["session"]
        cookie, *attributes = str(reply.header("set-cookie")).split("; ")
        assert cookie == f"__Host-moonbase_session={secret}"
        assert attributes == ["Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Lax", "Secure"]
        here, planted = {"Cookie": f"__Host-moonbase_session={secret}"}, {"Cookie": f"moonbase_session={secret}"}
        assert visitor.get("/me", headers=here).status == 200
        assert visitor.get("/me", headers=planted).status == 401


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("alice", "Wonderland"),
        ("unknown", "wonderland"),
        ("alice", ""),
        ("a b", "x"),
        ("x" * 5000, "x"),
        ("al\0ce", "x"),
    ],
)
def test_a_wrong_password_and_an_unknown_user_get_the_same_error(
    visitor: Person, alice: Account, username: str, password: str
) -> None:
    with nothing_stored():
        reply = log_in(visitor, username, password)
    refused(reply, 401, WRONG)
    assert reply.header("set-cookie") is None


def test_an_unknown_user_costs_the_same_work(visitor: Person, alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    from argon2 import PasswordHasher

    verified: list[str] = []
    verify = PasswordHasher.verify

    def count(self: PasswordHasher, hashed: str, password: str) -> bool:
        verified.append(hashed.rpartition("$")[0].rpartition("$")[0])
        return verify(hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", count)
    log_in(visitor, "unknown", "x")
    log_in(visitor, "alice", "x")
    assert len(verified) == 2
    assert verified[0] == verified[1]


def test_a_suspension_is_shown_only_with_the_right_password(visitor: Person, alice: Account) -> None:
    accounts.suspend(alice)
    refused(log_in(visitor), 403, "Your account has been suspended.")
    refused(log_in(visitor, password="wrong"), 401, WRONG)


def test_a_session_planted_before_log_in_is_invalid_after_it(client: Client, alice: Account) -> None:
    planted = "p" * 40
    person = Person(client, planted)
    reply = person.post("/log-in", {"username": "alice", "password": "wonderland"})
    assert (reply.status, reply.json["session"] == planted) == (200, False)
    refused(person.get("/me"), 401, "Your session has ended: log in again.")


def test_every_log_in_opens_a_new_session(visitor: Person, alice: Account) -> None:
    first, second = log_in(visitor).json["session"], log_in(visitor).json["session"]
    assert first != second


def test_a_session_expires_after_thirty_days_even_if_it_is_used(client: Client, alice: Account) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        person = Person(client, log_in(Person(client)).json["session"])
        for _ in range(30):
            assert person.get("/me").status == 200
            clock.shift(86_400)
        reply = person.get("/me")
    refused(reply, 401, "Your session has ended: log in again.")
    assert reply.header("www-authenticate") == "Bearer"


def test_log_out_ends_the_session_and_deletes_the_cookie(
    visitor: Person, alice_client: Person, logged_in: LogIn, alice: Account
) -> None:
    elsewhere = logged_in(alice)
    reply = alice_client.post("/log-out")
    assert (reply.status, reply.body) == (204, b"")
    assert reply.header("set-cookie") == "moonbase_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    refused(alice_client.get("/me"), 401, "Your session has ended: log in again.")
    assert elsewhere.get("/me").status == 200
    refused(visitor.post("/log-out"), 401, "Log in first.")


@pytest.mark.parametrize("service", [*credentials.services(), credentials.LOG_IN, credentials.SECOND_FACTOR])
def test_keys_and_tickets_are_not_sessions(client: Client, alice: Account, service: str) -> None:
    secret = credentials.create(alice, service)[1]
    for by_cookie in (True, False):
        refused(Person(client, secret, by_cookie=by_cookie).get("/me"), 401, "Your session has ended: log in again.")


def test_a_banned_account_logs_in_and_out_and_only_reads(client: Client, alice: Account) -> None:
    alice.update(actions=[Account.rank.set("BANNED")])
    person = Person(client, log_in(Person(client)).json["session"])
    assert person.get("/keys").status == 200
    refused(person.post("/keys", {"service": "hel"}), 403, "Your account has been banned")
    assert person.post("/log-out").status == 204


@pytest.mark.parametrize(
    "data",
    [{}, {"username": "alice"}, {"password": "wonderland"}, {"code": "123456"}, {"username": None, "password": "x"}],
)
def test_a_missing_field_is_an_error(visitor: Person, alice: Account, data: dict[str, object]) -> None:
    with nothing_stored():
        refused(visitor.post("/log-in", data), 400, "Send username and password, or ticket and code.")


def test_with_a_second_factor_log_in_accepts_a_code_in_one_step(visitor: Person, alice: Account) -> None:
    with time_machine.travel(MOMENT, tick=False):
        enrolment = two_factor.enable(alice)
        code = pyotp.TOTP(enrolment.secret).at(MOMENT)
        assert log_in(visitor, code=code).status == 200
        refused(log_in(visitor, code=code), 401, "Invalid verification code", "code")
    assert log_in(visitor, code=enrolment.recovery_codes[0]).status == 200


def test_with_a_second_factor_log_in_has_two_steps(client: Client, visitor: Person, alice: Account) -> None:
    code = two_factor.enable(alice).recovery_codes[0]
    first = log_in(visitor)
    assert (first.status, first.json) == (202, {"ticket": first.json["ticket"], "expires_in": 600})
    assert first.header("set-cookie") is None
    second = visitor.post("/log-in", {"ticket": first.json["ticket"], "code": code})
    assert second.status == 200
    assert Person(client, second.json["session"]).get("/me").json["two_factor"] is True


def test_tickets_and_codes_are_valid_once(visitor: Person, alice: Account) -> None:
    codes = two_factor.enable(alice).recovery_codes
    ticket = log_in(visitor).json["ticket"]
    assert visitor.post("/log-in", {"ticket": ticket, "code": codes[0]}).status == 200
    again = visitor.post("/log-in", {"ticket": ticket, "code": codes[1]})
    refused(again, 401, "Log in with your password again: it took too long, or something has changed.")
    ticket = log_in(visitor).json["ticket"]
    refused(visitor.post("/log-in", {"ticket": ticket, "code": codes[0]}), 401, "Invalid verification code", "code")
    assert visitor.post("/log-in", {"ticket": ticket, "code": codes[1]}).status == 200


def test_a_ticket_without_a_code_opens_no_session(visitor: Person, alice: Account) -> None:
    two_factor.enable(alice)
    ticket = log_in(visitor).json["ticket"]
    with nothing_stored():
        for code in ({}, {"code": ""}, {"code": None}):
            reply = visitor.post("/log-in", {"ticket": ticket, **code})
            refused(reply, 401, "This account uses two-factor authentication.", "code")


def test_guesses_of_a_code_are_limited(visitor: Person, alice: Account) -> None:
    code = two_factor.enable(alice).recovery_codes[0]
    with time_machine.travel(MOMENT, tick=False):
        ticket = log_in(visitor).json["ticket"]
        for _ in range(5):
            reply = visitor.post("/log-in", {"ticket": ticket, "code": "000000"})
            refused(reply, 401, "Invalid verification code", "code")
        reply = visitor.post("/log-in", {"ticket": ticket, "code": code})
    refused(reply, 429, "Too many failed attempts, try again later")
    assert reply.header("retry-after") == "300"


def test_a_ticket_expires_after_ten_minutes(visitor: Person, alice: Account) -> None:
    code = two_factor.enable(alice).recovery_codes[0]
    with time_machine.travel(MOMENT, tick=False) as clock:
        ticket = log_in(visitor).json["ticket"]
        clock.shift(600)
        assert visitor.post("/log-in", {"ticket": ticket, "code": code}).status == 401


def test_a_new_password_invalidates_tickets(visitor: Person, alice: Account) -> None:
    code = two_factor.enable(alice).recovery_codes[0]
    ticket = log_in(visitor).json["ticket"]
    accounts.set_password(alice, "white rabbit")
    assert visitor.post("/log-in", {"ticket": ticket, "code": code}).status == 401


def test_a_wrong_password_does_not_reveal_a_second_factor(visitor: Person, alice: Account) -> None:
    two_factor.enable(alice)
    refused(log_in(visitor, password="x"), 401, WRONG)
    refused(log_in(visitor, password="x", code="123456"), 401, WRONG)


@pytest.mark.parametrize("ticket", ["x", "t" * 40, "\0", "t" * 60_000])
def test_a_forged_ticket_is_rejected(visitor: Person, ticket: str) -> None:
    reply = visitor.post("/log-in", {"ticket": ticket, "code": "123456"})
    refused(reply, 401, "Log in with your password again: it took too long, or something has changed.")


def test_log_in_attempts_per_account_are_limited(
    visitor: Person, alice: Account, bob: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 3)
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        for username in ("alice", "ALICE", "Alice"):
            refused(log_in(visitor, username, "x"), 401, WRONG)
        reply = log_in(visitor)
        refused(reply, 429, "Too many attempts to log in, try again later.")
        assert reply.header("retry-after") == "300"
        assert log_in(visitor, "bob", "builder").status == 200
        clock.shift(300)
        assert log_in(visitor).status == 200


def test_other_networks_do_not_lock_out_a_familiar_one(
    client: Client, visitor: Person, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 3)
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False):
        assert log_in(visitor).status == 200  # from 203.0.113.7, like all requests of this client
        stranger = Device("198.51.100.1", "")
        for _ in range(3):
            with pytest.raises(Unauthenticated):
                sessions.prove_password("alice", "x", stranger)
        with pytest.raises(TooMany):
            sessions.prove_password("alice", "wonderland", stranger)
        assert log_in(visitor).status == 200
        for _ in range(5):
            log_in(visitor, password="x")
        refused(log_in(visitor), 429, "Too many attempts to log in, try again later.")


def test_log_in_attempts_per_address_are_limited(
    visitor: Person, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS_OF_ADDRESS", 2)
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False):
        for username in ("unknown", "unknown-too"):
            refused(log_in(visitor, username, "x"), 401, WRONG)
        refused(log_in(visitor), 429, "Too many attempts to log in, try again later.")


def test_an_open_session_works_during_guessing(
    visitor: Person, alice_client: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 1)
    for _ in range(3):
        log_in(visitor, password="x")
    assert alice_client.get("/me").status == 200


def test_a_log_in_is_in_the_activity_log_with_address_and_client(visitor: Person, alice: Account) -> None:
    visitor.post("/log-in", {"username": "alice", "password": "wonderland"}, headers={"User-Agent": "curl/8"})
    entry = next(audit.entries(int(alice.id)))
    detail = {"address": "203.0.113.7", "user_agent": "curl/8"}
    assert (entry.action, entry.subject, entry.detail) == ("session.create", "credential#1", detail)


def test_a_log_in_costs_nine_calls_and_from_a_new_device_ten(visitor: Person, alice: Account, calls: list[str]) -> None:
    accounts.log_in("alice", "wonderland")
    calls.clear()
    log_in(visitor)
    proof = ["UpdateItem", "UpdateItem", "GetItem", "GetItem", "DeleteItem", "PutItem"]
    assert calls == [*proof, "UpdateItem", "GetItem", "Query", "TransactWriteItems"]
    calls.clear()
    log_in(visitor)
    assert calls == [*proof, "UpdateItem", "GetItem", "TransactWriteItems"]


def test_me_costs_two_calls(alice_client: Person, calls: list[str]) -> None:
    calls.clear()
    alice_client.get("/me")
    assert calls == ["UpdateItem", "GetItem"]
