"""The inbox of an account: its notifications of the last 90 days, newest first."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from chalicelib.core.errors import NotFound
from chalicelib.core.tables import Account, Mailbox, Notification

RETENTION = timedelta(days=90)
_SK = re.compile(r"[0-9]{8}T[0-9]{12}-[0-9a-f]{8}")
MOST_COUNTED = 100  # unread notifications; this number means so many or more


def pk_of(account_id: int) -> str:
    """The partition of an account's notifications."""
    return f"inbox#{account_id}"


def sk_of(at: datetime) -> str:
    """The beginning of the sort key of a notification of this time; it needs no encoding in a URL."""
    return f"{at:%Y%m%dT%H%M%S%f}"


def is_sk(text: str) -> bool:
    """Whether this can be the sort key of a notification."""
    return _SK.fullmatch(text) is not None


def microseconds(at: datetime) -> int:
    """A time as the `id` of notifications."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def entries(account: Account, before: str | None = None, limit: int | None = None) -> Iterator[Notification]:
    """An account's notifications, newest first: all, or at most `limit` before the one with the sk `before`."""
    older = Notification.sk < before if before else None
    found = Notification.query(pk_of(int(account.id)), older, scan_index_forward=False, limit=limit)
    oldest = sk_of(datetime.now(UTC) - RETENTION)  # DynamoDB deletes expired items some time after their expiry
    return takewhile(lambda notification: notification.sk >= oldest, found)


def read_until(account: Account) -> int:
    """The time up to which all notifications have been read, in epoch microseconds."""
    mailbox = Mailbox.find(account.pk, "mailbox")
    return int(mailbox.read_until or 0) if mailbox else 0


def is_read(notification: Notification, until: int) -> bool:
    """Whether a notification has been read; `until` is the `read_until` of its account."""
    return notification.listing is None or notification.id <= until


def count_unread(account: Account, until: int) -> int:
    """The number of unread notifications, at most MOST_COUNTED; `until` is the `read_until` of the account."""
    after = max(until, microseconds(datetime.now(UTC) - RETENTION))
    unread = Notification.by_listing.query(_unread(account), Notification.id > after, limit=MOST_COUNTED)
    return sum(1 for _ in unread)


def mark_all_read(account: Account) -> None:
    """Mark all notifications as read that exist now, in one write."""
    moment = microseconds(datetime.now(UTC))
    Mailbox(account.pk, "mailbox").update_or_read([Mailbox.kind.set(Mailbox), Mailbox.read_until.set(moment)])


def mark_read(account: Account, sk: str) -> None:
    """Mark one notification as read. Raises NotFound."""
    item = Notification(pk_of(int(account.id)), sk)
    if not is_sk(sk) or not item.update_or_read([Notification.listing.remove()], Notification.pk.exists())[0]:
        raise _unknown()


def delete(account: Account, sk: str) -> None:
    """Delete one notification. Raises NotFound."""
    item = Notification.find(pk_of(int(account.id)), sk) if is_sk(sk) else None
    if item is None:
        raise _unknown()
    item.delete()


def unread_listing(account_id: int) -> str:
    """The list of an account's unread notifications."""
    return f"unread#{account_id}"


def _unread(account: Account) -> str:
    return unread_listing(int(account.id))


def _unknown() -> NotFound:
    return NotFound("There is no such notification.")
