"""The same proof at every door: password and code for one's own account, a recent code for acts on others."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pyotp
import pytest
import time_machine

from chalicelib.core.identity import accounts, two_factor
from chalicelib.core.tables import Account
from tests.account.person import LogIn, Person, refused

MISSING = "This account uses two-factor authentication: send a current code too."
WRONG = "Invalid verification code"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that is stopped; tests shift it."""
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 15, tzinfo=UTC), tick=False) as travelled:
        yield travelled


def code_of(secret: str) -> str:
    return pyotp.TOTP(secret).at(datetime.now(UTC))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/password", {"current_password": "wonderland", "password": "white rabbit"}),
        ("/email", {"password": "wonderland", "email": "new@example.org"}),
    ],
)
def test_password_and_address_need_a_code_with_two_factor(
    alice: Account, logged_in: LogIn, path: str, body: dict[str, str]
) -> None:
    secret = two_factor.enable(alice).secret
    person = logged_in(alice)
    refused(person.put(path, body), 403, MISSING, "code")
    refused(person.put(path, {**body, "code": "000000"}), 403, WRONG, "code")
    assert accounts.log_in("alice", "wonderland").email == "alice@example.org"
    assert person.put(path, {**body, "code": code_of(secret)}).status == 204


def test_acts_on_others_need_a_recent_code(
    root: Person, logged_in: LogIn, alice: Account, clock: time_machine.Traveller
) -> None:
    administrator = accounts.named("root")
    secret = two_factor.enable(administrator).secret
    person = logged_in(administrator)
    change = {"rank": "MODERATOR"}
    refused(person.patch("/members/alice", change), 403, MISSING, "code")
    refused(person.delete("/members/alice/sessions"), 403, MISSING, "code")
    refused(person.delete("/members/alice/two-factor"), 403, MISSING, "code")
    wrong = person.send("PATCH", "/members/alice", json=change, headers={"X-TFA-Code": "000000"})
    refused(wrong, 403, WRONG, "code")
    with_code = {"X-TFA-Code": code_of(secret)}
    assert person.send("PATCH", "/members/alice", json=change, headers=with_code).status == 200
    assert person.delete("/members/alice/sessions").status == 204  # the code is valid for 15 minutes
    clock.shift(901)
    refused(person.delete("/members/alice/sessions"), 403, MISSING, "code")
    assert person.get("/members/alice").status == 200


def test_a_log_in_with_a_code_is_a_recent_proof(visitor: Person, root: Person, alice: Account) -> None:
    secret = two_factor.enable(accounts.named("root")).secret
    log_in = {"username": "root", "password": "sudo make me", "code": code_of(secret)}
    session = visitor.post("/log-in", log_in).json["session"]
    person = Person(visitor.client, session, by_cookie=False)
    assert person.delete("/members/alice/sessions").status == 204


def test_without_a_second_factor_no_code_is_needed(root: Person, alice: Account) -> None:
    assert root.patch("/members/alice", {"rank": "MODERATOR"}).status == 200
