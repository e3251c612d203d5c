"""Archives packages: lists and searches omit them, and their names and files stay, so that installed programs work."""

from chalicelib.core import archiving, audit
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import NotFound
from chalicelib.core.storage import Transaction
from chalicelib.hel import history, index
from chalicelib.hel.entry import PackageEntry
from chalicelib.hel.tables import Package, package_pk


def archive(name: str, reason: str | None, by: Caller | None) -> Entry[PackageEntry]:
    """Archive a package, for a reason that everyone can read. Raises NotFound or Invalid."""
    return _set(name, True, archiving.check_reason(reason), by)


def unarchive(name: str, by: Caller | None) -> Entry[PackageEntry]:
    """List an archived package again. Raises NotFound."""
    return _set(name, False, None, by)


def _set(name: str, archived: bool, reason: str | None, by: Caller | None) -> Entry[PackageEntry]:
    def decide(snapshot: Snapshot[PackageEntry], writes: Transaction) -> tuple[Changes[PackageEntry], str]:
        entry, package = index.find(snapshot, name), Package.find(package_pk(name), "package")
        if entry is None or package is None:
            raise NotFound(f"There is no package {name}.")
        writes.update(package, package.assign(archived=archived, archive_reason=reason), Package.id == package.id)
        action = "package.archive" if archived else "package.unarchive"
        writes.put(audit.entry(int(package.creator_id), action, package.pk, by))
        history.announce(writes, by, package, "archive" if archived else "restore")
        return {entry.key: index.entry_of(package, index.document_of(package))}, entry.key

    snapshot, key = index.catalogue.publish(decide)
    return snapshot.entries[key]
