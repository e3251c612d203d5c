"""One-time links by mail: confirmed addresses, forgotten passwords, and invitations."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import addresses, audit, job_runner, jobs
from chalicelib.core.identity import accounts, credentials, invitations, recovery, two_factor
from chalicelib.core.tables import Account, CoreItem
from tests.account.person import LogIn, Person, nothing_stored, refused
from tests.smtp import URL, Sink, receiving

MOMENT = datetime(2026, 3, 1, 12, 0, 15, tzinfo=UTC)
NO_LINK = "This link is invalid, was used, or has expired: request another one."
NO_CONFIRMATION = "This link is invalid, was used, or has expired."
NO_MAIL = "This server sends no mail: ask its administrator for a new password."


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that is stopped; tests shift it."""
    with time_machine.travel(MOMENT, tick=False) as travelled:
        yield travelled


@pytest.fixture
def sink(alice: Account) -> Iterator[Sink]:
    with receiving() as running:
        yield running


@pytest.fixture
def confirmed(alice: Account) -> Account:
    """Alice, whose address is confirmed."""
    alice.update(actions=alice.assign(confirmed_email=alice.email))
    return alice


def mailed(sink: Sink) -> list[str]:
    """Run the jobs; return the subjects of all mails."""
    job_runner.run_due()
    return [str(mail.message["Subject"]) for mail in sink.mails]


def confirmation(sink: Sink) -> str:
    job_runner.run_due()
    return sink.mails[-1].link("/account/confirm/")


def password_link(visitor: Person, sink: Sink, name: str = "alice") -> str:
    assert visitor.post("/password-link", {"name": name}).status == 204
    job_runner.run_due()
    mails = [mail for mail in sink.mails if mail.message["Subject"] == "A new password"]
    return mails[-1].link("/account/new-password/")


def test_a_new_account_confirms_its_address_by_a_link(visitor: Person, sink: Sink) -> None:
    with settings.override(registration="open"):
        new = {"username": "carol", "email": "carol@example.org", "password": "looking glass"}
        assert visitor.post("/register", new).status == 201
    token = confirmation(sink)
    (mail,) = sink.mails
    assert (mail.recipients, mail.message["Subject"]) == (["carol@example.org"], "Confirm your address")
    assert (
        mail.text
        == f"""\
Hello carol,

Please confirm that this is your address:

{URL}/account/confirm/{token}

The link is valid once, for two days. If you have no account here, ignore this
mail: the address then gets no other one.

{"-- "}
Moonbase at {URL}/
"""
    )
    assert f'<p><a href="{URL}/account/confirm/{token}">Confirm the address</a></p>' in mail.html
    assert visitor.put("/email/confirmation", {"token": token}).status == 204
    carol = accounts.named("carol")
    assert addresses.is_confirmed(carol)
    assert "account.email-confirmed" in [entry.action for entry in audit.entries(int(carol.id))]
    with nothing_stored():
        refused(visitor.put("/email/confirmation", {"token": token}), 403, NO_CONFIRMATION, "token")


def test_the_link_is_sent_again_on_request(alice_client: Person, sink: Sink) -> None:
    for _ in range(addresses.MOST_PER_HOUR):
        assert alice_client.post("/email/confirmation").status == 204
    assert mailed(sink) == ["Confirm your address"]  # one job for all requests
    refused(alice_client.post("/email/confirmation"), 429, "Too many mails, try again later.")


def test_an_account_cannot_send_mails_to_many_addresses(sink: Sink, alice: Account) -> None:
    for number in range(addresses.MOST_MAILS_PER_HOUR + 5):
        accounts.set_email(accounts.get(int(alice.id)), f"victim{number}@example.org")
        job_runner.run_due()
    assert len(sink.mails) == addresses.MOST_MAILS_PER_HOUR
    assert (jobs.pending(), jobs.dead()) == ([], [])


def test_a_confirmed_address_needs_no_link(alice_client: Person, sink: Sink, confirmed: Account) -> None:
    refused(alice_client.post("/email/confirmation"), 409, "Your address is confirmed already.")
    assert mailed(sink) == []


def test_without_mail_nothing_can_be_confirmed(alice_client: Person) -> None:
    refused(alice_client.post("/email/confirmation"), 409, "This server sends no mail.")
    assert jobs.pending() == []


def test_a_link_confirms_only_the_address_that_it_was_sent_to(
    alice_client: Person, visitor: Person, sink: Sink, alice: Account
) -> None:
    alice_client.post("/email/confirmation")
    token = confirmation(sink)
    accounts.set_email(alice, "liddell@example.org")
    refused(visitor.put("/email/confirmation", {"token": token}), 403, NO_CONFIRMATION, "token")
    assert not addresses.is_confirmed(accounts.get(int(alice.id)))


def test_a_confirmation_expires_after_two_days(
    alice_client: Person, visitor: Person, sink: Sink, clock: time_machine.Traveller
) -> None:
    alice_client.post("/email/confirmation")
    token = confirmation(sink)
    clock.shift(timedelta(days=2))
    refused(visitor.put("/email/confirmation", {"token": token}), 403, NO_CONFIRMATION, "token")


def test_a_refused_confirmation_is_not_retried(alice_client: Person, sink: Sink) -> None:
    sink.refusal = "550 No such user"
    alice_client.post("/email/confirmation")
    job_runner.run_due()
    assert (jobs.pending(), jobs.dead()) == ([], [])


def test_a_forgotten_password_is_replaced_by_a_link(
    visitor: Person, sink: Sink, confirmed: Account, logged_in: LogIn
) -> None:
    session = logged_in(confirmed)
    token = password_link(visitor, sink)
    (mail,) = sink.mails
    assert (
        mail.text
        == f"""\
Hello Alice,

A new password was requested for your account from the address 203.0.113.7.
Set it here:

{URL}/account/new-password/{token}

The link is valid once, for 30 minutes. If you did not request it, ignore this
mail: your password has not changed.

{"-- "}
Moonbase at {URL}/
"""
    )
    assert f'<p><a href="{URL}/account/new-password/{token}">Set a new password</a></p>' in mail.html
    assert visitor.put("/password-link", {"token": token, "password": "white rabbit"}).status == 204
    assert accounts.log_in("alice", "white rabbit").username == "Alice"
    refused(session.get("/me"), 401, "Your session has ended: log in again.")
    assert mailed(sink) == ["A new password", "Your password was changed."]
    with nothing_stored():
        again = visitor.put("/password-link", {"token": token, "password": "red queen red"})
        refused(again, 403, NO_LINK, "token")


def test_the_address_is_a_name_too(visitor: Person, sink: Sink, confirmed: Account) -> None:
    assert password_link(visitor, sink, "ALICE@example.org")


def test_the_request_says_and_does_the_same_for_unknown_names(
    visitor: Person, sink: Sink, confirmed: Account, calls: list[str]
) -> None:
    answers = []
    for name in ("alice", "nobody", "nobody@example.org", "\x00", "x" * 320):
        calls.clear()
        reply = visitor.post("/password-link", {"name": name})
        answers.append((reply.status, reply.body, {**reply.headers}, [*calls]))
    assert answers == [answers[0]] * 5
    assert answers[0][3] == ["UpdateItem", "UpdateItem", "TransactWriteItems"]
    assert mailed(sink) == ["A new password"]
    assert (jobs.pending(), jobs.dead()) == ([], [])


def test_an_unconfirmed_or_suspended_account_gets_no_link(visitor: Person, sink: Sink, alice: Account) -> None:
    visitor.post("/password-link", {"name": "alice"})
    assert mailed(sink) == []
    alice.update(actions=alice.assign(confirmed_email=alice.email))
    accounts.suspend(alice)
    visitor.post("/password-link", {"name": "alice"})
    assert mailed(sink) == []


def test_requests_are_limited_per_name_and_address(
    visitor: Person, sink: Sink, confirmed: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "Too many requests for a new password, try again later."
    for _ in range(recovery.MOST_PER_HOUR):
        assert visitor.post("/password-link", {"name": "Alice"}).status == 204
    refused(visitor.post("/password-link", {"name": "alice"}), 429, message)
    for _ in range(2):  # the account has a limit too, because it has two names
        assert visitor.post("/password-link", {"name": "alice@example.org"}).status == 204
    assert mailed(sink) == ["A new password"] * recovery.MOST_PER_HOUR
    monkeypatch.setattr(recovery, "MOST_OF_ADDRESS", 0)
    refused(visitor.post("/password-link", {"name": "bob"}), 429, message)


def test_without_mail_the_request_says_so(visitor: Person, alice: Account) -> None:
    with nothing_stored():
        refused(visitor.post("/password-link", {"name": "alice"}), 409, NO_MAIL)


def test_a_link_expires_after_half_an_hour(
    visitor: Person, sink: Sink, confirmed: Account, clock: time_machine.Traveller
) -> None:
    token = password_link(visitor, sink)
    clock.shift(timedelta(minutes=30))
    with nothing_stored():
        refused(visitor.put("/password-link", {"token": token, "password": "white rabbit"}), 403, NO_LINK, "token")


def test_a_change_of_password_or_address_invalidates_a_link(visitor: Person, sink: Sink, confirmed: Account) -> None:
    first = password_link(visitor, sink)
    accounts.set_password(confirmed, "looking glass")
    refused(visitor.put("/password-link", {"token": first, "password": "white rabbit"}), 403, NO_LINK, "token")
    second = password_link(visitor, sink)
    accounts.set_email(confirmed, "liddell@example.org")
    refused(visitor.put("/password-link", {"token": second, "password": "white rabbit"}), 403, NO_LINK, "token")
    assert accounts.log_in("alice", "looking glass")


def test_a_link_of_a_suspended_account_sets_nothing(visitor: Person, sink: Sink, confirmed: Account) -> None:
    token = password_link(visitor, sink)
    accounts.suspend(confirmed)
    reply = visitor.put("/password-link", {"token": token, "password": "white rabbit"})
    refused(reply, 403, "Your account has been suspended.")


@pytest.mark.parametrize(
    ("fields", "status", "message", "field"),
    [
        ({"token": "x" * 40}, 403, NO_LINK, "token"),
        ({"token": "\x00"}, 403, NO_LINK, "token"),
        ({"token": 5}, 400, "token must be a JSON string.", "token"),
        ({"password": "short"}, 400, "A password has at least 8 characters.", "password"),
        ({"password": "alice@example.org"}, 400, "A password is neither your username nor your e-mail address.",
         "password"),
    ],
)  # fmt: skip
def test_a_rejected_password_leaves_the_link_valid(
    visitor: Person, sink: Sink, confirmed: Account, fields: dict[str, Any], status: int, message: str, field: str
) -> None:
    token = password_link(visitor, sink)
    with nothing_stored():
        reply = visitor.put("/password-link", {"token": token, "password": "white rabbit", **fields})
    refused(reply, status, message, field)
    assert visitor.put("/password-link", {"token": token, "password": "white rabbit"}).status == 204


def test_the_second_factor_is_still_needed(visitor: Person, sink: Sink, confirmed: Account) -> None:
    secret = two_factor.enable(confirmed).secret
    token = password_link(visitor, sink)
    given = {"token": token, "password": "white rabbit"}
    missing = "This account uses two-factor authentication: send a current code too."
    refused(visitor.put("/password-link", given), 403, missing, "code")
    refused(visitor.put("/password-link", {**given, "code": "000000"}), 403, "Invalid verification code", "code")
    assert accounts.log_in("alice", "wonderland")
    code = pyotp.TOTP(secret).at(datetime.now(UTC))
    assert visitor.put("/password-link", {**given, "code": code}).status == 204
    assert accounts.log_in("alice", "white rabbit").two_factor


def test_no_link_is_stored(visitor: Person, sink: Sink, confirmed: Account) -> None:
    token = password_link(visitor, sink)
    assert [item.pk for item in CoreItem.scan() if token in str(item.to_dynamodb_dict())] == []


def test_a_link_is_neither_key_nor_session(visitor: Person, sink: Sink, confirmed: Account) -> None:
    token = password_link(visitor, sink)
    refused(Person(visitor.client, token).get("/me"), 401, "Your session has ended: log in again.")
    refused(visitor.put("/email/confirmation", {"token": token}), 403, NO_CONFIRMATION, "token")
    assert credentials.own(confirmed, 1, "password-link")


def test_an_invitation_by_mail_is_shown_to_nobody_else(root: Person, visitor: Person, sink: Sink) -> None:
    reply = root.post("/invitations", {"email": "carol@example.org", "mail": True})
    assert (reply.status, reply.json["invitation"], reply.json["mailed"]) == (201, None, True)
    job_runner.run_due()
    (mail,) = sink.mails
    secret = mail.link("/account/register?invitation=")
    assert (mail.recipients, mail.message["Subject"]) == (["carol@example.org"], "Your invitation to moonbase.test")
    assert (
        mail.text
        == f"""\
Hello,

You are invited to create an account at moonbase.test:

{URL}/account/register?invitation={secret}

The invitation is valid once, for this address, until 2026-03-08.

{"-- "}
Moonbase at {URL}/
"""
    )
    new = {"username": "carol", "email": "carol@example.org", "password": "looking glass", "invitation": secret}
    assert visitor.post("/register", new).status == 201
    assert addresses.is_confirmed(accounts.named("carol"))  # the mail was the proof
    job_runner.run_due()
    assert len(sink.mails) == 1
    assert [one["state"] for one in root.get("/invitations").json["invitations"]] == ["used"]


def test_a_revoked_invitation_is_not_mailed(root: Person, sink: Sink) -> None:
    number = root.post("/invitations", {"email": "carol@example.org", "mail": True}).json["id"]
    assert root.delete(f"/invitations/{number}").status == 204
    assert mailed(sink) == []


@pytest.mark.parametrize(
    ("data", "status", "message", "field"),
    [
        ({"mail": True}, 400, "An invitation by mail needs an address.", "email"),
        ({"mail": True, "email": "carol@example.org"}, 409, "This server sends no mail.", "mail"),
    ],
)
def test_an_invitation_that_cannot_be_mailed_is_not_created(
    root: Person, data: dict[str, Any], status: int, message: str, field: str
) -> None:
    root.get("/me")
    with nothing_stored():
        refused(root.post("/invitations", data), status, message, field)


def test_a_former_secret_of_a_mailed_invitation_is_invalid(sink: Sink) -> None:
    invitation, _ = invitations.create(email="carol@example.org", mail=True)
    first, second = invitations.renew(int(invitation.id)), invitations.renew(int(invitation.id))
    assert first is not None
    assert second is not None
    with pytest.raises(invitations.NoInvitation, match="There is no such invitation"):
        invitations.find(first[1])
    assert invitations.find(second[1]).email == "carol@example.org"


def test_a_log_in_from_a_new_device_is_mailed(visitor: Person, sink: Sink, confirmed: Account) -> None:
    log_in = {"username": "alice", "password": "wonderland"}
    visitor.send("POST", "/log-in", json=log_in, headers={"User-Agent": "Browser/1.0"})
    assert mailed(sink) == []
    visitor.send("POST", "/log-in", json=log_in, headers={"User-Agent": "Phone/1.0"})
    assert mailed(sink) == ["Your account logged in from a new device."]
    assert "Address: 203.0.113.7\nClient: Phone/1.0\n" in sink.mails[0].text
