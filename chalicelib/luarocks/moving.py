"""Moves modules from another Moonbase: what an upload does not say, such as an archived state."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.storage import Transaction
from chalicelib.luarocks import history, index, items, modules
from chalicelib.luarocks.entry import ModuleEntry, VersionEntry, with_version
from chalicelib.luarocks.tables import Module, Version, module_pk

MODULE_FIELDS = (
    *("display_name", "summary", "description", "license", "homepage", "labels"),
    *("archived", "archive_reason", "immutable", "in_root", "created_at", "updated_at"),
)
VERSION_FIELDS = ("archived", "archive_reason", "development")
_VERSIONS_AT_ONCE = 40  # a transaction has at most 100 items
PAGE_BYTES = 256 * 1024  # of JSON in a page, plus one module

State = Mapping[str, Any]  # fields of an entry with their values


def page(snapshot: Snapshot[ModuleEntry], after: str) -> Iterable[Entry[ModuleEntry]]:
    """All modules, archived ones too, in the order of their keys, from the first one after the key `after` on."""
    keys = snapshot.cached("keys", lambda snapshot: sorted(key for shard in snapshot.shards for key in shard.records))
    return (snapshot.entries[key] for key in keys if key > after)


def restore(user: str, name: str, module: State, versions: Mapping[str, State]) -> bool:
    """Give a module and its versions the state that they had elsewhere; return whether anything changed.

    A module takes the root slot of its name only if no other module has it. Raises NotFound.
    """
    changed = False
    while _restore_some(user, name, module, versions):
        changed = True
    return changed


def _restore_some(user: str, name: str, state: State, states: Mapping[str, State]) -> bool:
    changes: list[bool] = []

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        before = entry.value
        different = _different(before, states)
        after = before
        for version, wanted in islice(different.items(), _VERSIONS_AT_ONCE):
            after = with_version(after, version, wanted)
            item = Version(module_pk(before.id), f"version#{version}")
            columns = items.changed(before.versions[version], wanted)
            writes.update(item, item.assign(**columns), Version.pk.exists())
        after = replace(after, **_possible(snapshot, before, state))
        changes.append(after != before)
        if after == before:
            return {}
        if columns := items.changed(before, after):
            module = Module(module_pk(before.id), "module")
            writes.update(module, module.assign(**columns), Module.pk.exists())
        history.record(writes, after, None, "module.import")
        history.announce(writes, after, None, "module", history.archiving(before.archived, after.archived))
        return {entry.key: after}

    modules.alter(user, name, decide)
    return changes[-1]


def _different(value: ModuleEntry, states: Mapping[str, State]) -> dict[str, VersionEntry]:
    """The versions whose state differs, as they should be."""
    wanted = {
        version: replace(value.versions[version], **state)
        for version, state in states.items()
        if version in value.versions
    }
    return {version: entry for version, entry in wanted.items() if entry != value.versions[version]}


def _possible(snapshot: Snapshot[ModuleEntry], value: ModuleEntry, state: State) -> dict[str, Any]:
    holder = index.module(snapshot, index.ROOT, value.name)
    is_free = holder is None or holder.value.id == value.id
    return {**state, "in_root": bool(state.get("in_root")) and is_free}
