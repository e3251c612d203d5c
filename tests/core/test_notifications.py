"""Notifications: what one costs, the channels of each kind, and an inbox that is read in pages and expires."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import audit
from chalicelib.core.caller import Device
from chalicelib.core.declaration import Declaration, NotificationKind
from chalicelib.core.errors import Conflict, Invalid, NotFound
from chalicelib.core.identity import accounts, credentials, devices, sessions, two_factor
from chalicelib.core.notifications import inbox, preferences
from chalicelib.core.notifications.posting import notify
from chalicelib.core.registry import DeclarationError, including
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Job, Notification
from tests import aws_calls
from tests.aws_calls import AwsCall, listening
from tests.worlds import embedded_only

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAIL = {"smtp_url": "smtp://127.0.0.1:1", "mail_from": "moonbase@example.org", "mail_base_url": "https://moonbase.test"}
NEWS = Declaration(name="news", notifications=(NotificationKind("news.new", "Something is new"),))


def post(account: Account, subject: str = "Something is new.", kind: str = "key.created") -> None:
    writes = Transaction()
    notify(writes, account, kind, subject, "/account")
    writes.commit()


def subjects(account: Account) -> list[str]:
    return [one.subject for one in inbox.entries(account)]


def confirm(account: Account) -> None:
    account.update(actions=account.assign(confirmed_email=account.email))


def written(account: Account) -> list[int]:
    """The number of items in each transaction while a key is created."""
    sizes: list[int] = []

    def count(call: AwsCall) -> None:
        if call.operation == "TransactWriteItems":
            sizes.append(len(call.parameters["TransactItems"]))

    with listening(count):
        credentials.create(account, "luarocks")
    return sizes


def test_a_notification_costs_one_item_in_the_transaction_of_its_cause(alice: Account, calls: list[str]) -> None:
    preferences.choose(alice, {"key.created": "off"})
    calls.clear()
    without = written(alice)
    assert calls == ["UpdateItem", "TransactWriteItems"]
    preferences.choose(alice, {"key.created": "inbox"})
    calls.clear()
    assert written(alice) == [without[0] + 1]
    assert calls == ["UpdateItem", "TransactWriteItems"]


def test_an_account_that_wants_none_costs_nothing(alice: Account) -> None:
    preferences.choose(alice, {"key.created": "off"})
    credentials.create(alice, "luarocks")
    assert (subjects(alice), list(Job.query("jobs"))) == ([], [])


def test_a_mail_costs_one_more_item_for_its_job(alice: Account) -> None:
    confirm(alice)
    in_the_inbox = written(alice)
    with settings.override(**MAIL):
        assert written(alice) == [in_the_inbox[0] + 1]
    (job,) = Job.query("jobs")
    assert (job.name, job.payload["account"]) == ("mail-notification", int(alice.id))


def test_without_mail_or_a_confirmed_address_the_inbox_gets_it_alone(alice: Account) -> None:
    with settings.override(**MAIL):
        post(alice)
    confirm(alice)
    post(alice)
    assert len(subjects(alice)) == 2
    assert list(Job.query("jobs")) == []


@pytest.mark.parametrize(
    ("act", "kind", "subject"),
    [
        (lambda account: accounts.set_password(account, "white rabbit"), "account.password",
         "Your password was changed."),
        (lambda account: accounts.set_email(account, "a@example.org"), "account.email",
         "Your e-mail address was changed to a@example.org."),
        (two_factor.enable, "account.two-factor", "Two-factor authentication was turned on."),
        (lambda account: credentials.create(account, "hel", comment="CI"), "key.created",
         "A key for Hel was created for your account."),
    ],
)  # fmt: skip
def test_the_owner_is_notified_of_changes_that_concern_security(
    alice: Account, act: object, kind: str, subject: str
) -> None:
    assert callable(act)
    act(alice)
    (found,) = inbox.entries(alice)
    assert (found.about, found.subject, found.listing) == (kind, subject, f"unread#{int(alice.id)}")


def test_every_change_of_the_second_factor_is_a_notification(alice: Account) -> None:
    two_factor.enable(alice)
    two_factor.disable(alice)
    assert subjects(alice) == ["Two-factor authentication was turned off.", "Two-factor authentication was turned on."]


def test_a_rejected_change_notifies_nobody(alice: Account, bob: Account) -> None:
    with pytest.raises(accounts.EmailTaken):
        accounts.set_email(alice, "bob@example.org")
    assert subjects(alice) == []


def test_essential_kinds_cannot_be_turned_off(alice: Account) -> None:
    message = "Notifications about the security of an account cannot be turned off."
    with pytest.raises(Conflict, match=message):
        preferences.choose(alice, {"account.password": "off"})
    alice.update(actions=alice.assign(channels={"account.password": "off"}))
    accounts.set_password(alice, "white rabbit")
    assert subjects(alice) == ["Your password was changed."]


@pytest.mark.parametrize(("kind", "channel"), [("no.kind", "inbox"), ("key.created", "pigeon"), ("key.created", "")])
def test_unknown_kinds_and_channels_are_refused(alice: Account, kind: str, channel: str) -> None:
    with pytest.raises(Invalid):
        preferences.choose(alice, {kind: channel})
    assert accounts.get(int(alice.id)).channels is None


def test_only_channels_that_differ_from_the_default_are_stored(alice: Account) -> None:
    preferences.choose(alice, {"key.created": "off", "session.new-device": "mail"})
    assert accounts.get(int(alice.id)).channels == {"key.created": "off"}
    preferences.choose(alice, {"key.created": "mail"})
    assert accounts.get(int(alice.id)).channels is None
    assert [entry.action for entry in audit.entries(int(alice.id))][:2] == ["notifications.settings"] * 2


def test_concurrent_changes_of_the_settings_do_not_undo_each_other(alice: Account) -> None:
    other = accounts.get(int(alice.id))
    preferences.choose(alice, {"key.created": "off"})
    with pytest.raises(Conflict, match="changed meanwhile"):
        preferences.choose(other, {"session.new-device": "off"})


def test_slices_declare_kinds(alice: Account) -> None:
    with including(NEWS):
        post(alice, kind="news.new")
        assert preferences.channel_of(alice, NEWS.notifications[0]) == "inbox"
    with (
        pytest.raises(DeclarationError, match=r"kind of notifications key\.created"),
        including(Declaration(name="more", notifications=(NotificationKind("key.created", ""),))),
    ):
        pass


def test_the_inbox_is_read_in_pages(alice: Account, calls: list[str]) -> None:
    for number in range(5):
        post(alice, f"{number}")
    calls.clear()
    first = list(inbox.entries(alice, limit=2))
    assert [one.subject for one in first] == ["4", "3"]
    assert [one.subject for one in inbox.entries(alice, first[-1].sk)] == ["2", "1", "0"]
    assert calls == ["Query", "Query"]


def test_one_or_all_can_be_marked_as_read_and_deleted(alice: Account, calls: list[str]) -> None:
    for number in range(3):
        post(alice, f"{number}")
    newest = next(inbox.entries(alice)).sk
    inbox.mark_read(alice, newest)
    assert inbox.count_unread(alice, inbox.read_until(alice)) == 2
    calls.clear()
    inbox.mark_all_read(alice)
    assert calls == ["UpdateItem"]
    assert inbox.count_unread(alice, inbox.read_until(alice)) == 0
    post(alice, "later")
    assert inbox.count_unread(alice, inbox.read_until(alice)) == 1
    inbox.delete(alice, newest)
    assert subjects(alice) == ["later", "1", "0"]


@pytest.mark.parametrize("act", [inbox.mark_read, inbox.delete])
@pytest.mark.parametrize("sk", ["", "x", "20260301T120000000000-aabbccdd", "a" * 2000])
def test_an_unknown_notification_is_not_found(alice: Account, act: object, sk: str) -> None:
    assert callable(act)
    with pytest.raises(NotFound):
        act(alice, sk)
    assert Notification.count(inbox.pk_of(int(alice.id))) == 0


@embedded_only  # moto copies the whole table in each transaction
def test_of_ten_thousand_notifications_a_page_reads_a_page(alice: Account) -> None:
    with time_machine.travel(MOMENT, tick=False):
        for start in range(0, 10_000, 100):
            writes = Transaction()
            for number in range(start, start + 100):
                notify(writes, alice, "key.created", f"{number}")
            writes.commit()
        read: list[int] = []

        def limit(call: AwsCall) -> None:
            read.append(call.parameters["Limit"])

        with listening(limit):
            found = list(inbox.entries(alice, limit=50))
            unread = inbox.count_unread(alice, 0)
    assert (len(found), unread, read) == (50, inbox.MOST_COUNTED, [50, 100])


def test_old_notifications_are_hidden_and_expire(alice: Account) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        post(alice)
        (stored,) = Notification.query(inbox.pk_of(int(alice.id)))
        assert stored.expires_at == MOMENT + timedelta(days=90)
        clock.shift(timedelta(days=90, seconds=1))
        assert (subjects(alice), inbox.count_unread(alice, 0)) == ([], 0)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("one\r\nBcc: two@example.org", "one Bcc: two@example.org"),
        ("a\u202egpj.exe\u2028b\0c", "agpj.exe b c"),
        ("x" * 500, "x" * 200),
    ],
)
def test_a_subject_is_one_line_without_hidden_characters(alice: Account, given: str, stored: str) -> None:
    post(alice, given)
    assert subjects(alice) == [stored]


HOME, PHONE = Device("198.51.100.1", "Browser/1.0"), Device("2001:db8::1", "Phone/1.0")


def is_new(account: Account, device: Device) -> bool:
    """Record a log-in from a device; return whether its owner is notified."""
    before = len(list(inbox.entries(account)))
    writes = Transaction()
    writes.put(audit.entry(int(account.id), "session.create", "session"))
    devices.record(writes, account, device)
    writes.commit()
    return len(list(inbox.entries(account))) > before


def test_the_first_device_of_an_account_is_not_new_and_others_are(alice: Account) -> None:
    assert [is_new(alice, HOME), is_new(alice, HOME)] == [False, False]
    assert [is_new(alice, PHONE), is_new(alice, PHONE)] == [True, False]


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (Device("198.51.100.77", "Browser/1.0"), False),  # the same network
        (Device("198.51.100.1", "Browser/2.13"), False),  # another version
        (Device("198.51.101.1", "Browser/1.0"), True),
        (Device("198.51.100.1", "Other/1.0"), True),
        (Device("", ""), True),
    ],
)
def test_a_device_is_a_client_in_a_network(alice: Account, device: Device, expected: bool) -> None:
    is_new(alice, HOME)
    assert is_new(alice, device) is expected


def test_a_log_in_that_is_interrupted_leaves_its_device_new(alice: Account) -> None:
    sessions.open_session(alice, None, HOME)
    for nth in itertools.count():
        if not aws_calls.dies(lambda: sessions.open_session(alice, None, PHONE), nth):
            break
        assert list(inbox.entries(alice)) == []
    assert [one.about for one in inbox.entries(alice)] == ["session.new-device"]


def test_a_device_is_forgotten_after_a_year(alice: Account) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        is_new(alice, HOME)
        is_new(alice, PHONE)
        clock.shift(timedelta(days=365))
        assert is_new(alice, HOME)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_url", "http://mail.example.org"),
        ("mail_from", "moonbase"),
        ("mail_from", "moonbase@example.org\r\nBcc: x@example.org"),
        ("mail_from", "Moon <moonbase@example.org> <x@example.org>"),
        ("mail_base_url", "moonbase.example.org"),
    ],
)
def test_malformed_settings_of_mail_are_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"MOONBASE_{name.upper()} must"):
        settings.Settings(**{name: value})


@pytest.mark.parametrize(
    "sender", ["moonbase@example.org", "Moonbase <moonbase@example.org>", "Größe <m+x@example.org>"]
)
def test_a_sender_can_have_a_name(sender: str) -> None:
    assert settings.Settings(mail_from=sender).mail_from == sender
