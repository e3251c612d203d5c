"""Owners of a module: the holder, whose username is in its path, and additional owners.

Owners publish, describe, archive and delete versions. Only the holder adds and removes owners and deletes the module.
An account becomes an owner only by accepting an invitation: an upload goes to the module of that name that the account
owns, so an uninvited ownership could redirect its uploads.
"""

from collections.abc import Mapping

from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from chalicelib.luarocks import history, index, modules
from chalicelib.luarocks.entry import ModuleEntry


def add(user: str, name: str, account: Account, by: Caller | None) -> Entry[ModuleEntry] | None:
    """Invite `account` as an owner; for the administrator at the command line, make it an owner immediately.

    An invited account accepts with the same call. Raises Invalid, NotFound or Forbidden.
    """
    nick, number = account.username.lower(), int(account.id)

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        value = entry.value
        is_owner = number == value.user_id or number in value.owners.values()
        accepts = by is None or (by.account.id == number and (is_owner or number in value.invited.values()))
        if not accepts:
            modules.require_holder(value, by)  # first: the response shows pending invitations
        if is_owner:
            return {}
        if not accepts:
            history.record(writes, value, by, "module.invite-owner", number, owner=nick)
            return {entry.key: modules.change(value, replace(value, invited={**value.invited, nick: number}), writes)}
        if index.module(snapshot, index.owner_group(number), name) is not None:
            raise Invalid(f"{nick} already has a module {value.name}")
        joined = replace(value, owners={**value.owners, nick: number}, invited=_without(value.invited, number))
        history.record(writes, value, by, "module.add-owner", number, owner=nick)
        history.announce(writes, joined, by, "module", "change")
        return {entry.key: modules.change(value, joined, writes)}

    return modules.alter(user, name, decide)


def remove(user: str, name: str, account: Account, by: Caller | None) -> Entry[ModuleEntry] | None:
    """Remove an owner or an invitation; every account can remove itself.

    Raises Invalid, NotFound or Forbidden.
    """
    number = int(account.id)

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        value = entry.value
        if by is None or by.account.id != number:
            modules.require_holder(value, by)
        if number == value.user_id:
            raise Invalid(f"{value.user} is the holder of {value.name}: transfer it first")
        rest = replace(value, owners=_without(value.owners, number), invited=_without(value.invited, number))
        if rest == value:
            raise NotFound(f"{account.username} does not own this module.")
        history.record(writes, value, by, "module.remove-owner", number, owner=account.username.lower())
        if number in value.owners.values():
            history.announce(writes, value, by, "module", "change")
        return {entry.key: modules.change(value, rest, writes)}

    return modules.alter(user, name, decide)


def transfer(user: str, name: str, account: Account, by: Caller | None) -> Entry[ModuleEntry] | None:
    """Transfer a module to another owner, with its root slot and files; the former holder stays an owner.

    The administrator at the command line can transfer it to any account without a module of that name. Raises Invalid,
    NotFound or Forbidden.
    """
    nick, number = account.username.lower(), int(account.id)

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        value = entry.value
        modules.require_holder(value, by)
        if number == value.user_id:
            return {}
        if number not in value.owners.values():
            _require_free(value, snapshot, number, nick, by)
        owners = {**_without(value.owners, number), value.user: value.user_id}
        invited = _without(value.invited, number)
        moved = replace(value, user=nick, user_id=number, owners=owners, invited=invited)
        history.record(writes, value, by, "module.transfer", number, to=nick)
        history.announce(writes, moved, by, "module", "transfer", former_name=f"{value.user}/{value.name}")
        return {entry.key: None, index.key_of(nick, name): modules.change(value, moved, writes)}

    return modules.alter(user, name, decide)


def _require_free(
    value: ModuleEntry, snapshot: Snapshot[ModuleEntry], number: int, nick: str, by: Caller | None
) -> None:
    """Raise Invalid unless the module can be transferred to an account that is not an owner."""
    if by is not None:
        raise Invalid(f"{nick} does not own {value.name}: invite them first")
    if index.module(snapshot, index.owner_group(number), value.name) is not None:
        raise Invalid(f"{nick} already has a module {value.name}")


def _without(accounts: Mapping[str, int], number: int) -> dict[str, int]:
    return {nick: each for nick, each in accounts.items() if each != number}
