"""`notify` adds a notification to the transaction of its cause."""

import secrets
from datetime import UTC, datetime, timedelta

from chalicelib.core import jobs, registry
from chalicelib.core.declaration import NotificationKind
from chalicelib.core.mail import transport
from chalicelib.core.mail.message import one_line
from chalicelib.core.notifications import inbox
from chalicelib.core.notifications.preferences import MAIL, OFF, channel_of
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Notification

MAIL_ONE = "mail-notification"  # the job that sends a mail about one notification
MAIL_DIGEST = "mail-digest"  # the job that sends a mail about all notifications of a day
_HOUR_OF_DIGEST = 6
_LONGEST_SUBJECT, _LONGEST_TEXT = 200, 1000


def notify(
    writes: Transaction,
    account: Account,
    kind: str,
    subject: str,
    link: str | None = None,
    *,
    text: str = "",
    address: str | None = None,
) -> None:
    """Add a notification to a transaction: one item, and a job if it is mailed; nothing if the account wants none.

    `kind` is declared by a slice. `subject` is a sentence in one line, and `link` a path of this server. Mail goes to
    the confirmed address of the account, or to `address`, which was confirmed before.
    """
    declared = registry.current().notification_kinds[kind]
    channel = channel_of(account, declared)
    if channel == OFF:
        return
    at = datetime.now(UTC)
    by_mail = channel == MAIL and transport.is_on() and bool(address or address_of(account))
    notification = Notification(
        inbox.pk_of(int(account.id)),
        f"{inbox.sk_of(at)}-{secrets.token_hex(4)}",
        listing=inbox.unread_listing(int(account.id)),
        id=inbox.microseconds(at),
        about=kind,
        subject=one_line(subject)[:_LONGEST_SUBJECT],
        text="\n".join(map(one_line, text.splitlines()))[:_LONGEST_TEXT] or None,
        link=link,
        by_mail=by_mail,
        address=address,
        expires_at=at + inbox.RETENTION,
    )
    writes.put(notification)
    if by_mail:
        _enqueue_mail(writes, account, declared, notification)


def address_of(account: Account) -> str | None:
    """The account's e-mail address, if it has been confirmed and the account is not suspended."""
    confirmed = account.email == account.confirmed_email and not account.suspended
    return account.email if confirmed else None


def enqueue_digest(writes: Transaction, account_id: int, day: str) -> None:
    """Enqueue the digest of a day such as `20260301` in a transaction."""
    wait = max(0.0, (time_of_digest(day) - datetime.now(UTC)).total_seconds())
    jobs.enqueue(writes, MAIL_DIGEST, {"account": account_id, "day": day}, once=f"{account_id}#{day}", delay=wait)


def time_of_digest(day: str) -> datetime:
    """The time at which the digest of a day is sent: in the morning of the next one, UTC."""
    return datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1, hours=_HOUR_OF_DIGEST)


def _enqueue_mail(writes: Transaction, account: Account, kind: NotificationKind, notification: Notification) -> None:
    if account.daily_digest and not kind.essential:
        enqueue_digest(writes, int(account.id), notification.sk[:8])
    else:
        jobs.enqueue(writes, MAIL_ONE, {"account": int(account.id), "notification": notification.sk})
