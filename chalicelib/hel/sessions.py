"""Logging in and out: Moonbase's accounts, their one password and one second factor."""

from datetime import timedelta

from chalicelib.core import accounts, credentials, limits, two_factor
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Invalid, Unauthenticated
from chalicelib.core.tables import Account
from chalicelib.hel import users

LIFETIME = timedelta(days=30)
# Wide, because anybody can use up an account's attempts: its owner waits five minutes at most, and stays logged in
# elsewhere. Narrow enough against guessing: 8,640 passwords a day.
ATTEMPTS = 30
ATTEMPTS_OF_ADDRESS = 100
WINDOW = 300


def log_in(nickname: str, password: str, code: str | None, address: str) -> str:
    """The secret of a new session; `code` proves the second factor where the account has one.

    Raises Invalid, accounts.Suspended, or TooMany after `ATTEMPTS` at an account or `ATTEMPTS_OF_ADDRESS` from an
    address in `WINDOW` seconds.
    """
    users.require_nickname(nickname)
    users.require_password(password)
    if not accounts.is_username(nickname):
        raise _wrong()
    subject = f"hel-log-in#{nickname.lower()}"
    message = "Too many attempts to log in, try again later."
    limits.count(subject, ATTEMPTS, WINDOW, message)
    if address:
        limits.count(f"hel-log-in#{users.network_of(address)}", ATTEMPTS_OF_ADDRESS, WINDOW, message)
    account = _prove_password(nickname, password)
    if account.two_factor:
        _prove_second_factor(account, code)
    limits.forget(subject, WINDOW)
    return credentials.create(account, credentials.SESSION, ends_after=LIFETIME)[1]


def log_out(caller: Caller) -> None:
    """End the session that the caller came with."""
    credentials.revoke(caller.credential, caller)


def _prove_password(nickname: str, password: str) -> Account:
    try:
        return accounts.log_in(nickname, password)
    except Unauthenticated:
        raise _wrong() from None


def _wrong() -> Invalid:
    return Invalid("Incorrect nickname and/or password.")


def _prove_second_factor(account: Account, code: str | None) -> None:
    if not code:
        raise Invalid('This account uses two-factor authentication: send its current code as "code", too.')
    try:
        two_factor.verify(account, code)
    except Unauthenticated:
        raise Invalid("Incorrect verification code.") from None
