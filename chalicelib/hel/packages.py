"""Reads, creates, changes and deletes packages."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from chalicelib.core import audit, blobs, ids
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.change_log import LARGE_ENTRY
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import Conflict, NotFound, TooLarge
from chalicelib.core.identity import names
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import now
from chalicelib.hel import advice, auth, counts, history, index, installs, lasting, patch, quota
from chalicelib.hel.entry import PackageEntry
from chalicelib.hel.model import Document
from chalicelib.hel.tables import Package, package_pk

LARGEST = 1024 * 1024  # bytes
_MOST_FILES = 64  # of which one request reads the days


def get(name: str) -> tuple[Entry[PackageEntry], int]:
    """Count a view of a package; return the package and its number of views before. Raises NotFound."""
    entry = index.find(index.catalogue.snapshot(), name)
    count = counts.add(counts.package(entry.key)) if entry else None
    if entry is None or count is None:
        raise NotFound
    return entry, int(count.total) - 1


def by_day(name: str) -> dict[str, dict[str, int] | None]:
    """The views and the installs of a package on each day before today; None for too many files that count installs.

    Raises NotFound.
    """
    entry = index.find(index.catalogue.snapshot(), name)
    if entry is None:
        raise NotFound
    files = installs.counted_files(entry.value)
    downloads = counts.by_day(files) if len(files) <= _MOST_FILES else None
    return {"views": counts.by_day([counts.package(entry.key)]), "downloads": downloads}


def create(caller: Caller, document: Document) -> list[str]:
    """Publish a new package, see model.parse; return warnings for its author.

    Raises Conflict if the name is in use; Forbidden if the quota is exceeded.
    """
    name = document["name"]
    caller.require(f"package:{name}")
    stored = _StoredDocument(document)

    def decide(snapshot: Snapshot[PackageEntry], writes: Transaction) -> tuple[Changes[PackageEntry], None]:
        if index.find(snapshot, name):
            raise _name_in_use()
        names.check("hel", name, caller.account.username)
        package = Package(
            package_pk(name),
            "package",
            # A new id for each attempt: an id from before a lost race would sort the package before the winner's.
            id=ids.reserve("hel"),
            name=name,
            creator_id=caller.account.id,
            created_at=(moment := now()),
        )
        package.assign(**stored.write(moment))
        writes.create(package, _name_in_use())
        writes.create(counts.start(counts.package(index.key_of(package))))
        quota.charge(writes, int(package.creator_id), packages=1, package_bytes=stored.size)
        writes.put(audit.entry_by(caller, "package.create", package.pk))
        history.announce(writes, caller, package, "publish", history.newest(document))
        return {index.key_of(package): index.entry_of(package, document)}, None

    snapshot, _ = index.catalogue.publish(decide)
    return _warnings(snapshot, name)


def update(caller: Caller, name: str, read: Callable[[], Document]) -> list[str]:
    """Merge the result of `read` into a package, see patch.merge; return warnings for its author.

    `read` is called after the check of the caller's permission. Raises Forbidden, also if there is no such package;
    an administrator gets NotFound then. Raises Conflict if a new name is in use, also by the package itself, or if a
    published version of an immutable package would change.
    """

    def decide(
        snapshot: Snapshot[PackageEntry], writes: Transaction
    ) -> tuple[Changes[PackageEntry], tuple[str, str | None]]:
        entry, package = _owned(snapshot, caller, name, "update_package")
        changes = read()
        before = index.document_of(package)
        document = patch.merge(before, changes)
        lasting.require_same(entry.value, caller, before, document)
        state = lasting.state(entry.value, caller, changes)
        if "name" in changes and index.find(snapshot, document["name"]):
            raise _name_in_use()
        new_name, old_blob = document["name"], package.blob
        if new_name != package.name:
            names.check("hel", new_name, caller.account.username)
            names.reserve(writes, "hel", package.name, entry.value.owners)
        caller.require(f"package:{new_name}")
        stored = _StoredDocument(document)
        more = stored.size - int(package.size)
        _replace(writes, package, stored, state)
        quota.charge(writes, int(package.creator_id), package_bytes=more)
        writes.put(audit.entry_by(caller, "package.update", package_pk(name)))
        former: dict[str, Any] = {"former_name": entry.value.name, "former_owners": before["owners"]}
        action, version = history.difference(before, document)
        if state["archived"] != entry.value.archived:
            action = "archive" if state["archived"] else "restore"
        history.announce(writes, caller, package, action, version, **former)
        changed = index.entry_of(package, document)
        return {entry.key: changed}, (new_name, old_blob)

    snapshot, (new_name, old_blob) = index.catalogue.publish(decide)
    _delete_blob(old_blob)
    return _warnings(snapshot, new_name)


def delete(caller: Caller, name: str) -> None:
    """Delete a package. Raises Forbidden, also for a missing package; an administrator gets no error for it."""

    def decide(snapshot: Snapshot[PackageEntry], writes: Transaction) -> tuple[Changes[PackageEntry], str | None]:
        entry, package = _owned(snapshot, caller, name, "delete_package")
        lasting.require_removable(entry.value, caller)
        writes.delete(package, Package.id == package.id)
        names.reserve(writes, "hel", package.name, entry.value.owners)
        counts.delete(writes, counts.package(entry.key))
        quota.charge(writes, int(package.creator_id), packages=-1, package_bytes=-int(package.size))
        writes.put(audit.entry_by(caller, "package.delete", package_pk(name)))
        history.announce(writes, caller, package, "delete")
        return {entry.key: None}, package.blob

    try:
        _, blob = index.catalogue.publish(decide)
    except NotFound:
        return
    _delete_blob(blob)


class _StoredDocument:
    """A document to be stored: in the item, or in a blob if it is large."""

    def __init__(self, document: Document) -> None:
        self._body = orjson.dumps({field: value for field, value in document.items() if field != "owners"})
        self._owners = document["owners"]
        self._blob: str | None = None
        self.name: str = document["name"]
        self.size = len(self._body)
        if self.size > LARGEST:
            raise TooLarge(f"The package is larger than {LARGEST} bytes.")

    def write(self, moment: datetime) -> dict[str, Any]:
        """The attributes of the item. Each document has a blob of its own, which can be deleted with it."""
        large = self.size > LARGE_ENTRY
        if large and self._blob is None:
            self._blob = blobs.put(self._body, f"{index.AREA}/packages/{secrets.token_hex(8)}").key
        return {
            "name": self.name,
            "owners": self._owners,
            "document": None if large else self._body.decode(),
            "blob": self._blob,
            "size": self.size,
            "updated_at": moment,
        }


def _owned(
    snapshot: Snapshot[PackageEntry], caller: Caller, name: str, permission: str
) -> tuple[Entry[PackageEntry], Package]:
    """A package that the caller can change: an own one, or any for an administrator."""
    entry = index.find(snapshot, name)
    owners = entry.value.owners if entry else ()
    if caller.account.username.lower() not in {owner.lower() for owner in owners} and not auth.is_admin(caller):
        raise auth.refusal(permission)
    caller.require(f"package:{name}")
    package = Package.find(package_pk(name), "package")
    if entry is None or package is None:
        raise NotFound
    return entry, package


def _replace(writes: Transaction, package: Package, stored: _StoredDocument, state: Mapping[str, Any]) -> None:
    """Replace the document and the state of an item; a new name moves the item."""
    condition = Package.id == package.id
    if stored.name == package.name:
        writes.update(package, package.assign(**stored.write(now()), **state), condition)
        return
    writes.delete(Package(package.pk, package.sk), condition)
    package.pk = package_pk(stored.name)
    package.assign(**stored.write(now()), **state)
    writes.create(package, _name_in_use())


def _delete_blob(blob: str | None) -> None:
    """Delete the blob of a replaced document."""
    if blob:
        blobs.delete(blob)


def _warnings(snapshot: Snapshot[PackageEntry], name: str) -> list[str]:
    entry = index.find(snapshot, name)
    return advice.warnings(snapshot, entry.value) if entry else []


def _name_in_use() -> Conflict:
    return Conflict("The name is already used by other package.")
