"""Archives and deletes versions. Archiving hides a version from manifests and keeps its files; deletion is permanent.

A deletion removes the items that name the files, and the catalogue's entry, in one transaction; a job deletes the
items below. The blobs stay, because other versions may have the same content.
"""

from typing import Any, TypedDict

from chalicelib.core import jobs
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.identity import names
from chalicelib.core.storage import Transaction
from chalicelib.luarocks import custom_manifests, downloads, history, items, lasting, modules, texts
from chalicelib.luarocks.entry import ModuleEntry, with_version, without_rock, without_version
from chalicelib.luarocks.tables import LuaRocksItem, Module, Rock, Version, VersionId, module_pk

SWEEP = "luarocks-sweep"  # the job that deletes the remaining items of a deleted module or version


class Flags(TypedDict, total=False):
    """The flags of a version, and why it is archived."""

    archived: bool
    development: bool
    reason: str | None


def edit_version(user: str, name: str, version: str, by: Caller | None, flags: Flags) -> Entry[ModuleEntry] | None:
    """Set `archived` with its `reason`, or `development`, of a version. Raises Invalid, NotFound or Forbidden."""
    version_name = version.lower()

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        modules.require_owner(entry.value, by)
        before = modules.version(entry.value, version_name)
        edited = lasting.edited(before, flags)
        item = Version(module_pk(entry.value.id), f"version#{version_name}")
        columns = {"archived": edited.archived, **items.changed(before, edited)}
        writes.update(item, item.assign(**columns), Version.pk.exists())
        history.record(writes, entry.value, by, "version.edit", version=version_name, **flags)
        action = history.archiving(before.archived, edited.archived)
        history.announce(writes, entry.value, by, "version", action, version_name)
        return {entry.key: modules.change(entry.value, with_version(entry.value, version_name, edited), writes)}

    return modules.alter(user, name, decide)


def delete_module(user: str, name: str, by: Caller | None) -> None:
    """Delete a module with all its versions; its name stays reserved for its owners.

    Raises NotFound, Forbidden or Immutable.
    """

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        modules.require_holder(entry.value, by)
        lasting.require_removable(entry.value, by, f"The module {entry.value.name}")
        number = entry.value.id
        writes.delete(Module(module_pk(number), "module"), Module.pk.exists())
        if entry.value.in_root:
            names.reserve(writes, "luarocks", entry.value.name, (entry.value.user, *entry.value.owners))
        custom_manifests.uncount(writes, entry.value)
        _enqueue_sweep(writes, module_id=number)
        history.record(writes, entry.value, by, "module.delete", *entry.value.owners.values())
        history.announce(writes, entry.value, by, "module", "delete")
        return {entry.key: None}

    modules.alter(user, name, decide)


def delete_version(user: str, name: str, version: str, by: Caller | None) -> Entry[ModuleEntry] | None:
    """Delete a version with its rocks, but not the last one. Raises Invalid, NotFound, Forbidden or Immutable."""
    version_name = version.lower()

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        value = entry.value
        modules.require_owner(value, by)
        number = modules.version(value, version_name).id
        lasting.require_removable(value, by, f"{value.name} {version_name}")
        rest = without_version(value, version_name)
        if not rest.versions:
            raise Invalid("This is the only version: delete the module instead")
        writes.delete(Version(module_pk(value.id), f"version#{version_name}"), Version.pk.exists())
        writes.delete(VersionId(f"version-id#{number}", "version-id"))
        _enqueue_sweep(writes, module_id=value.id, version_id=number)
        history.record(writes, value, by, "version.delete", version=version_name)
        history.announce(writes, value, by, "version", "delete", version_name)
        newest = max(each.id for each in rest.versions.values())
        current = newest if value.current_version_id == number else value.current_version_id
        return {entry.key: modules.change(value, replace(rest, current_version_id=current), writes)}

    return modules.alter(user, name, decide)


def delete_rock(user: str, name: str, version: str, arch: str, by: Caller | None) -> Entry[ModuleEntry] | None:
    """Delete one rock of a version. Raises NotFound, Forbidden or Immutable."""
    version_name = version.lower()

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        modules.require_owner(entry.value, by)
        found = modules.version(entry.value, version_name)
        if arch not in found.rocks:
            raise NotFound("There is no such rock.")
        lasting.require_removable(entry.value, by, found.rocks[arch].rock_fname)
        writes.delete(Rock(module_pk(entry.value.id), items.rock_sk(found.id, arch)), Rock.pk.exists())
        rest = without_rock(entry.value, version_name, arch)
        if arch == texts.SOURCES:
            rest = texts.replaced(rest, version_name, {}, writes)
        history.record(writes, entry.value, by, "rock.delete", version=version_name, arch=arch)
        history.announce(writes, entry.value, by, "rock", "delete", version_name)
        return {entry.key: modules.change(entry.value, rest, writes)}

    return modules.alter(user, name, decide)


def sweep(payload: dict[str, Any]) -> None:
    """Delete the items of a deleted module or version; ids are never reused, so no other item has their keys."""
    module_id, version_id = payload["module_id"], payload.get("version_id")
    pk = module_pk(module_id)
    if version_id is not None:
        _delete(Rock.query(pk, Rock.sk.startswith(f"rock#{version_id}#")))
        downloads.delete(module_id, version_id)
        return
    stored = list(LuaRocksItem.query(pk))
    numbers = [int(item.id) for item in stored if isinstance(item, Version)]
    _delete(VersionId(f"version-id#{number}", "version-id") for number in numbers)
    _delete(stored)
    downloads.delete(module_id)


def _enqueue_sweep(writes: Transaction, **payload: int) -> None:
    jobs.enqueue(writes, SWEEP, payload)


def _delete(items: Any) -> None:
    with LuaRocksItem.batch_write() as batch:
        for item in items:
            batch.delete(item)
