"""Converts the items of LuaRocks' table to entries, and differences between entries to changes of items.

An entry always equals its items, because one transaction changes both. So code that changes a module starts from its
entry and reads no item.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.core.catalogues.entries import Struct
from chalicelib.luarocks.entry import ModuleEntry, PublishedFile, RockEntry, StoredText, VersionEntry
from chalicelib.luarocks.tables import FileItem, LuaRocksItem, Module, Rock, Version


def module_entry(module: Module, versions: Mapping[str, VersionEntry]) -> ModuleEntry:
    """The entry of a module's item and its versions."""
    return ModuleEntry(
        id=int(module.id),
        user_id=int(module.user_id),
        user=module.user,
        name=module.name,
        current_version_id=int(module.current_version_id),
        created_at=_seconds(module.created_at),
        updated_at=_seconds(module.updated_at),
        owners=module.owners,
        invited=module.invited,
        display_name=module.display_name,
        in_root=module.in_root,
        archived=module.archived,
        manifests=tuple(module.manifests),
        summary=module.summary,
        description=module.description,
        license=module.license,
        homepage=module.homepage,
        labels=tuple(module.labels),
        versions=versions,
        archive_reason=module.archive_reason,
        immutable=module.immutable,
    )


def version_entry(version: Version, rocks: Mapping[str, RockEntry]) -> VersionEntry:
    """The entry of a version's item and its rocks."""
    return VersionEntry(
        id=int(version.id),
        file=_file(version),
        display_version_name=version.display_version_name,
        lua_version=version.lua_version,
        dependencies=tuple(version.dependencies),
        development=version.development,
        archived=version.archived,
        source_url=version.source_url,
        rocks=rocks,
        archive_reason=version.archive_reason,
        texts={
            kind: StoredText(name=name, sha256=sha256, size=size)
            for kind, (name, sha256, size) in version.texts.items()
        },
    )


def rock_entry(rock: Rock) -> RockEntry:
    """The entry of a rock's item."""
    return RockEntry(id=int(rock.id), rock_fname=rock.rock_fname, file=_file(rock))


def gather(items: Iterable[LuaRocksItem]) -> list[ModuleEntry]:
    """All entries from all items, in the order of the modules' ids; orphaned items are skipped."""
    modules: dict[str, Module] = {}
    versions: dict[str, list[Version]] = defaultdict(list)
    rocks: dict[tuple[str, int], dict[str, RockEntry]] = defaultdict(dict)
    for item in items:
        if isinstance(item, Module):
            modules[item.pk] = item
        elif isinstance(item, Version):
            versions[item.pk].append(item)
        elif isinstance(item, Rock):
            rocks[item.pk, int(item.version_id)][item.arch] = rock_entry(item)
    entries = (
        module_entry(
            module,
            {item.version_name: version_entry(item, rocks.get((pk, int(item.id)), {})) for item in versions[pk]},
        )
        for pk, module in modules.items()
    )
    return sorted(entries, key=lambda entry: entry.id)


def rock_sk(version_id: int, arch: str) -> str:
    """The sort key of a rock."""
    return f"rock#{version_id}#{arch}"


def changed(before: Struct, after: Struct) -> dict[str, Any]:
    """The attributes of an item that differ between two entries; those of its file are included."""
    columns: dict[str, Any] = {}
    for name in before.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if isinstance(new, PublishedFile):
            columns |= changed(old, new)
        elif old != new and name not in _BELOW:
            columns[name] = _column(name, new)
    return columns


def file_columns(file: PublishedFile) -> dict[str, Any]:
    """All attributes of a file's item."""
    return {name: _column(name, getattr(file, name)) for name in file.__struct_fields__}


_BELOW = {"versions", "rocks", "downloads"}  # in items of their own


def _column(name: str, value: Any) -> Any:
    if name.endswith("_at"):
        return datetime.fromtimestamp(value, UTC)
    if name == "texts":
        return {kind: [text.name, text.sha256, text.size] for kind, text in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _file(item: FileItem) -> PublishedFile:
    return PublishedFile(
        sha256=item.sha256,
        size=int(item.size),
        revision=int(item.revision),
        created_at=_seconds(item.created_at),
        updated_at=_seconds(item.updated_at),
        sig_sha256=item.sig_sha256,
        sig_size=int(item.sig_size) if item.sig_size is not None else None,
        first_sha256=item.first_sha256,
    )


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
