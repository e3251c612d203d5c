"""Accounts: one for all four services."""

import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from pynamodb.expressions.update import Action

from chalicelib.core import audit, ids, registry
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from chalicelib.core.identity.passwords import hash_password, matches
from chalicelib.core.mail.requests import request_confirmation
from chalicelib.core.notifications.posting import address_of, notify
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Claim, Credential, now

_USERNAME = re.compile(r"[A-Za-z0-9_-]{2,25}")
_EMAIL = re.compile(r'[^@\s<>()\[\]\\,;:"]{1,64}@[^@\s<>()\[\]\\,;:"]{1,255}')


class UsernameTaken(Conflict):
    """Another account has this username, in any letter case."""


class EmailTaken(Conflict):
    """Another account has this e-mail address."""


class Suspended(Forbidden):
    """The account has been suspended."""


def create(
    username: str,
    email: str,
    password: str | None = None,
    rank: str = "MEMBER",
    also: Callable[[Account, Transaction], None] | None = None,
    *,
    confirmed: bool = False,
) -> Account:
    """Create an account and return it. Raises Invalid, UsernameTaken or EmailTaken.

    An account without a password cannot log in. `also` can add writes to the transaction that creates the account.
    A mail asks to confirm the address unless it is `confirmed` already.
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
        confirmed_email=email if confirmed else None,
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
    if not confirmed:
        request_confirmation(writes, number)
    if also:
        also(account, writes)
    writes.commit()
    return account


def is_username(text: str) -> bool:
    """Whether `text` is a valid username."""
    return _USERNAME.fullmatch(text) is not None


def check_username(text: str) -> None:
    """Raise Invalid unless `text` is a valid username."""
    if not is_username(text):
        raise Invalid("A username has 2 to 25 letters, digits, underscores or hyphens.", field="username")


def get(account_id: int) -> Account:
    """The account with this id; raises NotFound."""
    if account := Account.find(f"account#{account_id}", "account"):
        return account
    raise NotFound("There is no such account.")


def find(username: str) -> Account | None:
    """The account with this username, in any letter case; None if there is none."""
    if not is_username(username):
        return None
    claim = Claim.find(f"username#{username.lower()}", "claim")
    return get(int(claim.holder)) if claim else None


def find_by_email(email: str) -> Account | None:
    """The account with this e-mail address, in any letter case; None if there is none."""
    claim = Claim.find(f"email#{email.lower()}", "claim")
    return get(int(claim.holder)) if claim else None


def named(username: str) -> Account:
    """The account with this username; raises NotFound."""
    if account := find(username):
        return account
    raise NotFound(f"There is no account {username}.")


def list_accounts(after: int = 0, limit: int | None = None) -> Iterator[Account]:
    """The accounts with an id greater than `after`, oldest first: all, or at most `limit`."""
    return iter(Account.by_listing.query("accounts", Account.id > after if after else None, limit=limit))


def log_in(username: str, password: str) -> Account:
    """The account with this username and password.

    Raises Unauthenticated, with the same message and after the same work for an unknown user and a wrong password;
    Suspended; or Busy when too many passwords are being checked.
    """
    account = find(username) or Account.find("account#0", "account")  # no account has id 0: both cases read one item
    if not matches(password, account.password_hash if account else None) or account is None:
        raise Unauthenticated("Wrong username or password.")
    ensure_active(account)
    return account


def suspend(account: Account, by: Caller | None = None) -> None:
    """Suspend the account; its files stay. Raises Conflict, see `change`."""
    _change_now(account, by, suspended=True)


def restore(account: Account, by: Caller | None = None) -> None:
    """End an account's suspension."""
    _change_now(account, by, suspended=False)


def switch(account: Account, attribute: str, on: bool, by: Caller | None = None) -> None:
    """Turn a switch of the account on or off; the declarations define the switches."""
    _change_now(account, by, **{attribute: on})


def is_on(account: Account, attribute: str) -> bool:
    """Whether a switch of the account is on."""
    return bool(getattr(account, attribute))


def ranks() -> tuple[str, ...]:
    """All ranks, lowest first."""
    return registry.current().ranks


def set_password(
    account: Account,
    password: str,
    by: Caller | None = None,
    keep: Credential | None = None,
    also: Callable[[Transaction], None] | None = None,
) -> None:
    """Change the account's password, and end all its sessions except `keep`. Raises Invalid.

    `also` can add writes to the transaction.
    """
    require_existing(account)
    hashed = hash_password(password)
    writes = Transaction()
    actions = account.assign(password_hash=hashed) + new_era(account, writes, keep)
    writes.update(account, actions, Account.pk.exists())
    writes.put(audit.entry(int(account.id), "account.password", account.pk, by))
    notify(writes, account, "account.password", "Your password was changed.", "/account/password")
    if also:
        also(writes)
    writes.commit()


def set_email(account: Account, email: str, by: Caller | None = None) -> None:
    """Change the account's e-mail address. Raises Invalid, EmailTaken, or Conflict after a concurrent change."""
    require_existing(account)
    check_email(email)
    before, meanwhile = account.email, Conflict("The e-mail address was changed meanwhile.")
    if email == before:
        return
    writes, former = Transaction(), address_of(account)
    if email.lower() != before.lower():
        _claim_email(writes, int(account.id), email)
        own = Claim.holder == str(int(account.id))
        writes.delete(Claim(f"email#{before.lower()}", "claim"), own, meanwhile)
    writes.update(account, account.assign(email=email), Account.email == before, meanwhile)
    writes.put(audit.entry(int(account.id), "account.email", account.pk, by))
    subject = f"Your e-mail address was changed to {email}."
    notify(writes, account, "account.email", subject, "/account/password", address=former)
    request_confirmation(writes, int(account.id))
    writes.commit()


def change(account: Account, writes: Transaction, by: Caller | None = None, **values: Any) -> None:
    """Change `rank`, `suspended` and switches in a transaction, each with its audit entry.

    Only another active administrator can demote or suspend an administrator. The transaction checks that, so at least
    one administrator remains. Raises Invalid and Conflict.
    """
    require_existing(account)
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
    """End all sessions of the account except `keep`; return the actions for the account's update in `writes`.

    A session is valid while its era is the account's. `keep` gets the new era.
    """
    era = secrets.token_hex(8)
    if keep:
        live = Credential.pk.exists() & Credential.revoked_at.does_not_exist()
        writes.update(keep, keep.assign(era=era), live, Unauthenticated("This session has ended."))
    return account.assign(era=era)


def ensure_active(account: Account) -> None:
    """Raise Suspended if the account is suspended."""
    if account.suspended:
        raise Suspended("Your account has been suspended.")


def check_email(email: str) -> None:
    """Raise Invalid unless `email` is an e-mail address."""
    if not (_EMAIL.fullmatch(email) and email.isprintable()):
        raise Invalid("This is not an e-mail address.", field="email")


def check_rank(rank: str) -> None:
    """Raise Invalid unless `rank` is a rank."""
    if rank not in ranks():
        raise Invalid(f"There is no rank {rank}; the ranks are {', '.join(ranks())}.", field="rank")


def require_existing(account: Account) -> None:
    """Raise Conflict for a deleted account, see core/deletion.py."""
    if account.deleted_at:
        raise Conflict(f"The account {account.username} has been deleted.")


def _action(attribute: str, value: Any) -> tuple[str, dict[str, Any]]:
    """The action and the detail of a change in the audit log."""
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
    # The write changes nothing; it is here for its condition.
    writes.update(Account(by.account.pk, "account"), [Account.rank.set("ADMIN")], still, lost)


def _claim_email(writes: Transaction, number: int, email: str) -> None:
    claim = Claim(f"email#{email.lower()}", "claim", holder=str(number))
    writes.create(claim, EmailTaken("This e-mail address is in use.", field="email"))
