"""Management of other accounts by administrators, and by moderators below their own rank."""

from collections.abc import Iterator

from chalicelib.account.paging import PAGE, cut
from chalicelib.account.profile import LUADNS
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, Invalid
from chalicelib.core.identity import accounts, passwords, sessions, two_factor
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from chalicelib.web.slice import Work, offered


def page(after: int | None, most: int | None) -> tuple[list[Account], int | None]:
    """A page of accounts, oldest first, and the id after which the next page begins, or None."""
    most = most or PAGE
    return cut(accounts.list_accounts(after or 0, most + 1), most, lambda account: int(account.id))


def change(caller: Caller, username: str, rank: str | None, suspended: bool | None, luadns: bool | None) -> Account:
    """Change an account's rank, its suspension and its access to LuaDNS' API in one transaction; None keeps a value.

    Raises NotFound, Invalid, Forbidden, and the Conflict of accounts.change.
    """
    account = accounts.named(username)
    wanted = {"rank": rank, "suspended": suspended, LUADNS: luadns}
    given = {name: value for name, value in wanted.items() if value is not None}
    if not given:
        raise Invalid("Set at least one of rank, suspended and luadns.")
    _require_power(caller, account, rank)
    if luadns is not None:
        _require_administrator(caller)
    changes = {name: value for name, value in given.items() if getattr(account, name) != value}
    if changes:
        writes = Transaction()
        accounts.change(account, writes, caller, **changes)
        writes.commit()
    return account


def end_sessions(caller: Caller, username: str) -> None:
    """End all sessions of an account. Raises NotFound or Forbidden."""
    account = accounts.named(username)
    _require_power(caller, account)
    sessions.end_all(account, by=caller)


def set_password(caller: Caller, username: str, password: str) -> None:
    """Set another account's password, which ends its sessions. Raises NotFound, Invalid, Forbidden or Conflict."""
    account = accounts.named(username)
    _require_administrator(caller)
    if account.id == caller.account.id:
        raise Conflict("Change your own password in your settings, with the current one.")
    passwords.check_chosen(password, account.username, account.email)
    accounts.set_password(account, password, caller)


def works_of(username: str) -> Iterator[tuple[str, Work]]:
    """The public works of an account, each with the name of its service."""
    for each in offered():
        if each.works:
            yield from ((each.name, work) for work in each.works.works_of(username))


def reset_two_factor(caller: Caller, username: str) -> None:
    """Turn off an account's second factor, which ends its sessions. Raises NotFound, Forbidden or Conflict."""
    account = accounts.named(username)
    _require_administrator(caller)
    if account.id == caller.account.id:
        raise Conflict("Turn off your own second factor in your settings, with your password and a code.")
    if not account.two_factor:
        raise Conflict("Two-factor authentication is not enabled on this account")
    two_factor.disable(account, caller)


def _require_power(caller: Caller, account: Account, rank: str | None = None) -> None:
    """Raise Forbidden unless the caller's rank permits this: a moderator manages accounts and ranks below their own."""
    if caller.account.rank == "ADMIN":
        return
    accounts.check_rank(rank or account.rank)
    ranks = accounts.ranks()
    highest = max(ranks.index(account.rank), ranks.index(rank or account.rank))
    if caller.account.rank != "MODERATOR" or highest >= ranks.index("MODERATOR"):
        raise Forbidden("A moderator manages accounts below their own rank.")


def _require_administrator(caller: Caller) -> None:
    if caller.account.rank != "ADMIN":
        raise Forbidden("This is for administrators.")
