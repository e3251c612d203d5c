"""The jobs that send mails about notifications: one for each, or one a day for all."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from chalicelib.core import limits, registry
from chalicelib.core.errors import TooMany
from chalicelib.core.mail import transport
from chalicelib.core.mail.message import Mail, Undeliverable
from chalicelib.core.mail.rendering import render, url_of
from chalicelib.core.notifications import inbox
from chalicelib.core.notifications.posting import address_of, enqueue_digest, notify
from chalicelib.core.notifications.unsubscribing import ALL, path_for
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Account, Mailbox, Notification, now

MOST_PER_HOUR = 20  # mails to one account; further notifications are in the digest of the day
MOST_LISTED = 50  # notifications in a digest; it says how many more there are
_MOST_READ = 1000
REFUSED = "mail.refused"  # the kind of the notification that an address was refused
_log = logging.getLogger(__name__)


def mail_one(payload: dict[str, Any]) -> None:
    """Send the mail about one notification, if it still exists and its address is still confirmed."""
    account = Account.find(f"account#{payload['account']}", "account")
    notification = Notification.find(inbox.pk_of(payload["account"]), payload["notification"])
    if account is None or notification is None or notification.mailed_at:
        return
    address = notification.address or address_of(account)
    if address is None:
        return
    if not _is_essential(notification) and not _may_send(account):
        _postpone(account, notification)
        return
    unsubscribe = None if _is_essential(notification) else path_for(int(account.id), notification.about)
    text, html = render("notification", username=account.username, notification=notification, unsubscribe=unsubscribe)
    mail_id = f"{int(account.id)}.{notification.sk}"
    if _send(account, Mail(address, notification.subject, text, html, mail_id, _list_headers(unsubscribe))):
        notification.update_or_read([Notification.mailed_at.set(now())], Notification.pk.exists())


def mail_digest(payload: dict[str, Any]) -> None:
    """Send the mail about the notifications of a day, which has ended."""
    day = payload["day"]
    account = Account.find(f"account#{payload['account']}", "account")
    address = address_of(account) if account else None
    if account is None or address is None or _has_digest(account, day):
        return
    found = _of_day(account, day)
    if found:
        _send_digest(account, address, day, found)
    Mailbox(account.pk, "mailbox").update_or_read([Mailbox.kind.set(Mailbox), Mailbox.digest.set(day)])


def refuse(account: Account, address: str) -> None:
    """Send nothing more to an address that was refused, until it is confirmed again, and say so in the inbox."""
    _log.warning("the address of account %d was refused", account.id)
    writes = Transaction()
    writes.update(account, [Account.confirmed_email.remove()], Account.confirmed_email == address)
    account.confirmed_email = None
    subject = "Mail to your address was refused. Confirm the address again to get mail."
    notify(writes, account, REFUSED, subject, "/account/password")
    with suppress(Contended):  # the address was changed meanwhile, or is not the account's
        writes.commit()


def _is_essential(notification: Notification) -> bool:
    kind = registry.current().notification_kinds.get(notification.about)
    return kind is not None and kind.essential


def _may_send(account: Account) -> bool:
    try:
        limits.count(f"mail#{int(account.id)}", MOST_PER_HOUR, 3600)
    except TooMany:
        return False
    return True


def _postpone(account: Account, notification: Notification) -> None:
    writes = Transaction()
    enqueue_digest(writes, int(account.id), notification.sk[:8])
    writes.commit()


def _has_digest(account: Account, day: str) -> bool:
    mailbox = Mailbox.find(account.pk, "mailbox")
    return mailbox is not None and (mailbox.digest or "") >= day


def _of_day(account: Account, day: str) -> list[Notification]:
    """The notifications of a day about which a mail is wanted and was not sent, oldest first."""
    found = Notification.query(
        inbox.pk_of(int(account.id)), Notification.sk.between(day, f"{day}~"), consistent_read=True
    )
    return [each for each in islice(found, _MOST_READ) if each.by_mail and not each.mailed_at]


def _send_digest(account: Account, address: str, day: str, found: Sequence[Notification]) -> None:
    unsubscribe = path_for(int(account.id), ALL)
    date, more = f"{day[:4]}-{day[4:6]}-{day[6:]}", max(0, len(found) - MOST_LISTED)
    text, html = render(
        "digest",
        username=account.username,
        date=date,
        notifications=found[:MOST_LISTED],
        more=more,
        unsubscribe=unsubscribe,
    )
    noun = "notification" if len(found) == 1 else "notifications"
    subject = f"{len(found)} {noun} of {date}"
    _send(account, Mail(address, subject, text, html, f"{int(account.id)}.{day}", _list_headers(unsubscribe)))


def _send(account: Account, mail: Mail) -> bool:
    """Send a mail; return False if its address was refused."""
    try:
        transport.send(mail)
    except Undeliverable:
        refuse(account, mail.to)
        return False
    return True


def _list_headers(unsubscribe: str | None) -> dict[str, str]:
    """The headers with which a mail program offers to unsubscribe by one request (RFC 8058)."""
    if unsubscribe is None:
        return {}
    return {
        "List-Unsubscribe": f"<{url_of(unsubscribe)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
