"""Publishing rockspecs and rocks."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from pynamodb.expressions.update import Action

from chalicelib.core import audit, blobs, ids
from chalicelib.core.blobs import Blob
from chalicelib.core.caller import Caller
from chalicelib.core.catalogue import Changes
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import now
from chalicelib.core.views import View
from chalicelib.luarocks import index, rockspecs
from chalicelib.luarocks.rockspecs import Rockspec
from chalicelib.luarocks.tables import Module, Rock, Stored, Version, VersionId, module_pk


@dataclass(frozen=True)
class Published:
    """What an upload of a rockspec made: module and version as stored, and whether the module is new."""

    module: Module
    version: Version
    is_new: bool


def find(user_id: int, package: str, version: str) -> tuple[Module | None, Version | None]:
    """An account's module and version by name, in any letter case; None for what is not there."""
    pk = module_pk(user_id, package)
    module = Module.find(pk, "module")
    return module, Version.find(pk, f"version#{version.lower()}") if module else None


def publish_rockspec(caller: Caller, source: bytes) -> Published:
    """Publish a rockspec, or overwrite that of the same version. Raises Invalid or Forbidden."""
    spec = rockspecs.parse(source)
    caller.require(f"module:{spec.name}")
    blob = blobs.put(source, index.AREA)
    first_id = cache(lambda: ids.reserve("luarocks", 2))
    key = index.key_of(caller.account.username, spec.name)
    published: list[Published] = []

    def decide(view: View, writes: Transaction) -> Changes:
        found, version = find(int(caller.account.id), spec.name, spec.version_name)
        module = found or _new_module(caller, spec, first_id(), in_root=not index.root_entry(view, spec.name))
        if version is None:
            version = _new_version(spec, blob, module, first_id() + 1)
            writes.create(version)
            writes.create(_pointer(module, version))
            changes = {"current_version_id": version.id, "updated_at": now()}
        else:
            writes.update(version, _overwrite(version, spec, blob))
            changes = {"updated_at": now()}
        if found is None:
            module.assign(**changes)
            writes.create(module)
        else:
            writes.update(module, module.assign(**changes))
        writes.put(audit.deed(caller, "rockspec.publish", f"{module.name} {version.version_name}"))
        published[:] = [Published(module, version, is_new=found is None)]
        return {key: index.with_version(view.entries.get(key), module, version)}

    index.catalogue.publish(decide)
    return published[0]


def publish_rock(caller: Caller, version_id: int, filename: str, content: bytes) -> tuple[Rock, VersionId]:
    """Publish a rock of an existing version, or overwrite that of the same arch.

    Returns the rock and what leads to its version. Raises NotFound, Invalid or Forbidden.
    """
    pointer = VersionId.find(f"version-id#{version_id}", "version-id")
    if pointer is None:
        raise NotFound("Invalid version ID")
    if pointer.user_id != caller.account.id and caller.account.rank != "ADMIN":
        raise Invalid("Don't have permission to edit")
    caller.require(f"module:{pointer.name}")
    version_name, arch = rockspecs.parse_rock_name(filename, pointer.name)
    if version_name.lower() != pointer.version_name:
        raise Invalid(f"Rock doesn't match version {pointer.version_name}")
    blob = blobs.put(content, index.AREA)
    next_id = cache(lambda: ids.reserve("luarocks"))
    pk = module_pk(int(pointer.user_id), pointer.name)
    key = index.key_of(pointer.user, pointer.name)
    published: list[Rock] = []

    def decide(view: View, writes: Transaction) -> Changes:
        rock = Rock.find(pk, f"rock#{pointer.version_name}#{arch}")
        if rock is None:
            rock = _new_rock(pk, pointer, arch, filename, blob, version_id, next_id())
            writes.create(rock)
        else:
            writes.update(rock, _overwrite_file(rock, blob))
        writes.put(audit.deed(caller, "rock.publish", f"{pointer.name} {pointer.version_name} {arch}"))
        published[:] = [rock]
        return {key: index.with_rock(view.entries[key], pointer.version_name, rock)}

    index.catalogue.publish(decide)
    return published[0], pointer


def _new_module(caller: Caller, spec: Rockspec, number: int, *, in_root: bool) -> Module:
    """A module that is about to get its first version; `in_root` for the first of its name."""
    return Module(
        module_pk(int(caller.account.id), spec.name),
        "module",
        id=number,
        user_id=caller.account.id,
        user=caller.account.username.lower(),
        name=spec.name,
        display_name=spec.package if spec.package != spec.name else None,
        in_root=in_root,
        current_version_id=-1,
        summary=spec.summary,
        description=spec.description,
        license=spec.license,
        homepage=spec.homepage,
        labels=list(spec.labels),
        created_at=now(),
        updated_at=now(),
    )


def _new_version(spec: Rockspec, blob: Blob, module: Module, number: int) -> Version:
    return Version(
        module.pk,
        f"version#{spec.version_name}",
        id=number,
        module_id=module.id,
        version_name=spec.version_name,
        display_version_name=spec.version if spec.version != spec.version_name else None,
        rockspec_fname=f"{spec.name}-{spec.version_name}.rockspec",
        lua_version=spec.lua_version,
        dependencies=list(spec.dependencies),
        development=spec.development,
        source_url=spec.source_url,
        sha256=blob.sha256,
        size=blob.size,
        created_at=now(),
        updated_at=now(),
    )


def _new_rock(pk: str, pointer: VersionId, arch: str, filename: str, blob: Blob, version_id: int, number: int) -> Rock:
    return Rock(
        pk,
        f"rock#{pointer.version_name}#{arch}",
        id=number,
        version_id=version_id,
        arch=arch,
        rock_fname=filename,
        sha256=blob.sha256,
        size=blob.size,
        created_at=now(),
        updated_at=now(),
    )


def _pointer(module: Module, version: Version) -> VersionId:
    return VersionId(
        f"version-id#{int(version.id)}",
        "version-id",
        user_id=module.user_id,
        user=module.user,
        name=module.name,
        version_name=version.version_name,
    )


def _overwrite(version: Version, spec: Rockspec, blob: Blob) -> list[Action]:
    """Put a newer rockspec in place; source URL and development stay as published, as on luarocks.org."""
    return [
        *version.assign(lua_version=spec.lua_version, dependencies=list(spec.dependencies)),
        *_overwrite_file(version, blob),
    ]


def _overwrite_file(file: Stored, blob: Blob) -> list[Action]:
    """New bytes, the next revision, and a Last-Modified that moves even within a second."""
    return file.assign(
        sha256=blob.sha256,
        size=blob.size,
        revision=file.revision + 1,
        updated_at=max(now(), file.updated_at + timedelta(seconds=1)),
    )
