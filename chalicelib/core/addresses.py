"""The confirmation of e-mail addresses by a one-time link. An unconfirmed address gets no other mail."""

from datetime import timedelta
from typing import Any

from chalicelib.core import audit, limits
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, NotFound, TooMany, Unauthenticated
from chalicelib.core.identity import credentials
from chalicelib.core.mail import transport
from chalicelib.core.mail.links import mail_link
from chalicelib.core.mail.message import Undeliverable
from chalicelib.core.mail.requests import request_confirmation
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Credential, now

PATH = "/account/confirm/"
LIFETIME = timedelta(days=2)
MOST_PER_HOUR = 5  # confirmations that an account can request
MOST_MAILS_PER_HOUR = 10  # also those after changes of the address, and after failed attempts
_SERVICE = "confirm-address"


def request(account: Account) -> None:
    """Send the link again. Raises Conflict if the address is confirmed or the server sends no mail, and TooMany."""
    if is_confirmed(account):
        raise Conflict("Your address is confirmed already.")
    if not transport.is_on():
        raise Conflict("This server sends no mail.")
    limits.count(f"confirm#{int(account.id)}", MOST_PER_HOUR, 3600, "Too many mails, try again later.")
    writes = Transaction()
    request_confirmation(writes, int(account.id))
    writes.commit()


def is_confirmed(account: Account) -> bool:
    """Whether the account's address has been confirmed."""
    return bool(account.email == account.confirmed_email)


def mail_confirmation(payload: dict[str, Any]) -> None:
    """Send the link, unless the address is confirmed already or the account had its mails of this hour. This is a job.

    This limits how many strangers one account can send mails to.
    """
    account = Account.find(f"account#{payload['account']}", "account")
    if account is None or account.suspended or is_confirmed(account):
        return
    try:
        limits.count(f"confirm-mail#{int(account.id)}", MOST_MAILS_PER_HOUR, 3600)
    except TooMany:
        return
    credential, secret = credentials.create(
        account, _SERVICE, ends_after=LIFETIME, bound_to=credentials.hash_of(account.email)
    )
    try:
        mail_link(account.email, "Confirm your address", "confirmation", PATH + secret, username=account.username)
    except Undeliverable:
        credentials.revoke(credential)


def account_of(token: str) -> Account:
    """The account whose address a link confirms. Raises Forbidden."""
    return _caller(token).account


def confirm(token: str) -> Account:
    """Confirm the address for which a link was sent; return its account. Raises Forbidden. A link is valid once."""
    caller = _caller(token)
    account, credential = caller.account, caller.credential
    writes = Transaction()
    unused = Credential.pk.exists() & Credential.revoked_at.does_not_exist()
    writes.update(credential, [Credential.revoked_at.set(now())], unused, _no_link())
    writes.update(account, account.assign(confirmed_email=account.email), Account.email == account.email, _no_link())
    writes.put(audit.entry(int(account.id), "account.email-confirmed", account.pk, caller))
    writes.commit()
    return account


def _caller(token: str) -> Caller:
    try:
        caller = credentials.identify(token, _SERVICE)
    except (Unauthenticated, credentials.Revoked, NotFound):
        raise _no_link() from None
    if caller.credential.bound_to != credentials.hash_of(caller.account.email):
        raise _no_link()
    return caller


def _no_link() -> Forbidden:
    return Forbidden("This link is invalid, was used, or has expired.", field="token")
