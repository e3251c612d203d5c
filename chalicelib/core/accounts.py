"""Accounts: one for all four services."""

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from chalicelib.core import audit, ids, limits
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Claim, now

if TYPE_CHECKING:
    from argon2 import PasswordHasher

RANKS = (
    "BANNED",
    "NOT_JOINED",
    "NEW_MEMBER",
    "MEMBER",
    "TRUSTED_MEMBER",
    "APPROVER",
    "EDITOR",
    "BOT",
    "MODERATOR",
    "ADMIN",
)
_USERNAME = re.compile(r"[A-Za-z0-9_-]{2,25}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_LONGEST_PASSWORD = 1024
_hashing = limits.Turns(at_once=2, waiting=2)  # each takes 20 MB and tens of milliseconds of a processor
_HASHING = "Too many people are logging in, try again in a moment."


class UsernameTaken(Conflict):
    """Somebody has this username, in some letter case."""


class EmailTaken(Conflict):
    """Somebody has this e-mail address."""


class Suspended(Forbidden):
    """The account has been suspended."""


def create(username: str, email: str, password: str | None = None, rank: str = "MEMBER") -> Account:
    """Open an account. Raises Invalid, UsernameTaken or EmailTaken; without a password nobody can log in."""
    if not is_username(username):
        raise Invalid("A username has 2 to 25 letters, digits, underscores or hyphens.", field="username")
    if not _EMAIL.fullmatch(email):
        raise Invalid("This is not an e-mail address.", field="email")
    if rank not in RANKS:
        raise Invalid(f"There is no rank {rank}; the ranks are {', '.join(RANKS)}.", field="rank")
    hashed = hash_password(password) if password is not None else None
    number = ids.reserve("account")
    account = Account(
        f"account#{number}",
        "account",
        listing="accounts",
        id=number,
        username=username,
        email=email,
        password_hash=hashed,
        rank=rank,
        created_at=now(),
    )
    writes = Transaction()
    writes.create(account)
    writes.create(
        Claim(f"username#{username.lower()}", "claim", holder=str(number)),
        UsernameTaken("This username is taken."),
    )
    writes.create(
        Claim(f"email#{email.lower()}", "claim", holder=str(number)),
        EmailTaken("This e-mail address is in use."),
    )
    writes.put(audit.entry(number, "account.create", f"account#{number}"))
    writes.commit()
    return account


def is_username(text: str) -> bool:
    """Whether `text` may be somebody's username."""
    return _USERNAME.fullmatch(text) is not None


def get(account_id: int) -> Account:
    """The account with this id; raises NotFound."""
    if account := Account.find(f"account#{account_id}", "account"):
        return account
    raise NotFound("There is no such account.")


def find(username: str) -> Account | None:
    """The account with this username, in any letter case."""
    if not is_username(username):
        return None
    claim = Claim.find(f"username#{username.lower()}", "claim")
    return get(int(claim.holder)) if claim else None


def named(username: str) -> Account:
    """The account with this username; raises NotFound."""
    if account := find(username):
        return account
    raise NotFound(f"There is no account {username}.")


def listed() -> Iterator[Account]:
    """All accounts, oldest first."""
    return iter(Account.by_listing.query("accounts"))


def log_in(username: str, password: str) -> Account:
    """The account that this username and password open.

    Raises Unauthenticated, the same for an unknown user and a wrong password and after the same work, Suspended, or
    Busy when too many others are at it.
    """
    from argon2.exceptions import VerificationError

    account = find(username)
    try:
        with _hashing.turn(_HASHING):
            _hasher().verify((account and account.password_hash) or _nobodys_hash(), password[:_LONGEST_PASSWORD])
    except VerificationError:
        raise Unauthenticated("Wrong username or password.") from None
    if account is None or account.password_hash is None or len(password) > _LONGEST_PASSWORD:
        raise Unauthenticated("Wrong username or password.")
    ensure_active(account)
    return account


def suspend(account: Account, by: Caller | None = None) -> None:
    """Close the account until it is restored; its files stay."""
    _set_suspended(account, True, by)


def restore(account: Account, by: Caller | None = None) -> None:
    """Open a suspended account again."""
    _set_suspended(account, False, by)


def ensure_active(account: Account) -> None:
    """Raises Suspended."""
    if account.suspended:
        raise Suspended("Your account has been suspended.")


def hash_password(password: str) -> str:
    """An argon2id hash; raises Invalid for an empty or an immense password."""
    if not password:
        raise Invalid("A password cannot be empty.", field="password")
    if len(password) > _LONGEST_PASSWORD:
        raise Invalid(f"A password has at most {_LONGEST_PASSWORD} characters.", field="password")
    with _hashing.turn(_HASHING):
        return _hasher().hash(password)


def _set_suspended(account: Account, suspended: bool, by: Caller | None) -> None:
    writes = Transaction()
    writes.update(account, [Account.suspended.set(suspended)])
    action = "account.suspend" if suspended else "account.restore"
    writes.put(audit.entry(int(account.id), action, account.pk, by))
    writes.commit()
    account.suspended = suspended


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # what OWASP asks for, and no more


@cache
def _nobodys_hash() -> str:
    return _hasher().hash("nobody's password")
