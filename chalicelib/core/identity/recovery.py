"""The way back to an account after its password is forgotten: a one-time link by mail.

A request only enqueues a job, for unknown names too, so that its answer and its time say nothing about the account.
"""

from datetime import timedelta
from typing import Any

from chalicelib.core import limits
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, Invalid, TooMany, Unauthenticated
from chalicelib.core.identity import accounts, credentials, passwords, proof
from chalicelib.core.mail import transport
from chalicelib.core.mail.links import mail_link
from chalicelib.core.mail.message import Undeliverable
from chalicelib.core.mail.requests import request_password_link
from chalicelib.core.notifications.delivery import refuse
from chalicelib.core.notifications.posting import address_of
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Credential, now

PATH = "/account/new-password/"
LIFETIME = timedelta(minutes=30)
MOST_PER_HOUR = 5  # requests for a name, and mails to an account
MOST_OF_ADDRESS = 20  # requests from a network in an hour
_SERVICE = "password-link"
_LONGEST_NAME = 320
_TOO_MANY = "Too many requests for a new password, try again later."


def request(name: str, address: str) -> None:
    """Send a link to the account with this username or confirmed e-mail address, if there is one.

    `address` is the client's network address. Raises Invalid, Conflict if the server sends no mail, and TooMany.
    """
    if not transport.is_on():
        raise Conflict("This server sends no mail: ask its administrator for a new password.")
    if len(name) > _LONGEST_NAME:
        raise Invalid(f"A name has at most {_LONGEST_NAME} characters.", field="name")
    if network := limits.network_of(address):
        limits.count(f"recover-from#{network}", MOST_OF_ADDRESS, 3600, _TOO_MANY)
    limits.count(f"recover#{credentials.hash_of(name.lower())}", MOST_PER_HOUR, 3600, _TOO_MANY)
    writes = Transaction()
    request_password_link(writes, name, address)
    writes.commit()


def mail_password_link(payload: dict[str, Any]) -> None:
    """Send the link, if there is such an account and its address is confirmed. This is a job."""
    account = accounts.find(payload["name"]) or accounts.find_by_email(payload["name"])
    address = address_of(account) if account else None
    if account is None or address is None:
        return
    try:
        limits.count(f"recover-of#{int(account.id)}", MOST_PER_HOUR, 3600)
    except TooMany:
        return
    _, secret = credentials.create(account, _SERVICE, ends_after=LIFETIME, bound_to=_binding(account))
    values = {"username": account.username, "address": payload["address"], "minutes": 30}
    try:
        mail_link(address, "A new password", "password_link", PATH + secret, **values)
    except Undeliverable:
        refuse(account, address)


def account_of(token: str) -> Account:
    """The account for which a link is valid. Raises Forbidden."""
    return _caller(token).account


def set_password(token: str, password: str, code: str | None) -> None:
    """Set a new password with a link, which is valid once. All sessions of the account end.

    Raises Forbidden for an invalid link or a wrong code, SecondFactorRequired for a missing one, Invalid for a bad
    password, and TooMany.
    """
    caller = _caller(token)
    account = caller.account
    passwords.check_chosen(password, account.username, account.email)
    if account.two_factor:
        proof.prove_code(caller, code)

    def use_link(writes: Transaction) -> None:
        unused = Credential.pk.exists() & Credential.revoked_at.does_not_exist()
        writes.update(caller.credential, [Credential.revoked_at.set(now())], unused, _no_link())

    accounts.set_password(account, password, caller, also=use_link)


def _caller(token: str) -> Caller:
    try:
        caller = credentials.identify(token, _SERVICE)
    except (Unauthenticated, credentials.Revoked):
        raise _no_link() from None
    if caller.credential.bound_to != _binding(caller.account):
        raise _no_link()
    return caller


def _binding(account: Account) -> str:
    """What a link depends on: it becomes invalid with a change of the password, the address or the second factor."""
    return credentials.hash_of(f"{account.era}#{account.two_factor}#{account.email}")


def _no_link() -> Forbidden:
    return Forbidden("This link is invalid, was used, or has expired: request another one.", field="token")
