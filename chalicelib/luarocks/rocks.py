"""Publishing rockspecs and rocks."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chalicelib.core import blobs, uploads
from chalicelib.core.blobs import Blob
from chalicelib.core.caller import Caller
from chalicelib.core.catalogue import Changes
from chalicelib.core.errors import Busy, Full, Invalid, NotFound
from chalicelib.core.snapshots import Entry, Snapshot, Value
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import now
from chalicelib.luarocks import archives, entries, index, modules, rockspecs
from chalicelib.luarocks.rockspecs import Rockspec
from chalicelib.luarocks.tables import Module, Rock, Stored, Version, VersionId, module_pk


@dataclass(frozen=True)
class Published:
    """What an upload of a rockspec made: the module's entry, the version's name, and whether the module is new."""

    module: Value
    version_name: str
    is_new: bool


@dataclass(frozen=True)
class Target:
    """The version that a rock is meant for, and the module's entry."""

    module: Value
    version_name: str
    version_id: int


def find(snapshot: Snapshot, account_id: int, package: str, version: str) -> tuple[Value | None, str | None]:
    """The module that an account may publish under a name, and the version's name, in any letter case.

    None for what is not there.
    """
    entry = index.module(snapshot, index.owner_place(account_id), package)
    name = version.lower()
    return (entry.value, name if name in entry.value["versions"] else None) if entry else (None, None)


def publish_rockspec(caller: Caller, source: bytes, signature: bytes | None = None) -> Published:
    """Publish a rockspec, or overwrite that of the same version. Raises Invalid, Forbidden or Busy.

    It belongs to the module of this name that the caller owns, alone or with others, else to a new one.
    """
    spec = rockspecs.parse(source)
    caller.require(f"module:{spec.name}")
    stored = _store(source, signature, "Failed to upload rockspec")

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Changes, Published]:
        number = snapshot.sequence + 1  # ids are the numbers of the changes that they came with: no two are equal
        entry = index.module(snapshot, index.owner_place(int(caller.account.id)), spec.name)
        value = (
            _extended(entry.value, spec, number, writes) if entry else _created(snapshot, caller, spec, number, writes)
        )
        value = _with_version(value, spec, stored, number, writes)
        modules.record(writes, value, caller, "rockspec.publish", version=spec.version_name)
        published = Published(value, spec.version_name, is_new=entry is None)
        return {index.key_of(value["user"], value["name"]): value}, published

    return index.catalogue.publish(decide)[1]


def target(caller: Caller, version_id: int) -> Target:
    """The version with this id, for a rock of the caller's. Raises NotFound, Invalid or Forbidden."""
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
) -> Value:
    """Publish a rock of a version, or overwrite that of the same arch; returns the module's entry.

    An upload slot that it came in is used up. Raises NotFound, Invalid, Forbidden or Busy.
    """
    name, version_name = of.module["name"], of.version_name
    arch = _arch(filename, of)
    archives.check(content, name, version_name)
    stored = _store(content, signature, "Failed to upload rock")

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[Changes, Value]:
        entry = index.module_with_id(snapshot, name, of.module["id"])
        if entry is None:
            raise NotFound("Invalid version ID")
        _require_version(entry, of)
        if not modules.is_owner(entry.value, caller):
            raise Invalid("Don't have permission to edit")
        rock = _rock(entry.value, of, arch, filename, stored, snapshot.sequence + 1, writes)
        if slot:
            uploads.spend(writes, slot)
        modules.record(writes, entry.value, caller, "rock.publish", version=version_name, arch=arch)
        value = entries.with_rock(entry.value, version_name, rock)
        return {entry.key: value}, value

    _, value = index.catalogue.publish(decide)
    if slot:
        uploads.drop(slot)
    return value


def arch_of(filename: str) -> str:
    """The architecture in the name of a rock that was accepted."""
    return filename.rsplit(".", 2)[1]


def _arch(filename: str, of: Target) -> str:
    version_name, arch = rockspecs.parse_rock_name(filename, of.module["name"])
    if version_name.lower() != of.version_name:
        raise Invalid(f"Rock doesn't match version {of.version_name}")
    return arch


def _require_version(entry: Entry, wanted: Target) -> None:
    """Raises NotFound when the version is gone, or another one has its name now."""
    version = entry.value["versions"].get(wanted.version_name)
    if version is None or version["id"] != wanted.version_id:
        raise NotFound("Invalid version ID")


def _store(content: bytes, signature: bytes | None, failure: str) -> dict[str, Any]:
    """Keep a file and its signature; returns the attributes that name them. Raises Busy or Full in upstream's words."""
    try:
        blob, signed = blobs.put(content, index.AREA), blobs.put(signature, index.AREA) if signature else None
    except (Busy, Full) as error:
        raise type(error)(failure, **error.detail) from error
    return {**_names(blob, ""), **_names(signed, "sig_")}


def _names(blob: Blob | None, prefix: str) -> dict[str, Any]:
    return {f"{prefix}sha256": blob.sha256 if blob else None, f"{prefix}size": blob.size if blob else None}


def _created(snapshot: Snapshot, caller: Caller, spec: Rockspec, number: int, writes: Transaction) -> Value:
    """A module that is about to get its first version; the first of its name joins the root manifest."""
    module = Module(
        module_pk(number),
        "module",
        id=number,
        user_id=int(caller.account.id),
        user=caller.account.username.lower(),
        name=spec.name,
        display_name=spec.package if spec.package != spec.name else None,
        in_root=index.module(snapshot, index.ROOT, spec.name) is None,
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
    return entries.with_module(None, module)


def _extended(value: Value, spec: Rockspec, number: int, writes: Transaction) -> Value:
    """A module that is about to get one more version, or the same again."""
    if value.get("archived"):
        raise Invalid(f"The module {value['name']} is archived; unarchive it to publish again")
    if spec.version_name in value["versions"]:
        return modules.change(value, writes)
    return modules.change(value, writes, current_version_id=number)


def _with_version(value: Value, spec: Rockspec, stored: dict[str, Any], number: int, writes: Transaction) -> Value:
    """The entry with the version; of one that was there, source URL and development stay, as on luarocks.org."""
    described: dict[str, Any] = {"lua_version": spec.lua_version, "dependencies": list(spec.dependencies)}
    if spec.version_name in value["versions"]:
        version = entries.version_of(value, spec.version_name)
        writes.update(version, version.assign(**described, **_overwritten(version, stored)), Version.pk.exists())
        return entries.with_version(value, version)
    version = Version(
        module_pk(value["id"]),
        f"version#{spec.version_name}",
        id=number,
        module_id=value["id"],
        version_name=spec.version_name,
        display_version_name=spec.version if spec.version != spec.version_name else None,
        rockspec_fname=f"{spec.name}-{spec.version_name}.rockspec",
        development=spec.development,
        source_url=spec.source_url,
        created_at=now(),
        updated_at=now(),
        **described,
        **stored,
    )
    writes.create(version)
    writes.create(_pointer(value, version))
    return entries.with_version(value, version)


def _rock(
    value: Value, of: Target, arch: str, filename: str, stored: dict[str, Any], number: int, writes: Transaction
) -> Rock:
    """The rock as it is to be, in the transaction."""
    if arch in value["versions"][of.version_name]["rocks"]:
        rock = entries.rock_of(value, of.version_name, arch)
        writes.update(rock, rock.assign(rock_fname=filename, **_overwritten(rock, stored)), Rock.pk.exists())
        return rock
    rock = Rock(
        module_pk(value["id"]),
        entries.rock_sk(of.version_id, arch),
        id=number,
        version_id=of.version_id,
        arch=arch,
        rock_fname=filename,
        created_at=now(),
        updated_at=now(),
        **stored,
    )
    writes.create(rock)
    return rock


def _pointer(value: Value, version: Version) -> VersionId:
    return VersionId(
        f"version-id#{int(version.id)}",
        "version-id",
        module_id=value["id"],
        name=value["name"],
        version_name=version.version_name,
    )


def _overwritten(file: Stored, stored: dict[str, Any]) -> dict[str, Any]:
    """New bytes, the next revision, and a Last-Modified that moves even within a second."""
    moved = max(now(), file.updated_at + timedelta(seconds=1))
    return {**stored, "revision": file.revision + 1, "updated_at": moved}
