"""LuaRocks' catalogue, from which manifests, downloads and searches are served."""

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.core import blobs
from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.declaration import ServedFile
from chalicelib.luarocks import items
from chalicelib.luarocks.entry import ModuleEntry, PublishedFile
from chalicelib.luarocks.tables import FileItem, LuaRocksItem, Version, module_pk

AREA = "luarocks"
Group = tuple[Any, ...]  # the name of a group of modules in a snapshot
ROOT: Group = ("root",)


def key_of(user: str, name: str) -> str:
    """The key of a module's entry: both names in lower case."""
    return f"{user.lower()}/{name.lower()}"


def user_group(user: str) -> Group:
    """The group of the modules below a username."""
    return ("user", user.lower())


def manifest_group(name: str) -> Group:
    """The group of the modules in a custom manifest."""
    return ("manifest", name.lower())


def owner_group(account_id: int) -> Group:
    """The group of the modules that an account can publish: as the holder, or as an additional owner."""
    return ("owner", int(account_id))


def modules(snapshot: Snapshot[ModuleEntry], group: Group) -> Mapping[str, Entry[ModuleEntry]]:
    """The modules of a group, by key."""
    return snapshot.group(group)


def module(snapshot: Snapshot[ModuleEntry], group: Group, name: str) -> Entry[ModuleEntry] | None:
    """The module with this name, in any letter case, in a group, or None; there is at most one."""
    named = snapshot.group(("name", name.lower()))
    return next((entry for entry in named.values() if group in _groups(entry)), None)


def module_with_id(snapshot: Snapshot[ModuleEntry], name: str, module_id: int) -> Entry[ModuleEntry] | None:
    """The module with this name and id, or None."""
    named = snapshot.group(("name", name.lower()))
    return next((entry for entry in named.values() if entry.value.id == module_id), None)


def _groups(entry: Entry[ModuleEntry]) -> Iterator[Group]:
    value = entry.value
    yield ("name", value.name)
    yield user_group(value.user)
    for account_id in {value.user_id, *value.owners.values()}:
        yield owner_group(account_id)
    for manifest in value.manifests:
        yield manifest_group(manifest)
    if value.in_root:
        yield ROOT


def _entities() -> Iterator[tuple[str, ModuleEntry]]:
    """Every entry, read from the table."""
    for module in items.gather(LuaRocksItem.scan(consistent_read=True)):
        yield key_of(module.user, module.name), module


def _reload(key: str, known: ModuleEntry) -> ModuleEntry | None:
    """One entry, read from the table; None if the module was deleted or renamed."""
    found = items.gather(LuaRocksItem.query(module_pk(known.id), consistent_read=True))
    return next((module for module in found if key_of(module.user, module.name) == key), None)


def blobs_of(item: LuaRocksItem) -> list[str]:
    """The keys of the blobs that an item refers to."""
    hashes = [item.sha256, item.sig_sha256] if isinstance(item, FileItem) else []
    if isinstance(item, Version):
        hashes += [sha256 for _, sha256, _ in item.texts.values()]
    return [blobs.key_of(AREA, sha256) for sha256 in hashes if sha256]


def served_files() -> Iterator[ServedFile]:
    """Every rockspec, rock and signature."""
    for _, module in _entities():
        work = f"{module.user}/{module.name}"
        for name, version in module.versions.items():
            yield from _served(work, f"{module.name}-{name}.rockspec", version.file)
            for rock in version.rocks.values():
                yield from _served(work, rock.rock_fname, rock.file)


def _served(work: str, name: str, file: PublishedFile) -> Iterator[ServedFile]:
    yield ServedFile(work, name, file.sha256, blobs.key_of(AREA, file.sha256))
    if file.sig_sha256:
        yield ServedFile(work, f"{name}.asc", file.sig_sha256, blobs.key_of(AREA, file.sig_sha256))


catalogue = Catalogue("luarocks", ModuleEntry, shape=4, entities=_entities, reload=_reload, groups=_groups)
