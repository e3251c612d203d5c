"""Registration: open, by invitation or closed; a rejected one stores nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import audit
from chalicelib.core.caller import Device
from chalicelib.core.errors import CoreError
from chalicelib.core.identity import accounts, invitations
from chalicelib.core.identity.registration import register as register_here
from chalicelib.core.tables import Account, Invitation
from tests.account.person import Person, nothing_stored, refused
from tests.client import Reply
from tests.worlds import embedded_only

NEW = {"username": "carol", "email": "carol@example.org", "password": "looking glass"}
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
with_open_registration = pytest.mark.usefixtures("open_registration")


@pytest.fixture
def open_registration() -> Any:
    """Open registration for the test."""
    with settings.override(registration="open"):
        yield


def register(visitor: Person, **fields: Any) -> Reply:
    return visitor.post("/register", {**NEW, **fields})


def test_by_default_an_invitation_is_needed(visitor: Person) -> None:
    with nothing_stored():
        refused(register(visitor), 403, "Registration is by invitation here: ask the administrator for one.")


def test_registration_can_be_closed_to_invitations_too(visitor: Person) -> None:
    _, secret = invitations.create()
    with settings.override(registration="closed"), nothing_stored():
        reply = register(visitor, invitation=secret)
    refused(reply, 403, "Registration is closed here: ask the administrator for an account.")


@with_open_registration
def test_registration_creates_an_account_and_no_session(visitor: Person) -> None:
    reply = register(visitor)
    assert (reply.status, reply.json) == (201, {"username": "carol"})
    assert reply.header("set-cookie") is None
    account = accounts.log_in("carol", "looking glass")
    assert (account.username, account.email, account.rank) == ("carol", "carol@example.org", "MEMBER")


@with_open_registration
@embedded_only
@pytest.mark.parametrize(
    ("fields", "message", "field"),
    [
        ({"username": "c"}, "A username has 2 to 25 letters, digits, underscores or hyphens.", "username"),
        ({"username": "<b>carol</b>"}, "A username has 2 to 25 letters, digits, underscores or hyphens.", "username"),
        ({"username": "car\0ol"}, "A username has 2 to 25 letters, digits, underscores or hyphens.", "username"),
        ({"username": "c" * 60_000}, "A username has 2 to 25 letters, digits, underscores or hyphens.", "username"),
        ({"username": 5}, "username must be a JSON string.", "username"),
        ({"username": None}, "username is missing.", "username"),
        ({"email": "nowhere"}, "This is not an e-mail address.", "email"),
        ({"email": "<script>@example.org"}, "This is not an e-mail address.", "email"),
        ({"email": "a@<img src=x>"}, "This is not an e-mail address.", "email"),
        ({"email": "a\0@example.org"}, "This is not an e-mail address.", "email"),
        ({"email": "a" * 60_000 + "@example.org"}, "This is not an e-mail address.", "email"),
        ({"password": ""}, "A password cannot be empty.", "password"),
        ({"password": "1234567"}, "A password has at least 8 characters.", "password"),
        ({"password": "p" * 1025}, "A password has at most 1024 characters.", "password"),
        ({"password": "look\0ing glass"}, "A password has no control characters.", "password"),
        (
            {"password": "Carol@Example.org"},
            "A password is neither your username nor your e-mail address.",
            "password",
        ),
        (
            {"username": "carol-the-first", "password": "CAROL-the-first"},
            "A password is neither your username nor your e-mail address.",
            "password",
        ),
        ({"password": "Password123"}, "This password is one of the first that others would try.", "password"),
        ({"password": "aaaaaaaaaaaa"}, "This password is one of the first that others would try.", "password"),
        ({"password": ["looking glass"]}, "password must be a JSON string.", "password"),
        ({"invitation": "x" * 40}, "There is no such invitation.", "invitation"),
    ],
)  # fmt: skip
def test_invalid_input_is_an_error_and_not_stored(
    visitor: Person, fields: dict[str, Any], message: str, field: str
) -> None:
    with nothing_stored():
        reply = register(visitor, **fields)
    refused(reply, 403 if field == "invitation" else 400, message, field)


@with_open_registration
@embedded_only
@pytest.mark.parametrize("password", ["looking glass", "пароль пароль", "🚀" * 4 + "moon", "p4 " * 340, "<b>bold</b>"])
def test_long_passwords_of_any_characters_are_accepted(visitor: Person, password: str) -> None:
    assert register(visitor, password=password).status == 201
    assert accounts.log_in("carol", password).username == "carol"


@with_open_registration
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is not JSON."),
        (b"{", "The body is not JSON."),
        (b"\xff", "The body is not JSON."),
        (b'{"username": "\\ud800"}', "The body is not JSON."),
        (b"[]", "The body must be a JSON object."),
        (b"null", "The body must be a JSON object."),
        (b'{"rank": "ADMIN"}', "There is no field 'rank' here; there are: username, email, password, invitation."),
    ],
)
def test_an_unreadable_body_is_an_error(visitor: Person, body: bytes, message: str) -> None:
    with nothing_stored():
        refused(visitor.send("POST", "/register", body=body), 400, message)


@with_open_registration
def test_a_body_of_a_megabyte_is_rejected(visitor: Person) -> None:
    with nothing_stored():
        for field in NEW:
            reply = register(visitor, **{field: "x" * 1_000_000})
            refused(reply, 413, "The request is larger than 65536 bytes.")


@with_open_registration
def test_names_and_addresses_are_unique_in_any_letter_case(visitor: Person, alice: Account) -> None:
    refused(register(visitor, username="ALICE"), 409, "This username is taken.", "username")
    refused(register(visitor, email="Alice@Example.ORG"), 409, "This e-mail address is in use.", "email")
    assert [account.username for account in accounts.list_accounts()] == ["Alice"]


@with_open_registration
def test_registrations_per_address_are_limited(visitor: Person) -> None:
    with settings.override(registration="open", registration_rate=1), time_machine.travel(MOMENT, tick=False) as clock:
        assert register(visitor).status == 201
        reply = register(visitor, username="dave", email="dave@example.org")
        refused(reply, 429, "Too many registrations from this address, try again later.")
        assert reply.header("retry-after") == "3600"
        assert accounts.find("dave") is None
        clock.shift(3600)
        assert register(visitor, username="dave", email="dave@example.org").status == 201


def test_an_invitation_creates_one_account_with_its_rank(visitor: Person) -> None:
    invitation, secret = invitations.create(rank="EDITOR")
    assert register(visitor, invitation=secret).status == 201
    assert accounts.named("carol").rank == "EDITOR"
    used = Invitation.get(invitation.pk, "invitation", consistent_read=True)
    assert (invitations.state_of(used), used.username) == ("used", "carol")
    with nothing_stored():
        reply = register(visitor, username="dave", email="dave@example.org", invitation=secret)
    refused(reply, 403, "This invitation has been used already.", "invitation")


def test_registrations_by_invitation_are_not_limited_per_address(visitor: Person) -> None:
    with settings.override(registration_rate=0):
        assert register(visitor, invitation=invitations.create()[1]).status == 201


def test_an_invitation_gives_its_rank_even_with_open_registration(visitor: Person) -> None:
    with settings.override(registration="open"):
        register(visitor, invitation=invitations.create(rank="APPROVER")[1])
    assert accounts.named("carol").rank == "APPROVER"


def test_an_expired_invitation_is_rejected(visitor: Person) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        _, secret = invitations.create(ends_after=timedelta(days=1))
        clock.shift(86_400)
        with nothing_stored():
            refused(register(visitor, invitation=secret), 403, "This invitation has expired.", "invitation")


def test_a_revoked_invitation_is_rejected(visitor: Person) -> None:
    invitation, secret = invitations.create()
    invitations.revoke(int(invitation.id))
    with nothing_stored():
        refused(register(visitor, invitation=secret), 403, "This invitation has been revoked.", "invitation")


def test_an_invitation_for_an_address_is_valid_only_for_it(visitor: Person) -> None:
    _, secret = invitations.create(email="Dave@example.org")
    with nothing_stored():
        reply = register(visitor, invitation=secret)
    refused(reply, 400, "This invitation is for another e-mail address.", "email")
    assert register(visitor, email="dave@example.org", invitation=secret).status == 201


def test_a_rejected_registration_does_not_use_up_the_invitation(visitor: Person, alice: Account) -> None:
    _, secret = invitations.create()
    refused(register(visitor, username="alice", invitation=secret), 409, "This username is taken.", "username")
    assert register(visitor, invitation=secret).status == 201


@embedded_only
def test_only_one_of_eight_concurrent_uses_of_an_invitation_succeeds(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret = invitations.create()
    monkeypatch.setattr("chalicelib.core.identity.accounts.hash_password", lambda password: "hashed elsewhere")

    def attempt(number: int) -> bool:
        try:
            register_here(f"user{number}", f"{number}@example.org", "looking glass", secret, Device("", ""))
        except CoreError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))
    assert (outcomes.count(True), len(list(accounts.list_accounts()))) == (1, 1)


def test_only_a_hash_of_an_invitation_is_stored(aws: None) -> None:
    _, secret = invitations.create()
    assert [item.pk for item in Invitation.scan() if secret in str(item.to_dynamodb_dict())] == []


def test_a_new_account_is_in_its_activity_log(visitor: Person) -> None:
    register(visitor, invitation=invitations.create()[1])
    (entry,) = audit.entries(int(accounts.named("carol").id))
    assert (entry.action, entry.by_account_id) == ("account.create", None)
