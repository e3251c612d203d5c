"""Mail: whole messages, headers that nothing breaks out of, and what becomes of addresses that are refused."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header

import pytest
import time_machine
from aiosmtpd.smtp import AuthResult

from chalicelib import settings
from chalicelib.core import aws, job_runner, jobs
from chalicelib.core.identity import accounts
from chalicelib.core.mail import transport
from chalicelib.core.mail.message import Mail, Undeliverable, compose
from chalicelib.core.notifications import delivery, inbox, preferences, unsubscribing
from chalicelib.core.notifications.posting import notify
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from tests.smtp import SENDER, URL, Sink, receiving
from tests.worlds import moto_only

SIGNATURE = "-- "
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def sink(alice: Account) -> Iterator[Sink]:
    """A mail server. Alice got no mail that asks to confirm her address."""
    with receiving() as running:
        yield running


@pytest.fixture
def reader(alice: Account) -> Account:
    """Alice, whose address is confirmed."""
    alice.update(actions=alice.assign(confirmed_email=alice.email))
    return alice


def post(account: Account, subject: str = "A key was created.", kind: str = "key.created", **more: str) -> None:
    writes = Transaction()
    notify(writes, account, kind, subject, "/account/keys", **more)
    writes.commit()


def mail(**changes: str) -> Mail:
    given = {"to": "alice@example.org", "subject": "Hello", "text": "Hi\n", "html": "<p>Hi</p>\n", "id": "1"}
    return Mail(**{**given, **changes})


def test_a_mail_has_plain_text_and_html(sink: Sink, reader: Account) -> None:
    with time_machine.travel(MOMENT, tick=False):
        post(reader, "bob published <hello> 1.0.", text="One\nTwo")
        job_runner.run_due()
        (notification,) = inbox.entries(reader)
    (mail,) = sink.mails
    assert (mail.sender, mail.recipients) == (SENDER, ["alice@example.org"])
    stop = f"{URL}{unsubscribing.path_for(int(reader.id), 'key.created')}"
    headers = {name: str(value) for name, value in mail.message.items()}
    assert headers.pop("Content-Type").startswith("multipart/alternative; boundary=")
    assert headers == {
        "From": f"Moonbase <{SENDER}>",
        "To": "alice@example.org",
        "Subject": "bob published <hello> 1.0.",
        "Date": "Sun, 01 Mar 2026 12:00:00 -0000",
        "Message-ID": f"<{int(reader.id)}.{notification.sk}@example.org>",
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{stop}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "MIME-Version": "1.0",
    }
    assert (
        mail.text
        == f"""\
Hello Alice,

bob published <hello> 1.0.

One
Two

{URL}/account/keys

{SIGNATURE}
Moonbase at {URL}/
Settings: {URL}/account/notifications/settings
No more mails of this kind: {stop}
"""
    )
    assert (
        mail.html
        == f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Moonbase</title>
</head>
<body style="font-family: sans-serif; line-height: 1.5; max-width: 36em; margin: 0 auto; padding: 1em">
<p>Hello Alice,</p>
<p><a href="{URL}/account/keys">bob published &lt;hello&gt; 1.0.</a></p>
<p style="white-space: pre-line">One
Two</p>
<hr>
<p><small><a href="{URL}/">Moonbase at moonbase.test</a>
 · <a href="{URL}/account/notifications/settings">Settings</a>
 · <a href="{stop}">No more mails of this kind</a>
</small></p>
</body>
</html>
"""
    )


def test_each_notification_is_mailed_once(sink: Sink, reader: Account) -> None:
    post(reader)
    (job,) = jobs.pending()
    job_runner.run_due()
    delivery.mail_one(job.payload)
    assert len(sink.mails) == 1


def test_an_essential_mail_cannot_be_unsubscribed(sink: Sink, reader: Account) -> None:
    accounts.set_password(reader, "white rabbit")
    job_runner.run_due()
    (mail,) = sink.mails
    assert (mail.message["Subject"], mail.message["List-Unsubscribe"]) == ("Your password was changed.", None)
    assert "No more mails" not in mail.text + mail.html


def test_a_change_of_the_address_is_mailed_to_the_former_one(sink: Sink, reader: Account) -> None:
    accounts.set_email(reader, "liddell@example.org")
    job_runner.run_due()
    sent = {mail.recipients[0]: str(mail.message["Subject"]) for mail in sink.mails}
    assert sent == {
        "alice@example.org": "Your e-mail address was changed to liddell@example.org.",
        "liddell@example.org": "Confirm your address",
    }


def test_an_address_that_was_not_confirmed_gets_no_mail_about_its_change(sink: Sink, alice: Account) -> None:
    accounts.set_email(alice, "liddell@example.org")
    job_runner.run_due()
    assert [mail.recipients for mail in sink.mails] == [["liddell@example.org"]]


@pytest.mark.parametrize("change", ["suspend", "delete", "unconfirm"])
def test_nothing_is_mailed_that_became_unwanted(sink: Sink, reader: Account, change: str) -> None:
    post(reader)
    if change == "suspend":
        accounts.suspend(reader)
    elif change == "delete":
        inbox.delete(reader, next(inbox.entries(reader)).sk)
    else:
        reader.update(actions=reader.assign(confirmed_email=None))
    job_runner.run_due()
    assert (sink.mails, jobs.pending(), jobs.dead()) == ([], [], [])


ENCODED = "=?utf-8?q?a=0D=0ABcc:_victim=40example.org?= b"  # a line break in an encoded word (RFC 2047)
INJECTIONS = [
    *("a\r\nBcc: victim@example.org", "a\nX: y", "a\r\n\r\n<html>", "a\x00b\x0b", "ä\u2028Bcc: x", "\ud800"),
    ENCODED,
]


@pytest.mark.parametrize("value", INJECTIONS)
def test_no_value_adds_a_header_or_a_body(value: str) -> None:
    with settings.override(mail_from=SENDER):
        sent = Mail("alice@example.org", value, "Hi\n", "<p>Hi</p>\n", "1", {"List-Unsubscribe": f"<{value}>"})
        content = compose(sent).as_bytes()
    head, _, body = content.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert names == [
        *(b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted", b"List-Unsubscribe"),
        *(b"MIME-Version", b"Content-Type"),
    ]
    assert body.count(b"Hi") == 2
    assert content.isascii()


@pytest.mark.parametrize(
    "address", ["a\r\nBcc: x@y", "a\n@b", "<a@b>", "@b", "a", "", "a b@c", "a\x00@b", "a@\ud800.x"]
)
def test_a_malformed_address_is_undeliverable(address: str) -> None:
    with settings.override(mail_from=SENDER), pytest.raises(Undeliverable):
        compose(mail(to=address))


@pytest.mark.parametrize(
    ("to", "header", "recipient"),
    [
        ("alice@bücher.example", "alice@xn--bcher-kva.example", "alice@xn--bcher-kva.example"),
        ("a..b@example.org", "a..b@example.org", "a..b@example.org"),
        ("ä@example.org", "ä@example.org", "ä@example.org"),
        ("o'neil+x=1@example.org", "o'neil+x=1@example.org", "o'neil+x=1@example.org"),
    ],
)
def test_international_and_odd_addresses_are_delivered(to: str, header: str, recipient: str) -> None:
    with receiving(enable_SMTPUTF8=True) as sink:
        transport.send(mail(to=to))
    assert (str(sink.mails[0].message["To"]), sink.mails[0].recipients) == (header, [recipient])


def test_an_international_address_is_undeliverable_at_a_server_that_knows_none() -> None:
    with receiving(enable_SMTPUTF8=False), pytest.raises(Undeliverable, match="international"):
        transport.send(mail(to="ä@example.org"))


@pytest.mark.parametrize("to", ["alice@example.org", "ä@example.org"])
@pytest.mark.parametrize("subject", [ENCODED, "x" * 200, "ä" * 200, "🌙" * 200])
def test_long_and_odd_values_of_headers_arrive_as_they_are(to: str, subject: str) -> None:
    stop = f"<https://packages.a-longer-host.example.org/account/unsubscribe/12~work.published~{'0f' * 32}>"
    with receiving(enable_SMTPUTF8=True) as sink:
        transport.send(replace(mail(to=to, subject=subject), headers={"List-Unsubscribe": stop}))
    head = message_from_bytes(sink.mails[0].content)  # the headers as they were sent
    assert head["List-Unsubscribe"] == stop
    assert "".join(str(make_header([part])) for part in decode_header(head["Subject"])) == subject
    assert "Bcc" not in head


def test_texts_of_any_language_arrive(sink: Sink) -> None:
    transport.send(mail(subject="Größe — 🌙", text="Größe — 🌙\n" + "x" * 2000 + "\n", html="<p>Größe</p>\n"))
    (found,) = sink.mails
    assert found.content.isascii()
    assert max(map(len, found.content.split(b"\r\n"))) <= 998
    assert (found.message["Subject"], found.text) == ("Größe — 🌙", "Größe — 🌙\n" + "x" * 2000 + "\n")


def test_a_refused_address_gets_no_more_mail_until_it_is_confirmed_again(sink: Sink, reader: Account) -> None:
    sink.refusal = "550 No such user"
    post(reader)
    job_runner.run_due()
    assert (sink.mails, jobs.pending(), jobs.dead()) == ([], [], [])
    fresh = accounts.get(int(reader.id))
    assert fresh.confirmed_email is None
    assert next(inbox.entries(reader)).subject == (
        "Mail to your address was refused. Confirm the address again to get mail."
    )
    sink.refusal = None
    post(fresh)
    assert jobs.pending() == []


def test_a_temporary_refusal_is_retried_and_then_dead_lettered(
    sink: Sink, reader: Account, caplog: pytest.LogCaptureFixture
) -> None:
    sink.refusal = "451 Try again later"
    with time_machine.travel(MOMENT, tick=False) as clock:
        post(reader)
        job_runner.run_due()
        assert accounts.get(int(reader.id)).confirmed_email == "alice@example.org"
        for _ in range(job_runner.ATTEMPTS):
            clock.shift(timedelta(hours=1))
            job_runner.run_due()
    (dead,) = jobs.dead()
    assert (dead.name, jobs.pending(), sink.mails) == ("mail-notification", [], [])


def test_an_unreachable_server_is_retried(reader: Account, caplog: pytest.LogCaptureFixture) -> None:
    with settings.override(smtp_url="smtp://user:s3cret@127.0.0.1:1", mail_from=SENDER, mail_base_url=URL):
        post(reader)
        job_runner.run_due()
    (job,) = jobs.pending()
    assert job.attempts == 1
    assert "s3cret" not in caplog.text + str(job.error)


def test_a_mail_is_dropped_if_mail_was_turned_off_meanwhile(
    sink: Sink, reader: Account, caplog: pytest.LogCaptureFixture
) -> None:
    post(reader)
    with settings.override(smtp_url=""):
        job_runner.run_due()
    assert (sink.mails, jobs.pending()) == ([], [])
    assert "a mail was dropped" in caplog.text


def test_a_password_is_sent_to_the_server_of_this_machine() -> None:
    given: list[tuple[bytes, bytes]] = []

    def check(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
        given.append((data.login, data.password))  # type: ignore[attr-defined]
        return AuthResult(success=True)

    with receiving(authenticator=check, auth_require_tls=False) as sink:
        url = settings.current().smtp_url.replace("smtp://", "smtp://us%40er:p%2Fw@")
        with settings.override(smtp_url=url):
            transport.send(mail())
    assert (given, len(sink.mails)) == ([(b"us@er", b"p/w")], 1)


def test_more_mails_than_twenty_an_hour_are_in_the_digest(sink: Sink, reader: Account) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        for number in range(23):
            post(reader, f"{number}.")
        job_runner.run_due()
        assert len(sink.mails) == delivery.MOST_PER_HOUR
        clock.move_to(datetime(2026, 3, 2, 6, tzinfo=UTC))
        job_runner.run_due()
    assert len(sink.mails) == delivery.MOST_PER_HOUR + 1
    assert sink.mails[-1].message["Subject"] == "3 notifications of 2026-03-01"


def test_a_digest_has_the_notifications_of_a_day(sink: Sink, reader: Account) -> None:
    preferences.set_digest(reader, True)
    with time_machine.travel(MOMENT, tick=False) as clock:
        post(reader, "First <b>.")
        clock.shift(60)
        post(reader, "Second.")
        preferences.choose(reader, {"key.created": "inbox"})
        post(reader, "Not by mail.")
        job_runner.run_due()
        assert sink.mails == []
        clock.move_to(datetime(2026, 3, 2, 5, 59, tzinfo=UTC))
        job_runner.run_due()
        assert sink.mails == []
        clock.move_to(datetime(2026, 3, 2, 6, tzinfo=UTC))
        job_runner.run_due()
    (mail,) = sink.mails
    stop = f"{URL}{unsubscribing.path_for(int(reader.id), 'all')}"
    assert (mail.message["Subject"], mail.message["List-Unsubscribe"]) == ("2 notifications of 2026-03-01", f"<{stop}>")
    assert (
        mail.text
        == f"""\
Hello Alice,

These are your notifications of 2026-03-01:

* First <b>.
  {URL}/account/keys
* Second.
  {URL}/account/keys

{SIGNATURE}
Moonbase at {URL}/
Settings: {URL}/account/notifications/settings
No more mails about notifications: {stop}
"""
    )
    assert f'<li><a href="{URL}/account/keys">First &lt;b&gt;.</a></li>' in mail.html


def test_a_digest_is_sent_once_and_names_the_rest_of_a_long_day(sink: Sink, reader: Account) -> None:
    preferences.set_digest(reader, True)
    with time_machine.travel(MOMENT, tick=False) as clock:
        for number in range(60):
            post(reader, f"{number}.")
        (job,) = jobs.pending()
        clock.move_to(datetime(2026, 3, 2, 6, tzinfo=UTC))
        job_runner.run_due()
        delivery.mail_digest(job.payload)
    (mail,) = sink.mails
    assert mail.text.count("* ") == 50
    assert f"10 more: {URL}/account/notifications\n" in mail.text


def test_essential_mails_do_not_wait_for_the_digest(sink: Sink, reader: Account) -> None:
    preferences.set_digest(reader, True)
    accounts.set_password(reader, "white rabbit")
    job_runner.run_due()
    assert len(sink.mails) == 1


def test_a_link_stops_the_mails_of_its_kind(reader: Account) -> None:
    path = unsubscribing.path_for(int(reader.id), "key.created")
    assert path == unsubscribing.path_for(int(reader.id), "key.created")
    subscription = unsubscribing.read(path.removeprefix(unsubscribing.PATH))
    subscription.stop()
    subscription.stop()
    assert accounts.get(int(reader.id)).channels == {"key.created": "inbox"}


@moto_only
def test_ses_sends_the_same_message(reader: Account) -> None:
    aws.client("ses").verify_domain_identity(Domain="example.org")
    with settings.override(smtp_url="ses:", mail_from=SENDER, mail_base_url=URL):
        post(reader)
        job_runner.run_due()
    from moto.backends import get_backend
    from moto.core import DEFAULT_ACCOUNT_ID

    (sent,) = get_backend("ses")[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages
    assert (sent.source, {*sent.destinations}) == (SENDER, {"alice@example.org"})
    assert re.search("^Subject: A key was created.\r?$", sent.raw_data, re.MULTILINE)
    assert jobs.pending() == []


@moto_only
def test_a_sender_that_ses_does_not_know_is_retried(reader: Account, caplog: pytest.LogCaptureFixture) -> None:
    with settings.override(smtp_url="ses:", mail_from=SENDER, mail_base_url=URL):
        post(reader)
        job_runner.run_due()
    (job,) = jobs.pending()
    assert (job.attempts, accounts.get(int(reader.id)).confirmed_email) == (1, "alice@example.org")
