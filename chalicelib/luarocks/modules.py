"""Modules: lookup, permissions and changes."""

from collections.abc import Callable
from typing import TypedDict, Unpack

from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import Forbidden, Invalid, NotFound
from chalicelib.core.identity import names
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import now
from chalicelib.luarocks import history, index, items, lasting
from chalicelib.luarocks.entry import ModuleEntry, VersionEntry
from chalicelib.luarocks.tables import Module, module_pk


class ModuleEdit(TypedDict, total=False):
    """Changes of a module's description; None clears a field."""

    display_name: str | None
    summary: str | None
    description: str | None
    license: str | None
    homepage: str | None
    labels: tuple[str, ...]
    archived: bool
    reason: str | None
    immutable: bool


EDITABLE = tuple(ModuleEdit.__annotations__)


def get(snapshot: Snapshot[ModuleEntry], user: str, name: str) -> Entry[ModuleEntry]:
    """The module `name` of an account, in any letter case; raises NotFound."""
    if entry := snapshot.entries.get(index.key_of(user, name)):
        return entry
    raise NotFound("There is no such module.")


def version(value: ModuleEntry, name: str) -> VersionEntry:
    """One version of a module, in any letter case; raises NotFound."""
    if found := value.versions.get(name.lower()):
        return found
    raise NotFound("There is no such version.")


def is_owner(value: ModuleEntry, caller: Caller) -> bool:
    """Whether the caller can publish versions of this module: its holder, additional owners and administrators can."""
    number = int(caller.account.id)
    return number == value.user_id or number in value.owners.values() or lasting.is_administrator(caller)


def require_owner(value: ModuleEntry, by: Caller | None) -> None:
    """Raise Forbidden unless `by` is an owner, or None: the administrator at the command line."""
    if by is not None and not is_owner(value, by):
        raise Forbidden("Only the owners of a module may do this.")


def require_holder(value: ModuleEntry, by: Caller | None) -> None:
    """Raise Forbidden unless the module is below the username of `by`, or `by` is an administrator."""
    if by is not None and by.account.id != value.user_id and not lasting.is_administrator(by):
        raise Forbidden(f"Only {value.user}, the holder of this module, may do this.")


Decide = Callable[[Entry[ModuleEntry], Snapshot[ModuleEntry], Transaction], Changes[ModuleEntry]]


def alter(user: str, name: str, decide: Decide) -> Entry[ModuleEntry] | None:
    """Publish the changes that `decide` returns for a module; return its new entry, or None if it was deleted.

    Raises NotFound, and the errors of `decide`.
    """

    def decide_for_module(snapshot: Snapshot[ModuleEntry], writes: Transaction) -> tuple[Changes[ModuleEntry], int]:
        entry = get(snapshot, user, name)
        return decide(entry, snapshot, writes), entry.value.id

    snapshot, number = index.catalogue.publish(decide_for_module)
    return index.module_with_id(snapshot, name, number)


def change(before: ModuleEntry, after: ModuleEntry, writes: Transaction) -> ModuleEntry:
    """Write the differences between two entries to the module's item; return the new entry with its `updated_at`."""
    moment = now()
    module = Module(module_pk(before.id), "module")
    actions = module.assign(**{**items.changed(before, after), "updated_at": moment})
    writes.update(module, actions, Module.pk.exists())
    return replace(after, updated_at=int(moment.timestamp()))


def edit(user: str, name: str, by: Caller | None, **changes: Unpack[ModuleEdit]) -> Entry[ModuleEntry] | None:
    """Change a module's description. Raises Invalid, NotFound or Forbidden.

    An archived module is in no manifest, and keeps its files, its name and its root slot; `reason` says why. The holder
    can make a module immutable, which only administrators undo.
    """

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        require_owner(entry.value, by)
        shown = changes.get("display_name")
        if shown is not None and shown.lower() != entry.value.name:
            raise Invalid("A display name may differ from the name only in letter case.", field="display_name")
        lasting.require_choice(entry.value, by, changes.get("immutable", entry.value.immutable))
        edited = lasting.edited(entry.value, changes)
        history.record(writes, entry.value, by, "module.edit", **changes)
        history.announce(writes, entry.value, by, "module", history.archiving(entry.value.archived, edited.archived))
        return {entry.key: change(entry.value, edited, writes)}

    return alter(user, name, decide)


def take_root(user: str, name: str, by: Caller | None) -> Entry[ModuleEntry] | None:
    """List a module in the root manifest if its name is free there.

    The slot of a deleted module is reserved for its owners (core/identity/names.py), and stays empty afterwards until
    an owner takes it, so that `luarocks install NAME` does not silently get another author's module. The administrator
    at the command line can give an occupied slot. Raises Invalid, NotFound, Forbidden or NameReserved.
    """

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        require_owner(entry.value, by)
        holder = index.module(snapshot, index.ROOT, name)
        changes: Changes[ModuleEntry] = {}
        if holder is not None and holder.key != entry.key:
            if by is not None:
                raise Invalid(f"The root manifest already has a module {entry.value.name} by {holder.value.user}.")
            changes[holder.key] = change(holder.value, replace(holder.value, in_root=False), writes)
            history.record(writes, holder.value, by, "module.lose-root", to=entry.key)
            history.announce(writes, holder.value, by, "module", "change")
        if holder is None and by is not None:
            names.check("luarocks", entry.value.name, by.account.username)
        history.record(writes, entry.value, by, "module.take-root")
        history.announce(writes, entry.value, by, "module", "change")
        return {**changes, entry.key: change(entry.value, replace(entry.value, in_root=True), writes)}

    return alter(user, name, decide)
