"""Publishes rockspecs and rocks."""

from dataclasses import dataclass

from chalicelib.core import uploads
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.identity import names
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import now
from chalicelib.luarocks import archives, history, index, items, lasting, modules, rockspecs, texts, uploaded
from chalicelib.luarocks.entry import ModuleEntry, PublishedFile, RockEntry, with_rock, with_version
from chalicelib.luarocks.rockspecs import Rockspec
from chalicelib.luarocks.tables import Module, Rock, Version, VersionId, module_pk
from chalicelib.luarocks.uploaded import Dates


@dataclass(frozen=True)
class Published:
    """The result of a rockspec's upload: the module's entry, the version's name, and whether the module is new."""

    module: ModuleEntry
    version_name: str
    is_new: bool


@dataclass(frozen=True)
class Target:
    """The version for which a rock is uploaded, and the module's entry."""

    module: ModuleEntry
    version_name: str
    version_id: int


def find(
    snapshot: Snapshot[ModuleEntry], account_id: int, package: str, version: str
) -> tuple[ModuleEntry | None, str | None]:
    """The module with this name that an account can publish, and the version's name, in any letter case.

    None for a missing module or version.
    """
    entry = index.module(snapshot, index.owner_group(account_id), package)
    name = version.lower()
    return (entry.value, name if name in entry.value.versions else None) if entry else (None, None)


def publish_rockspec(
    caller: Caller, source: bytes, signature: bytes | None = None, dates: Dates | None = None
) -> Published:
    """Publish a rockspec, or replace that of the same version. Raises Invalid, Forbidden, Immutable or Busy.

    It joins the module of this name that the caller owns, alone or with others; if there is none, a new one.
    """
    spec = rockspecs.parse(source)
    caller.require(f"module:{spec.name}")
    stored = uploaded.store(source, signature, "Failed to upload rockspec", dates)

    def decide(snapshot: Snapshot[ModuleEntry], writes: Transaction) -> tuple[Changes[ModuleEntry], Published]:
        number = snapshot.sequence + 1  # ids are the sequence numbers of their changes, so they are unique
        entry = index.module(snapshot, index.owner_group(int(caller.account.id)), spec.name)
        filename = f"{spec.name}-{spec.version_name}.rockspec"
        before = entry.value.versions.get(spec.version_name) if entry else None
        if entry and before and lasting.is_same(_open(entry.value), filename, before.file, stored):
            return {}, Published(entry.value, spec.version_name, is_new=False)
        value = (
            _extended(entry.value, spec, number, writes) if entry else _created(snapshot, caller, spec, number, writes)
        )
        value = _with_version(value, spec, stored, number, writes)
        history.record_upload(writes, value, caller, "rockspec.publish", filename, stored, version=spec.version_name)
        is_new = before is None
        history.announce_upload(writes, value, caller, "version", spec.version_name, filename, stored, is_new=is_new)
        published = Published(value, spec.version_name, is_new=entry is None)
        return {index.key_of(value.user, value.name): value}, published

    return index.catalogue.publish(decide)[1]


def find_target(caller: Caller, version_id: int) -> Target:
    """The version with this id, for a rock of the caller. Raises NotFound, Invalid or Forbidden."""
    pointer = VersionId.find(f"version-id#{version_id}", "version-id")
    if pointer is None:
        raise NotFound("Invalid version ID")
    entry = index.module_with_id(index.catalogue.snapshot(), pointer.name, int(pointer.module_id))
    if entry is None:
        raise NotFound("Invalid version ID")
    found = Target(entry.value, pointer.version_name, version_id)
    _require_version(entry, found)
    if not modules.is_owner(entry.value, caller):
        raise Invalid("Don't have permission to edit")
    caller.require(f"module:{pointer.name}")
    return found


def publish_rock(
    caller: Caller,
    of: Target,
    filename: str,
    content: bytes,
    signature: bytes | None = None,
    slot: str | None = None,
    dates: Dates | None = None,
) -> ModuleEntry:
    """Publish a rock of a version, or replace that of the same architecture; return the module's entry.

    An upload slot is marked as used. Raises NotFound, Invalid, Forbidden, Immutable or Busy.
    """
    name, version_name = of.module.name, of.version_name
    arch = _arch(filename, of)
    archives.check(content, name, version_name)
    found = texts.store(content) if arch == texts.SOURCES else None
    stored = uploaded.store(content, signature, "Failed to upload rock", dates)

    def decide(snapshot: Snapshot[ModuleEntry], writes: Transaction) -> tuple[Changes[ModuleEntry], ModuleEntry]:
        entry = index.module_with_id(snapshot, name, of.module.id)
        if entry is None:
            raise NotFound("Invalid version ID")
        _require_version(entry, of)
        if not modules.is_owner(entry.value, caller):
            raise Invalid("Don't have permission to edit")
        if slot:
            uploads.use(writes, slot)
        before = entry.value.versions[version_name].rocks.get(arch)
        if before and lasting.is_same(entry.value, filename, before.file, stored):
            return {}, entry.value
        module = entry.value if found is None else texts.replaced(entry.value, version_name, found, writes)
        rock = _rock(module, of, arch, filename, stored, snapshot.sequence + 1, writes)
        detail = {"version": version_name, "arch": arch}
        history.record_upload(writes, entry.value, caller, "rock.publish", filename, stored, **detail)
        is_new = before is None
        history.announce_upload(writes, entry.value, caller, "rock", version_name, filename, stored, is_new=is_new)
        value = with_rock(module, version_name, arch, rock)
        return {entry.key: value}, value

    _, value = index.catalogue.publish(decide)
    if slot:
        uploads.delete_file(slot)
    return value


def arch_of(filename: str) -> str:
    """The architecture in the name of an accepted rock."""
    return filename.rsplit(".", 2)[1]


def _arch(filename: str, of: Target) -> str:
    version_name, arch = rockspecs.parse_rock_name(filename, of.module.name)
    if version_name.lower() != of.version_name:
        raise Invalid(f"Rock doesn't match version {of.version_name}")
    return arch


def _require_version(entry: Entry[ModuleEntry], wanted: Target) -> None:
    """Raise NotFound if the version was deleted, or another one has its name now."""
    version = entry.value.versions.get(wanted.version_name)
    if version is None or version.id != wanted.version_id:
        raise NotFound("Invalid version ID")


def _created(
    snapshot: Snapshot[ModuleEntry], caller: Caller, spec: Rockspec, number: int, writes: Transaction
) -> ModuleEntry:
    """A new module for its first version. It joins the root manifest if it is the first with an unreserved name."""
    module = Module(
        module_pk(number),
        "module",
        id=number,
        user_id=int(caller.account.id),
        user=caller.account.username.lower(),
        name=spec.name,
        display_name=spec.package if spec.package != spec.name else None,
        in_root=index.module(snapshot, index.ROOT, spec.name) is None
        and names.is_available("luarocks", spec.name, caller.account.username),
        current_version_id=number,
        summary=spec.summary,
        description=spec.description,
        license=spec.license,
        homepage=spec.homepage,
        labels=list(spec.labels),
        created_at=now(),
        updated_at=now(),
    )
    writes.create(module)
    return items.module_entry(module, {})


def _open(value: ModuleEntry) -> ModuleEntry:
    """The module, which takes uploads; raises Invalid if it is archived."""
    if value.archived:
        raise Invalid(f"The module {value.name} is archived; unarchive it to publish again")
    return value


def _extended(value: ModuleEntry, spec: Rockspec, number: int, writes: Transaction) -> ModuleEntry:
    """The entry of an existing module that gets a version; raises Invalid if it is archived."""
    current = value.current_version_id if spec.version_name in value.versions else number
    return modules.change(_open(value), replace(value, current_version_id=current), writes)


def _with_version(
    value: ModuleEntry, spec: Rockspec, stored: PublishedFile, number: int, writes: Transaction
) -> ModuleEntry:
    """The entry with the version; an existing version keeps its source URL and development flag, as on luarocks.org."""
    pk, sk, name = module_pk(value.id), f"version#{spec.version_name}", spec.version_name
    if before := value.versions.get(name):
        file = uploaded.over(before.file, stored)
        after = replace(
            before,
            display_version_name=_display_name(spec),
            lua_version=spec.lua_version,
            dependencies=tuple(spec.dependencies),
            file=file,
        )
        version = Version(pk, sk)
        writes.update(version, version.assign(**items.changed(before, after)), Version.pk.exists())
        return with_version(value, name, after)
    version = Version(
        pk,
        sk,
        id=number,
        module_id=value.id,
        version_name=name,
        display_version_name=_display_name(spec),
        rockspec_fname=f"{spec.name}-{name}.rockspec",
        development=spec.development,
        source_url=spec.source_url,
        lua_version=spec.lua_version,
        dependencies=list(spec.dependencies),
        **items.file_columns(stored),
    )
    writes.create(version)
    writes.create(_pointer(value, version))
    return with_version(value, name, items.version_entry(version, {}))


def _display_name(spec: Rockspec) -> str | None:
    """The version as written if it has capital letters. Manifests list it, because the client compares it exactly."""
    return spec.version if spec.version != spec.version_name else None


def _rock(
    value: ModuleEntry,
    of: Target,
    arch: str,
    filename: str,
    stored: PublishedFile,
    number: int,
    writes: Transaction,
) -> RockEntry:
    """Add the rock's item to the transaction; return the rock's entry."""
    pk, sk = module_pk(value.id), items.rock_sk(of.version_id, arch)
    if before := value.versions[of.version_name].rocks.get(arch):
        after = replace(before, rock_fname=filename, file=uploaded.over(before.file, stored))
        rock = Rock(pk, sk)
        writes.update(rock, rock.assign(**items.changed(before, after)), Rock.pk.exists())
        return after
    columns = items.file_columns(stored)
    rock = Rock(pk, sk, id=number, version_id=of.version_id, arch=arch, rock_fname=filename, **columns)
    writes.create(rock)
    return items.rock_entry(rock)


def _pointer(value: ModuleEntry, version: Version) -> VersionId:
    return VersionId(
        f"version-id#{int(version.id)}",
        "version-id",
        module_id=value.id,
        name=value.name,
        version_name=version.version_name,
    )
