"""Who may publish a module: the account below whose name it lies, which holds it, and its other owners.

Owners publish, describe, archive and delete versions; the holder also says who owns it, and may delete it. Nobody
becomes an owner unasked: an upload goes to the one module of a name that an account owns, so who could make somebody an
owner could also catch their uploads.
"""

from chalicelib.core.caller import Caller
from chalicelib.core.catalogue import Changes
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.snapshots import Entry, Snapshot, Value
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from chalicelib.luarocks import index, modules


def add(user: str, name: str, account: Account, by: Caller | None) -> Entry | None:
    """Make `account` an owner: at once where the administrator says so, else invite it.

    An invited account accepts by the same call. Raises Invalid, NotFound or Forbidden.
    """
    nick, number = account.username.lower(), int(account.id)

    def decide(entry: Entry, snapshot: Snapshot, writes: Transaction) -> Changes:
        value = entry.value
        owners, invited = value.get("owners", {}), value.get("invited", {})
        if number == value["user_id"] or number in owners.values():
            return {}
        accepts = by is None or (by.account.id == number and number in invited.values())
        if not accepts:
            modules.require_holder(value, by)
            modules.record(writes, value, by, "module.invite-owner", number, owner=nick)
            return {entry.key: modules.change(value, writes, invited={**invited, nick: number})}
        if index.module(snapshot, index.owner_place(number), name) is not None:
            raise Invalid(f"{nick} has a module {value['name']} already")
        modules.record(writes, value, by, "module.add-owner", number, owner=nick)
        rest = _without(invited, number)
        return {entry.key: modules.change(value, writes, owners={**owners, nick: number}, invited=rest)}

    return modules.alter(user, name, decide)


def remove(user: str, name: str, account: Account, by: Caller | None) -> Entry | None:
    """End an account's part in a module, or its invitation; everybody may end their own.

    Raises Invalid, NotFound or Forbidden.
    """
    number = int(account.id)

    def decide(entry: Entry, snapshot: Snapshot, writes: Transaction) -> Changes:
        value = entry.value
        if by is None or by.account.id != number:
            modules.require_holder(value, by)
        if number == value["user_id"]:
            raise Invalid(f"{value['name']} lies below the name of {value['user']}: transfer it first")
        owners, invited = _without(value.get("owners", {}), number), _without(value.get("invited", {}), number)
        if (owners, invited) == (value.get("owners", {}), value.get("invited", {})):
            raise NotFound(f"{account.username} does not own this module.")
        modules.record(writes, value, by, "module.remove-owner", number, owner=account.username.lower())
        return {entry.key: modules.change(value, writes, owners=owners, invited=invited)}

    return modules.alter(user, name, decide)


def transfer(user: str, name: str, account: Account, by: Caller | None) -> Entry | None:
    """Put a module below another owner's name, root slot and files with it; who held it stays an owner.

    The administrator may give it to anybody who has none of that name. Raises Invalid, NotFound or Forbidden.
    """
    nick, number = account.username.lower(), int(account.id)

    def decide(entry: Entry, snapshot: Snapshot, writes: Transaction) -> Changes:
        value = entry.value
        modules.require_holder(value, by)
        if number == value["user_id"]:
            return {}
        if number not in value.get("owners", {}).values():
            _require_free(value, snapshot, number, nick, by)
        owners = {**_without(value.get("owners", {}), number), value["user"]: value["user_id"]}
        invited = _without(value.get("invited", {}), number)
        modules.record(writes, value, by, "module.transfer", number, to=nick)
        moved = modules.change(value, writes, user=nick, user_id=number, owners=owners, invited=invited)
        return {entry.key: None, index.key_of(nick, name): moved}

    return modules.alter(user, name, decide)


def _require_free(value: Value, snapshot: Snapshot, number: int, nick: str, by: Caller | None) -> None:
    """Raises Invalid unless somebody who is no owner yet may be given the module."""
    if by is not None:
        raise Invalid(f"{nick} does not own {value['name']}: invite them first")
    if index.module(snapshot, index.owner_place(number), value["name"]) is not None:
        raise Invalid(f"{nick} has a module {value['name']} already")


def _without(accounts: dict[str, int], number: int) -> dict[str, int]:
    return {nick: each for nick, each in accounts.items() if each != number}
