"""Hel's users: registering, logging in and out. An account is Moonbase's, and serves all its APIs."""

import re
from datetime import timedelta

from chalicelib.core import accounts, credentials, limits, two_factor
from chalicelib.core.accounts import EmailTaken, UsernameTaken
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Invalid, Unauthenticated
from chalicelib.core.tables import Account

SESSION_LIFETIME = timedelta(days=30)
# Wide, because anybody can use up an account's attempts: its owner waits five minutes at most, and stays logged in
# elsewhere. Narrow enough against guessing: 8,640 passwords a day.
ATTEMPTS = 30
WINDOW = 300
_LETTERS = re.compile(r"[A-Za-z0-9_-]+")


def check_nickname(nickname: str) -> None:
    """Raises Invalid for what can be nobody's nickname."""
    if not _LETTERS.fullmatch(nickname):
        raise Invalid("The nickname contains illegal characters.")
    if not accounts.is_username(nickname):
        raise Invalid("A nickname has 2 to 25 characters.")


def register(nickname: str, email: str, password: str) -> None:
    """Open an account. Raises Invalid, in Hel's words and order, also for what is in use."""
    _require_nickname(nickname)
    if not email:
        raise Invalid("Email address isn't specified.")
    _require_password(password)
    check_nickname(nickname)
    try:
        accounts.create(nickname, email, password)
    except UsernameTaken:
        raise Invalid("This nickname is already in use.") from None
    except EmailTaken:
        raise Invalid("This email address is already in use.") from None


def log_in(nickname: str, password: str, code: str | None) -> str:
    """The secret of a new session; `code` proves the second factor where the account has one.

    Raises Invalid, TooMany after `ATTEMPTS` in `WINDOW` seconds, or accounts.Suspended.
    """
    _require_nickname(nickname)
    _require_password(password)
    if not accounts.is_username(nickname):
        raise _wrong()
    subject = f"hel-log-in#{nickname.lower()}"
    limits.count(subject, ATTEMPTS, WINDOW, "Too many attempts to log in, try again later.")
    account = _prove_password(nickname, password)
    if account.two_factor:
        _prove_second_factor(account, code)
    limits.forget(subject, WINDOW)
    return credentials.create(account, credentials.SESSION, ends_after=SESSION_LIFETIME)[1]


def log_out(caller: Caller) -> None:
    """End the session that the caller came with."""
    credentials.revoke(caller.credential, caller)


def _require_nickname(nickname: str) -> None:
    if not nickname:
        raise Invalid("Nickname isn't specified.")


def _require_password(password: str) -> None:
    if not password:
        raise Invalid("Password isn't specified.")


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
