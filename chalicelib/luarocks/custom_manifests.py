"""Custom manifests, below `/m/<name>`: modules that the manifest's admins select.

Any account can create one. Admins can add any module; if the manifest is open, others can add their own modules.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from pynamodb.expressions.update import Action

from chalicelib.core import audit, events, ids
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound
from chalicelib.core.locks import Lock
from chalicelib.core.published import EventAction
from chalicelib.core.retries import retry
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, now
from chalicelib.luarocks import history, index, modules
from chalicelib.luarocks.entry import ModuleEntry
from chalicelib.luarocks.tables import Manifest

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_RESERVED = ("root", "dev")
_PARTITION = "manifests"
_changing = Lock("luarocks-manifests")
_TOO_MANY = "Too many changes of this manifest at once."


def find(name: str) -> Manifest | None:
    """The manifest with this name, in any letter case."""
    return Manifest.find(_PARTITION, name.lower()) if _NAME.fullmatch(name.lower()) else None


def get(name: str) -> Manifest:
    """The manifest with this name; raises NotFound."""
    if manifest := find(name):
        return manifest
    raise NotFound("There is no such manifest.")


def list_manifests() -> Iterator[Manifest]:
    """All custom manifests, by name."""
    return iter(Manifest.query(_PARTITION))


def create(name: str, owner: Account, by: Caller | None, **details: Any) -> Manifest:
    """Create a manifest with `owner` as its admin. Raises Invalid or Conflict."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise Invalid("invalid manifest name", field="name")
    manifest = Manifest(
        _PARTITION,
        name,
        id=ids.reserve("luarocks-manifest") + 1,  # 1 is the root manifest
        name=name,
        admins={owner.username.lower(): int(owner.id)},
        created_at=now(),
        updated_at=now(),
        **details,
    )

    def attempt() -> Manifest:
        writes = Transaction()
        writes.create(manifest, Conflict("manifest name already taken"))
        writes.put(audit.entry(int(owner.id), "manifest.create", f"m/{name}", by))
        _announce(writes, manifest, by, "publish")
        writes.commit()
        return manifest

    return retry(attempt, _changing.held, _TOO_MANY)


def edit(name: str, by: Caller | None, **details: Any) -> Manifest:
    """Change a manifest's description, open it, or close it. Raises NotFound or Forbidden."""
    return _change(name, by, "manifest.edit", lambda manifest: details)


def add_admin(name: str, account: Account, by: Caller | None) -> Manifest:
    """Make an account an admin of a manifest. Raises NotFound or Forbidden."""
    added = {account.username.lower(): int(account.id)}
    return _change(name, by, "manifest.add-admin", lambda manifest: {"admins": {**manifest.admins, **added}})


def remove_admin(name: str, account: Account, by: Caller | None) -> Manifest:
    """Remove an admin, but not the last one. Raises Invalid, NotFound or Forbidden."""

    def without_it(manifest: Manifest) -> dict[str, Any]:
        admins = {name: number for name, number in manifest.admins.items() if number != account.id}
        if not admins:
            raise Invalid("A manifest needs an admin: add another one first")
        return {"admins": admins}

    return _change(name, by, "manifest.remove-admin", without_it)


def delete(name: str, by: Caller | None) -> None:
    """Delete an empty manifest. Raises Invalid, NotFound or Forbidden."""

    def attempt() -> None:
        manifest = get(name)
        _require_admin(manifest, by)
        writes = Transaction()
        not_empty = Invalid("The manifest is not empty: remove its modules first")
        writes.delete(manifest, Manifest.modules_count == 0, not_empty)
        _record(writes, manifest, by, "manifest.delete")
        _announce(writes, manifest, by, "delete")
        writes.commit()

    retry(attempt, _changing.held, _TOO_MANY)


def add(name: str, user: str, module: str, by: Caller | None) -> Entry[ModuleEntry] | None:
    """Add a module to a manifest. Raises Invalid, NotFound or Forbidden."""

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        manifest = get(name)
        if not _is_admin(manifest, by):
            allowed = by is not None and manifest.is_open and modules.is_owner(entry.value, by)
            if not allowed:
                raise Forbidden("Don't have permission to add to manifest")
        other = index.module(snapshot, index.manifest_group(manifest.name), module)
        if other is not None and other.key == entry.key:
            return {}
        if other is not None:
            raise Invalid(f"Manifest already has a module named `{entry.value.name}`")
        _count(writes, manifest, 1)
        history.record(writes, entry.value, by, "manifest.add", manifest=manifest.name)
        _announce(writes, manifest, by, "change")
        listed = replace(entry.value, manifests=(*entry.value.manifests, manifest.name))
        return {entry.key: modules.change(entry.value, listed, writes)}

    return modules.alter(user, module, decide)


def remove(name: str, user: str, module: str, by: Caller | None) -> Entry[ModuleEntry] | None:
    """Remove a module from a manifest; the module's owners can do this too. Raises NotFound or Forbidden."""

    def decide(entry: Entry[ModuleEntry], snapshot: Snapshot[ModuleEntry], writes: Transaction) -> Changes[ModuleEntry]:
        manifest = get(name)
        if not _is_admin(manifest, by):
            modules.require_owner(entry.value, by)
        if manifest.name not in entry.value.manifests:
            raise NotFound("The manifest does not list this module.")
        rest = tuple(each for each in entry.value.manifests if each != manifest.name)
        _count(writes, manifest, -1)
        history.record(writes, entry.value, by, "manifest.remove", manifest=manifest.name)
        _announce(writes, manifest, by, "change")
        return {entry.key: modules.change(entry.value, replace(entry.value, manifests=rest), writes)}

    return modules.alter(user, module, decide)


def uncount(writes: Transaction, value: ModuleEntry) -> None:
    """Decrease the module counts of a deleted module's manifests."""
    for name in value.manifests:
        _count(writes, get(name), -1)


def _count(writes: Transaction, manifest: Manifest, change: int) -> None:
    """Add `change` to a manifest's module count; the transaction fails and is repeated if the manifest was deleted."""
    counted: list[Action] = [Manifest.modules_count.add(change), Manifest.updated_at.set(now())]
    writes.update(Manifest(_PARTITION, manifest.name), counted, Manifest.pk.exists())


def _change(name: str, by: Caller | None, action: str, changes: Callable[[Manifest], dict[str, Any]]) -> Manifest:
    """Make the changes that `changes` returns, and add an audit entry; retry after a concurrent change.

    Returns the changed manifest. Raises NotFound, Forbidden, and the errors of `changes`.
    """

    def attempt() -> Manifest:
        manifest = get(name)
        _require_admin(manifest, by)
        before = manifest.revision
        writes = Transaction()
        actions = manifest.assign(**changes(manifest), revision=before + 1, updated_at=now())
        writes.update(manifest, actions, Manifest.revision == before)
        _record(writes, manifest, by, action)
        _announce(writes, manifest, by, "change")
        writes.commit()
        return manifest

    return retry(attempt, _changing.held, _TOO_MANY)


def _record(writes: Transaction, manifest: Manifest, by: Caller | None, action: str) -> None:
    concerned = {*manifest.admins.values(), *([int(by.account.id)] if by else [])}
    for entry in audit.entries_for(concerned, action, f"m/{manifest.name}", by):
        writes.put(entry)


def _announce(writes: Transaction, manifest: Manifest, by: Caller | None, action: EventAction) -> None:
    owners = manifest.admins.values()
    events.record(writes, by, service="luarocks", kind="manifest", name=manifest.name, action=action, owners=owners)


def _is_admin(manifest: Manifest, by: Caller | None) -> bool:
    return by is None or by.account.id in manifest.admins.values() or by.account.rank == "ADMIN"


def _require_admin(manifest: Manifest, by: Caller | None) -> None:
    if not _is_admin(manifest, by):
        raise Forbidden("Only the admins of a manifest may do this.")
