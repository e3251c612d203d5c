"""One's own second factor: inactive until a code confirms it, and no code is valid twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import time_machine

from chalicelib.core import accounts, audit, credentials, two_factor
from chalicelib.core.tables import Account, Enrolling, TwoFactor
from tests.account.person import LogIn, Person, nothing_stored, refused
from tests.worlds import both_worlds

pytestmark = both_worlds

Clock = time_machine.Traveller
MOMENT = datetime(2026, 3, 1, 12, 0, 15, tzinfo=UTC)
OFF = "Two-factor authentication is not enabled on this account"
NOT_YOURS = "This is not your password."
WRONG = "Invalid verification code"


@pytest.fixture(autouse=True)
def clock() -> Iterator[Clock]:
    """A clock that stands still until it is moved."""
    with time_machine.travel(MOMENT, tick=False) as travelled:
        yield travelled


def code_of(secret: str) -> str:
    return pyotp.TOTP(secret).at(datetime.now(UTC))


def enrol(person: Person, **more: Any) -> tuple[str, list[str]]:
    """Turn two-factor on; returns the secret, whose current code is used, and the recovery codes."""
    secret = person.post("/two-factor").json["secret"]
    reply = person.post("/two-factor/confirm", {"password": "wonderland", "code": code_of(secret), **more})
    assert reply.status == 200, reply.json
    return secret, reply.json["recovery_codes"]


def state(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = person.get("/two-factor").json
    return found


def test_a_new_secret_is_not_in_force(at_home: Person, alice: Account) -> None:
    reply = at_home.post("/two-factor")
    secret = reply.json["secret"]
    uri = f"otpauth://totp/Moonbase:Alice?secret={secret}&issuer=Moonbase"
    assert (reply.status, reply.json) == (201, {"secret": secret, "uri": uri})
    assert reply.header("cache-control") == "no-store"
    assert state(at_home) == {"enabled": False, "for_uploads": False, "recovery_codes_left": 0}
    assert accounts.get(int(alice.id)).two_factor is None
    assert secret not in str(Enrolling.get(alice.pk, "enrolling").to_dynamodb_dict())


def test_a_code_puts_it_in_force_and_ends_other_sessions(at_home: Person, logged_in: LogIn, alice: Account) -> None:
    other = logged_in(alice)
    _, codes = enrol(at_home)
    assert len(set(codes)) == 8
    assert state(at_home) == {"enabled": True, "for_uploads": False, "recovery_codes_left": 8}
    refused(other.get("/me"), 401, "Your session has ended: log in again.")
    (entry,) = [entry for entry in audit.entries(int(alice.id)) if entry.action == "two-factor.enable"]
    assert (entry.by_account_id, entry.detail) == (alice.id, {"for_uploads": False})
    assert Enrolling.find(alice.pk, "enrolling") is None


def test_the_confirming_code_cannot_log_in(visitor: Person, at_home: Person, clock: Clock) -> None:
    secret, _ = enrol(at_home)
    entered = {"username": "alice", "password": "wonderland"}
    refused(visitor.post("/log-in", {**entered, "code": code_of(secret)}), 401, WRONG, "code")
    clock.shift(30)
    assert visitor.post("/log-in", {**entered, "code": code_of(secret)}).status == 200
    refused(visitor.post("/log-in", {**entered, "code": code_of(secret)}), 401, WRONG, "code")
    proof = {"password": "wonderland", "code": code_of(secret)}
    refused(at_home.post("/two-factor/disable", proof), 403, WRONG, "code")


@pytest.mark.parametrize(
    ("data", "status", "message", "field"),
    [
        ({"password": "x"}, 403, NOT_YOURS, "password"),
        ({"code": "000000"}, 403, WRONG, "code"),
        ({"code": ""}, 403, WRONG, "code"),
        ({"code": "0" * 60_000}, 403, WRONG, "code"),
        ({"code": "<b>\0"}, 403, WRONG, "code"),
        ({"code": 123456}, 400, "code must be a JSON string.", "code"),
        ({"code": None}, 400, "code is missing.", "code"),
        ({"for_uploads": "yes"}, 400, "for_uploads must be a JSON boolean.", "for_uploads"),
    ],
)
def test_a_failed_confirmation_changes_nothing(
    at_home: Person, logged_in: LogIn, alice: Account, data: dict[str, Any], status: int, message: str, field: str
) -> None:
    other = logged_in(alice)
    secret = at_home.post("/two-factor").json["secret"]
    other.get("/me")
    with nothing_stored():
        reply = at_home.post("/two-factor/confirm", {"password": "wonderland", "code": code_of(secret), **data})
    refused(reply, status, message, field)
    assert other.get("/me").status == 200


def test_a_secret_is_not_confirmed_after_an_hour_or_twice(at_home: Person, clock: Clock) -> None:
    told = "Request a new secret first: there is none to confirm."
    proof = {"password": "wonderland", "code": "123456"}
    refused(at_home.post("/two-factor/confirm", proof), 409, told)
    secret = at_home.post("/two-factor").json["secret"]
    clock.shift(3600)
    refused(at_home.post("/two-factor/confirm", {**proof, "code": code_of(secret)}), 409, told)
    enrol(at_home)
    on = "Two-factor authentication is on already: turn it off first."
    refused(at_home.post("/two-factor"), 409, on)
    refused(at_home.post("/two-factor/confirm", proof), 409, on)


def test_only_the_newest_secret_is_confirmed(at_home: Person) -> None:
    first, second = (at_home.post("/two-factor").json["secret"] for _ in range(2))
    proof = {"password": "wonderland", "code": code_of(first)}
    refused(at_home.post("/two-factor/confirm", proof), 403, WRONG, "code")
    assert at_home.post("/two-factor/confirm", {**proof, "code": code_of(second)}).status == 200


def test_uploads_ask_for_it_where_that_was_said(at_home: Person, clock: Clock) -> None:
    secret, codes = enrol(at_home, for_uploads=True)
    assert state(at_home)["for_uploads"] is True
    proof = {"password": "wonderland", "code": codes[0]}
    assert at_home.put("/two-factor/for-uploads", {**proof, "for_uploads": False}).status == 204
    assert state(at_home) == {"enabled": True, "for_uploads": False, "recovery_codes_left": 7}
    clock.shift(timedelta(seconds=30))
    proof = {"password": "wonderland", "code": code_of(secret)}
    assert at_home.put("/two-factor/for-uploads", {**proof, "for_uploads": True}).status == 204
    assert state(at_home)["for_uploads"] is True


def test_new_recovery_codes_take_the_place_of_the_old(at_home: Person, logged_in: LogIn, alice: Account) -> None:
    _, old = enrol(at_home)
    other = logged_in(alice)
    reply = at_home.post("/two-factor/recovery-codes", {"password": "wonderland", "code": old[0]})
    new = reply.json["recovery_codes"]
    assert (reply.status, len(new), set(new) & set(old)) == (200, 8, set())
    refused(other.get("/me"), 401, "Your session has ended: log in again.")
    assert "two-factor.recovery-codes" in {entry.action for entry in audit.entries(int(alice.id))}
    proof = {"password": "wonderland", "code": old[1]}
    refused(at_home.post("/two-factor/recovery-codes", proof), 403, WRONG, "code")
    assert at_home.post("/two-factor/recovery-codes", {**proof, "code": new[0]}).status == 200


def test_it_is_turned_off_with_password_and_code(at_home: Person, logged_in: LogIn, alice: Account) -> None:
    _, codes = enrol(at_home)
    other = logged_in(alice)
    reply = at_home.post("/two-factor/disable", {"password": "wonderland", "code": codes[0]})
    assert (reply.status, reply.body) == (204, b"")
    assert state(at_home) == {"enabled": False, "for_uploads": False, "recovery_codes_left": 0}
    assert TwoFactor.find(alice.pk, "two-factor") is None
    refused(other.get("/me"), 401, "Your session has ended: log in again.")
    assert "two-factor.disable" in {entry.action for entry in audit.entries(int(alice.id))}


@pytest.mark.parametrize("path", ["disable", "recovery-codes", "for-uploads"])
def test_changes_need_password_and_code(at_home: Person, path: str) -> None:
    _, codes = enrol(at_home)
    more = {"for_uploads": False} if path == "for-uploads" else {}
    method = "PUT" if more else "POST"
    with nothing_stored():
        proof = {"password": "x", "code": codes[0], **more}
        refused(at_home.send(method, f"/two-factor/{path}", json=proof), 403, NOT_YOURS, "password")
        proof = {"password": "wonderland", "code": "000000", **more}
        refused(at_home.send(method, f"/two-factor/{path}", json=proof), 403, WRONG, "code")


@pytest.mark.parametrize("path", ["disable", "recovery-codes"])
def test_changes_need_two_factor_to_be_on(at_home: Person, path: str) -> None:
    with nothing_stored():
        reply = at_home.post(f"/two-factor/{path}", {"password": "wonderland", "code": "123456"})
    refused(reply, 409, OFF)


def test_codes_are_not_guessed_for_long(at_home: Person) -> None:
    _, codes = enrol(at_home)
    for _ in range(5):
        proof = {"password": "wonderland", "code": "000000"}
        refused(at_home.post("/two-factor/disable", proof), 403, WRONG, "code")
    reply = at_home.post("/two-factor/disable", {"password": "wonderland", "code": codes[0]})
    refused(reply, 429, "Too many failed attempts, try again later")
    assert state(at_home)["enabled"] is True


def test_a_recovery_code_that_opened_a_session_is_used_up(visitor: Person, at_home: Person) -> None:
    _, codes = enrol(at_home)
    entered = {"username": "alice", "password": "wonderland", "code": codes[0]}
    assert visitor.post("/log-in", entered).status == 200
    proof = {"password": "wonderland", "code": codes[0]}
    refused(at_home.post("/two-factor/disable", proof), 403, WRONG, "code")


def test_tokens_of_luarocks_are_dead_after_it_is_turned_off(at_home: Person, alice: Account) -> None:
    _, codes = enrol(at_home, for_uploads=True)
    key = credentials.create(alice, "luarocks")[1]
    token, _ = two_factor.issue_token(credentials.identify(key, "luarocks"))
    at_home.post("/two-factor/disable", {"password": "wonderland", "code": codes[0]})
    enrol(at_home, for_uploads=True)
    with pytest.raises(two_factor.SecondFactorRequired):
        two_factor.require(credentials.identify(key, "luarocks"), token)
