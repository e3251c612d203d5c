"""One's own second factor: inactive until a code confirms it, and no code is valid twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import time_machine

from chalicelib.core import audit
from chalicelib.core.errors import SecondFactorRequired
from chalicelib.core.identity import accounts, credentials, upload_factor
from chalicelib.core.tables import Account, Enrolling, TwoFactor
from tests.account.person import LogIn, Person, nothing_stored, refused
from tests.worlds import both_worlds

Clock = time_machine.Traveller
MOMENT = datetime(2026, 3, 1, 12, 0, 15, tzinfo=UTC)
OFF = "Two-factor authentication is not enabled on this account"
NOT_YOURS = "This is not your password."
WRONG = "Invalid verification code"


@pytest.fixture(autouse=True)
def clock() -> Iterator[Clock]:
    """A clock that is stopped; tests shift it."""
    with time_machine.travel(MOMENT, tick=False) as travelled:
        yield travelled


def code_of(secret: str) -> str:
    return pyotp.TOTP(secret).at(datetime.now(UTC))


def enrol(person: Person, **more: Any) -> tuple[str, list[str]]:
    """Turn two-factor on; return the secret, whose current code is used, and the recovery codes."""
    secret = person.post("/two-factor").json["secret"]
    reply = person.post("/two-factor/confirm", {"password": "wonderland", "code": code_of(secret), **more})
    assert reply.status == 200, reply.json
    return secret, reply.json["recovery_codes"]


def state(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = person.get("/two-factor").json
    return found


@both_worlds
def test_a_new_secret_is_inactive(alice_client: Person, alice: Account) -> None:
    reply = alice_client.post("/two-factor")
    secret = reply.json["secret"]
    uri = f"otpauth://totp/Moonbase:Alice?secret={secret}&issuer=Moonbase"
    assert (reply.status, reply.json) == (201, {"secret": secret, "uri": uri})
    assert reply.header("cache-control") == "no-store"
    assert state(alice_client) == {"enabled": False, "for_uploads": False, "recovery_codes_left": 0}
    assert accounts.get(int(alice.id)).two_factor is None
    assert secret not in str(Enrolling.get(alice.pk, "enrolling").to_dynamodb_dict())


@both_worlds
def test_a_code_activates_the_secret_and_ends_other_sessions(
    alice_client: Person, logged_in: LogIn, alice: Account
) -> None:
    other = logged_in(alice)
    _, codes = enrol(alice_client)
    assert len(set(codes)) == 8
    assert state(alice_client) == {"enabled": True, "for_uploads": False, "recovery_codes_left": 8}
    refused(other.get("/me"), 401, "Your session has ended: log in again.")
    (entry,) = [entry for entry in audit.entries(int(alice.id)) if entry.action == "two-factor.enable"]
    assert (entry.by_account_id, entry.detail) == (alice.id, {"for_uploads": False})
    assert Enrolling.find(alice.pk, "enrolling") is None


@both_worlds
def test_the_confirming_code_cannot_log_in(visitor: Person, alice_client: Person, clock: Clock) -> None:
    secret, _ = enrol(alice_client)
    entered = {"username": "alice", "password": "wonderland"}
    refused(visitor.post("/log-in", {**entered, "code": code_of(secret)}), 401, WRONG, "code")
    clock.shift(30)
    assert visitor.post("/log-in", {**entered, "code": code_of(secret)}).status == 200
    refused(visitor.post("/log-in", {**entered, "code": code_of(secret)}), 401, WRONG, "code")
    proof = {"password": "wonderland", "code": code_of(secret)}
    refused(alice_client.post("/two-factor/disable", proof), 403, WRONG, "code")


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
    alice_client: Person, logged_in: LogIn, alice: Account, data: dict[str, Any], status: int, message: str, field: str
) -> None:
    other = logged_in(alice)
    secret = alice_client.post("/two-factor").json["secret"]
    other.get("/me")
    with nothing_stored():
        reply = alice_client.post("/two-factor/confirm", {"password": "wonderland", "code": code_of(secret), **data})
    refused(reply, status, message, field)
    assert other.get("/me").status == 200


def test_a_secret_is_not_confirmed_after_an_hour_or_twice(alice_client: Person, clock: Clock) -> None:
    message = "Request a new secret first: there is none to confirm."
    proof = {"password": "wonderland", "code": "123456"}
    refused(alice_client.post("/two-factor/confirm", proof), 409, message)
    secret = alice_client.post("/two-factor").json["secret"]
    clock.shift(3600)
    refused(alice_client.post("/two-factor/confirm", {**proof, "code": code_of(secret)}), 409, message)
    enrol(alice_client)
    on = "Two-factor authentication is on already: turn it off first."
    refused(alice_client.post("/two-factor"), 409, on)
    refused(alice_client.post("/two-factor/confirm", proof), 409, on)


def test_only_the_newest_secret_is_confirmed(alice_client: Person) -> None:
    first, second = (alice_client.post("/two-factor").json["secret"] for _ in range(2))
    proof = {"password": "wonderland", "code": code_of(first)}
    refused(alice_client.post("/two-factor/confirm", proof), 403, WRONG, "code")
    assert alice_client.post("/two-factor/confirm", {**proof, "code": code_of(second)}).status == 200


def test_the_requirement_for_uploads_can_be_changed(alice_client: Person, clock: Clock) -> None:
    secret, codes = enrol(alice_client, for_uploads=True)
    assert state(alice_client)["for_uploads"] is True
    proof = {"password": "wonderland", "code": codes[0]}
    assert alice_client.put("/two-factor/for-uploads", {**proof, "for_uploads": False}).status == 204
    assert state(alice_client) == {"enabled": True, "for_uploads": False, "recovery_codes_left": 7}
    clock.shift(timedelta(seconds=30))
    proof = {"password": "wonderland", "code": code_of(secret)}
    assert alice_client.put("/two-factor/for-uploads", {**proof, "for_uploads": True}).status == 204
    assert state(alice_client)["for_uploads"] is True


@both_worlds
def test_new_recovery_codes_replace_the_old_ones(alice_client: Person, logged_in: LogIn, alice: Account) -> None:
    _, old = enrol(alice_client)
    other = logged_in(alice)
    reply = alice_client.post("/two-factor/recovery-codes", {"password": "wonderland", "code": old[0]})
    new = reply.json["recovery_codes"]
    assert (reply.status, len(new), set(new) & set(old)) == (200, 8, set())
    refused(other.get("/me"), 401, "Your session has ended: log in again.")
    assert "two-factor.recovery-codes" in {entry.action for entry in audit.entries(int(alice.id))}
    proof = {"password": "wonderland", "code": old[1]}
    refused(alice_client.post("/two-factor/recovery-codes", proof), 403, WRONG, "code")
    assert alice_client.post("/two-factor/recovery-codes", {**proof, "code": new[0]}).status == 200


@both_worlds
def test_two_factor_is_turned_off_with_password_and_code(
    alice_client: Person, logged_in: LogIn, alice: Account
) -> None:
    _, codes = enrol(alice_client)
    other = logged_in(alice)
    reply = alice_client.post("/two-factor/disable", {"password": "wonderland", "code": codes[0]})
    assert (reply.status, reply.body) == (204, b"")
    assert state(alice_client) == {"enabled": False, "for_uploads": False, "recovery_codes_left": 0}
    assert TwoFactor.find(alice.pk, "two-factor") is None
    refused(other.get("/me"), 401, "Your session has ended: log in again.")
    assert "two-factor.disable" in {entry.action for entry in audit.entries(int(alice.id))}


@pytest.mark.parametrize("path", ["disable", "recovery-codes", "for-uploads"])
def test_changes_need_password_and_code(alice_client: Person, path: str) -> None:
    _, codes = enrol(alice_client)
    more = {"for_uploads": False} if path == "for-uploads" else {}
    method = "PUT" if more else "POST"
    with nothing_stored():
        proof = {"password": "x", "code": codes[0], **more}
        refused(alice_client.send(method, f"/two-factor/{path}", json=proof), 403, NOT_YOURS, "password")
        proof = {"password": "wonderland", "code": "000000", **more}
        refused(alice_client.send(method, f"/two-factor/{path}", json=proof), 403, WRONG, "code")


@pytest.mark.parametrize("path", ["disable", "recovery-codes"])
def test_changes_need_two_factor_to_be_on(alice_client: Person, path: str) -> None:
    with nothing_stored():
        reply = alice_client.post(f"/two-factor/{path}", {"password": "wonderland", "code": "123456"})
    refused(reply, 409, OFF)


@both_worlds
def test_guesses_of_codes_are_limited(alice_client: Person) -> None:
    _, codes = enrol(alice_client)
    for _ in range(5):
        proof = {"password": "wonderland", "code": "000000"}
        refused(alice_client.post("/two-factor/disable", proof), 403, WRONG, "code")
    reply = alice_client.post("/two-factor/disable", {"password": "wonderland", "code": codes[0]})
    refused(reply, 429, "Too many failed attempts, try again later")
    assert state(alice_client)["enabled"] is True


@both_worlds
def test_a_recovery_code_that_opened_a_session_is_used_up(visitor: Person, alice_client: Person) -> None:
    _, codes = enrol(alice_client)
    entered = {"username": "alice", "password": "wonderland", "code": codes[0]}
    assert visitor.post("/log-in", entered).status == 200
    proof = {"password": "wonderland", "code": codes[0]}
    refused(alice_client.post("/two-factor/disable", proof), 403, WRONG, "code")


def test_turning_two_factor_off_invalidates_tokens_of_luarocks(alice_client: Person, alice: Account) -> None:
    _, codes = enrol(alice_client, for_uploads=True)
    key = credentials.create(alice, "luarocks")[1]
    token, _ = upload_factor.issue_token(credentials.identify(key, "luarocks"))
    alice_client.post("/two-factor/disable", {"password": "wonderland", "code": codes[0]})
    enrol(alice_client, for_uploads=True)
    with pytest.raises(SecondFactorRequired):
        upload_factor.require(credentials.identify(key, "luarocks"), token)
