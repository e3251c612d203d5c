"""Links that stop mails without a session (RFC 8058): `<account id>~<kind>~<signature>`.

Each account has a secret of its own for the signatures. It allows nothing but to stop mails.
"""

import hmac
import secrets
from dataclasses import dataclass

from chalicelib.core.errors import NotFound
from chalicelib.core.notifications.preferences import stop_mail
from chalicelib.core.tables import Account, Mailbox

PATH = "/account/unsubscribe/"
ALL = "all"  # every kind that is not essential, for digests


@dataclass(frozen=True)
class Subscription:
    """The mails about one kind of notifications, or about all kinds, of an account."""

    account: Account
    kind: str

    def stop(self) -> None:
        """Send no more such mails."""
        stop_mail(self.account, None if self.kind == ALL else self.kind)


def path_for(account_id: int, kind: str) -> str:
    """The path that stops the mails about a kind, or about ALL."""
    item = Mailbox(f"account#{account_id}", "mailbox")
    secret = Mailbox.unsubscribe_secret | secrets.token_hex(16)
    _, mailbox = item.update_or_read([Mailbox.kind.set(Mailbox), Mailbox.unsubscribe_secret.set(secret)])
    assert mailbox is not None
    return f"{PATH}{account_id}~{kind}~{_signature(mailbox, kind)}"


def read(token: str) -> Subscription:
    """The subscription that a link is for. Raises NotFound."""
    number, _, rest = token.partition("~")
    kind, _, signature = rest.partition("~")
    unknown = NotFound("This link is invalid.")
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise unknown
    mailbox = Mailbox.find(f"account#{number}", "mailbox")
    if mailbox is None or not mailbox.unsubscribe_secret:
        raise unknown
    if not hmac.compare_digest(_signature(mailbox, kind).encode(), signature.encode()):
        raise unknown
    account = Account.find(mailbox.pk, "account")
    if account is None:
        raise unknown
    return Subscription(account, kind)


def _signature(mailbox: Mailbox, kind: str) -> str:
    return hmac.new(mailbox.unsubscribe_secret.encode(), kind.encode(errors="replace"), "sha256").hexdigest()
