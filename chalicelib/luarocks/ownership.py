"""Who may publish a module: the account below whose name it lies, which holds it, and its other owners.

Owners publish, describe, archive and delete versions; the holder also says who owns it, and may delete it. Nobody
becomes an owner unasked: an upload goes to the one module of a name that an account owns, so who could make somebody an
owner could also catch their uploads.
"""

from collections.abc import Mapping

from chalicelib.core.caller import Caller
from chalicelib.core.catalogue import Changes
from chalicelib.core.entries import replace
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.snapshots import Entry, Snapshot
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from chalicelib.luarocks import index, modules
from chalicelib.luarocks.entry import ModuleEntry


def add(user: str, name: str, account: Account, by: Caller | None) -> Entry[ModuleEntry] | None:
    """Make `account` an owner: at once where the administrator says so, else invite it.

    An invited account accepts by the same call. Raises Invalid, NotFound or Forbidden.
    """
    nick, number = account.username.lower(), int(account.id)

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        value = entry.value
        if number == value.user_id or number in value.owners.values():
            return {}
        accepts = by is None or (by.account.id == number and number in value.invited.values())
        if not accepts:
            modules.require_holder(value, by)
            modules.record(writes, value, by, "module.invite-owner", number, owner=nick)
            return {entry.key: modules.change(value, replace(value, invited={**value.invited, nick: number}), writes)}
        if index.module(snapshot, index.owner_place(number), name) is not None:
            raise Invalid(f"{nick} has a module {value.name} already")
        modules.record(writes, value, by, "module.add-owner", number, owner=nick)
        joined = replace(value, owners={**value.owners, nick: number}, invited=_without(value.invited, number))
        return {entry.key: modules.change(value, joined, writes)}

    return modules.alter(user, name, decide)


def remove(user: str, name: str, account: Account, by: Caller | None) -> Entry[ModuleEntry] | None:
    """End an account's part in a module, or its invitation; everybody may end their own.

    Raises Invalid, NotFound or Forbidden.
    """
    number = int(account.id)

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        value = entry.value
        if by is None or by.account.id != number:
            modules.require_holder(value, by)
        if number == value.user_id:
            raise Invalid(f"{value.name} lies below the name of {value.user}: transfer it first")
        rest = replace(value, owners=_without(value.owners, number), invited=_without(value.invited, number))
        if rest == value:
            raise NotFound(f"{account.username} does not own this module.")
        modules.record(writes, value, by, "module.remove-owner", number, owner=account.username.lower())
        return {entry.key: modules.change(value, rest, writes)}

    return modules.alter(user, name, decide)


def transfer(user: str, name: str, account: Account, by: Caller | None) -> Entry[ModuleEntry] | None:
    """Put a module below another owner's name, root slot and files with it; who held it stays an owner.

    The administrator may give it to anybody who has none of that name. Raises Invalid, NotFound or Forbidden.
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
        modules.record(writes, value, by, "module.transfer", number, to=nick)
        moved = replace(value, user=nick, user_id=number, owners=owners, invited=invited)
        return {entry.key: None, index.key_of(nick, name): modules.change(value, moved, writes)}

    return modules.alter(user, name, decide)


def _require_free(
    value: ModuleEntry, snapshot: Snapshot[ModuleEntry], number: int, nick: str, by: Caller | None
) -> None:
    """Raises Invalid unless somebody who is no owner yet may be given the module."""
    if by is not None:
        raise Invalid(f"{nick} does not own {value.name}: invite them first")
    if index.module(snapshot, index.owner_place(number), value.name) is not None:
        raise Invalid(f"{nick} has a module {value.name} already")


def _without(accounts: Mapping[str, int], number: int) -> dict[str, int]:
    return {nick: each for nick, each in accounts.items() if each != number}
