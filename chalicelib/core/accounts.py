"""Accounts: one for all four services."""

import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from pynamodb.expressions.update import Action

from chalicelib.core import audit, ids, registry
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from chalicelib.core.passwords import hash_password, matches
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Claim, Credential, now

_USERNAME = re.compile(r"[A-Za-z0-9_-]{2,25}")
_EMAIL = re.compile(r'[^@\s<>()\[\]\\,;:"]{1,64}@[^@\s<>()\[\]\\,;:"]{1,255}')


class UsernameTaken(Conflict):
    """Somebody has this username, in some letter case."""


class EmailTaken(Conflict):
    """Somebody has this e-mail address."""


class Suspended(Forbidden):
    """The account has been suspended."""


def create(
    username: str,
    email: str,
    password: str | None = None,
    rank: str = "MEMBER",
    along: Callable[[Account, Transaction], None] | None = None,
) -> Account:
    """Open an account. Raises Invalid, UsernameTaken or EmailTaken; without a password nobody can log in.

    `along` may add to the transaction that opens it.
    """
    check_username(username)
    check_email(email)
    check_rank(rank)
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
        UsernameTaken("This username is taken.", field="username"),
    )
    _claim_email(writes, number, email)
    writes.put(audit.entry(number, "account.create", account.pk))
    if along:
        along(account, writes)
    writes.commit()
    return account


def is_username(text: str) -> bool:
    """Whether `text` may be somebody's username."""
    return _USERNAME.fullmatch(text) is not None


def check_username(text: str) -> None:
    """Raises Invalid unless it may be somebody's username."""
    if not is_username(text):
        raise Invalid("A username has 2 to 25 letters, digits, underscores or hyphens.", field="username")


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


def listed(after: int = 0, most: int | None = None) -> Iterator[Account]:
    """Accounts, oldest first: all, or at most so many `after` an id."""
    return iter(Account.by_listing.query("accounts", Account.id > after if after else None, limit=most))


def log_in(username: str, password: str) -> Account:
    """The account that this username and password open.

    Raises Unauthenticated, the same for an unknown user and a wrong password and after the same work, Suspended, or
    Busy when too many others are at it.
    """
    account = find(username) or Account.find("account#0", "account")  # nobody's: to look as long as for somebody's
    if not matches(password, account.password_hash if account else None) or account is None:
        raise Unauthenticated("Wrong username or password.")
    ensure_active(account)
    return account


def suspend(account: Account, by: Caller | None = None) -> None:
    """Close the account until it is restored; its files stay. Raises Conflict, see `change`."""
    _change_now(account, by, suspended=True)


def restore(account: Account, by: Caller | None = None) -> None:
    """Open a suspended account again."""
    _change_now(account, by, suspended=False)


def switch(account: Account, attribute: str, on: bool, by: Caller | None = None) -> None:
    """Turn on or off what a slice has declared as a switch of accounts."""
    _change_now(account, by, **{attribute: on})


def is_on(account: Account, attribute: str) -> bool:
    """Whether a switch of the account is on."""
    return bool(getattr(account, attribute))


def ranks() -> tuple[str, ...]:
    """All ranks, lowest first."""
    return registry.current().ranks


def set_password(account: Account, password: str, by: Caller | None = None, keep: Credential | None = None) -> None:
    """Change the account's password, and log it out everywhere but where it uses `keep`. Raises Invalid."""
    hashed = hash_password(password)
    writes = Transaction()
    actions = account.assign(password_hash=hashed) + new_era(account, writes, keep)
    writes.update(account, actions, Account.pk.exists())
    writes.put(audit.entry(int(account.id), "account.password", account.pk, by))
    writes.commit()


def set_email(account: Account, email: str, by: Caller | None = None) -> None:
    """Change the account's e-mail address. Raises Invalid, EmailTaken, or Conflict when it was changed meanwhile."""
    check_email(email)
    before, meanwhile = account.email, Conflict("The e-mail address was changed meanwhile.")
    if email == before:
        return
    writes = Transaction()
    if email.lower() != before.lower():
        _claim_email(writes, int(account.id), email)
        mine = Claim.holder == str(int(account.id))
        writes.delete(Claim(f"email#{before.lower()}", "claim"), mine, meanwhile)
    writes.update(account, account.assign(email=email), Account.email == before, meanwhile)
    writes.put(audit.entry(int(account.id), "account.email", account.pk, by))
    writes.commit()


def change(account: Account, writes: Transaction, by: Caller | None = None, **values: Any) -> None:
    """Put changes of `rank`, `suspended` and switches into a transaction, each with its audit entry.

    Who takes an administrator's power away must be another one, and still be at that moment: so the last one stays.
    Raises Invalid and Conflict.
    """
    rank = values.get("rank", account.rank)
    check_rank(rank)
    if by and account.rank == "ADMIN" and (rank != "ADMIN" or values.get("suspended")):
        _by_another_administrator(writes, account, by)
    for name, value in values.items():
        action, detail = _action(name, value)
        writes.put(audit.entry(int(account.id), action, account.pk, by, **detail))
    actions = [getattr(Account, name).set(value) for name, value in values.items()]
    meanwhile = Conflict("The account was changed meanwhile: look at it again.")
    writes.update(account, actions, Account.rank == account.rank, meanwhile)
    writes.then(lambda: account.assign(**values))


def new_era(account: Account, writes: Transaction, keep: Credential | None = None) -> list[Action]:
    """What ends all the account's sessions, at one stroke: its actions, for the update in the same transaction.

    A session is good in the era in which it began. `keep` is taken into the new one.
    """
    era = secrets.token_hex(8)
    if keep:
        going_on = Credential.pk.exists() & Credential.revoked_at.does_not_exist()
        writes.update(keep, keep.assign(era=era), going_on, Unauthenticated("This session has ended."))
    return account.assign(era=era)


def ensure_active(account: Account) -> None:
    """Raises Suspended."""
    if account.suspended:
        raise Suspended("Your account has been suspended.")


def check_email(email: str) -> None:
    """Raises Invalid for what is no e-mail address."""
    if not (_EMAIL.fullmatch(email) and email.isprintable()):
        raise Invalid("This is not an e-mail address.", field="email")


def check_rank(rank: str) -> None:
    """Raises Invalid for what is no rank."""
    if rank not in ranks():
        raise Invalid(f"There is no rank {rank}; the ranks are {', '.join(ranks())}.", field="rank")


def _action(attribute: str, value: Any) -> tuple[str, dict[str, Any]]:
    """The action and the detail that the audit log has for a change."""
    if attribute == "rank":
        return "account.rank", {"rank": value}
    if attribute == "suspended":
        return "account.suspend" if value else "account.restore", {}
    switch = registry.current().switches[attribute]
    return switch.turned_on if value else switch.turned_off, {}


def _change_now(account: Account, by: Caller | None, **values: Any) -> None:
    writes = Transaction()
    change(account, writes, by, **values)
    writes.commit()


def _by_another_administrator(writes: Transaction, account: Account, by: Caller) -> None:
    if by.account.id == account.id:
        raise Conflict("An administrator cannot do this to their own account: ask another one.")
    still = (Account.rank == "ADMIN") & (Account.suspended == False)  # noqa: E712
    lost = Forbidden("You are no administrator any more.")
    # This changes nothing where the condition holds: it is there for the condition.
    writes.update(Account(by.account.pk, "account"), [Account.rank.set("ADMIN")], still, lost)


def _claim_email(writes: Transaction, number: int, email: str) -> None:
    claim = Claim(f"email#{email.lower()}", "claim", holder=str(number))
    writes.create(claim, EmailTaken("This e-mail address is in use.", field="email"))
