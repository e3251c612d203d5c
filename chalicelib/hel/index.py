"""Hel's catalogue, from which lists, searches and single packages are served.

An entry is a whole public package, described in README.md. Its key is its id, so a new name does not move it. Entries
are in the order of creation. Their views and downloads are as of the last `refresh`.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress

import orjson

from chalicelib.core import blobs
from chalicelib.core.catalogue import Catalogue, Changes
from chalicelib.core.entries import replace
from chalicelib.core.errors import NotFound
from chalicelib.core.snapshots import Entry, Snapshot
from chalicelib.core.storage import Contended
from chalicelib.hel import counts, model
from chalicelib.hel.entry import Dependency, PackageEntry, Version, VersionFile
from chalicelib.hel.model import Document
from chalicelib.hel.tables import Count, HelItem, Package, StoredFile, package_pk

AREA = "hel"
REFRESH_EVERY = 600


def entities() -> Iterator[tuple[str, PackageEntry]]:
    """Every entry, read from the table."""
    items = list(HelItem.scan(consistent_read=True))
    totals = counts.totals_of(item for item in items if isinstance(item, Count))
    packages = [item for item in items if isinstance(item, Package)]
    for package in sorted(packages, key=lambda package: package.id):
        with suppress(Contended):  # a later change in the log has it, or fsck finds it
            entry = Entry(key_of(package), entry_of(package, document_of(package)))
            yield entry.key, _counted(entry, totals)


def reload(key: str, known: PackageEntry) -> PackageEntry | None:
    """One entry, read from the table; None if its package was deleted or renamed."""
    package = Package.find(package_pk(known.name), "package")
    if package is None or key_of(package) != key:
        return None
    return entry_of(package, document_of(package), known.views, known.downloads)


def blobs_of(item: HelItem) -> list[str | None]:
    """The keys of the blobs that an item refers to."""
    return [item.blob] if isinstance(item, Package | StoredFile | Count) else []


def entry_of(package: Package, document: Document, views: int = 0, downloads: int = 0) -> PackageEntry:
    """The entry of a package with this document."""
    return PackageEntry(
        name=document["name"],
        description=document["description"],
        short_description=document["short_description"],
        owners=tuple(package.owners),
        authors=tuple(document["authors"]),
        license=document["license"],
        tags=tuple(document["tags"]),
        versions={number: _version(version) for number, version in document["versions"].items()},
        screenshots=document["screenshots"],
        created_at=int(package.created_at.timestamp()),
        updated_at=int(package.updated_at.timestamp()),
        views=views,
        downloads=downloads,
    )


def document_of(package: Package) -> Document:
    """The document of a package, see model.parse, including fields that newer code added.

    Raises Contended if another document replaced it after the item was read.
    """
    try:
        stored = orjson.loads(blobs.get(package.blob) if package.blob else package.document)
    except NotFound:
        raise Contended("The package is being changed.", retry_after=1) from None
    return {**stored, "owners": list(package.owners)}


def key_of(package: Package) -> str:
    """The key of a package in the catalogue."""
    return str(int(package.id))


def find(snapshot: Snapshot[PackageEntry], name: str) -> Entry[PackageEntry] | None:
    """The entry of the package with this name, or None."""
    names = snapshot.cached("names", lambda snapshot: {entry.value.name: entry for entry in snapshot.entries.values()})
    return names.get(name)


def hosted_files(entry: Entry[PackageEntry]) -> frozenset[tuple[str, str]]:
    """The stored files that a package uses: (username in lower case, SHA-256) of each."""
    return entry.cached("hosted", _find_hosted)


def refresh() -> None:
    """Update views and downloads in the catalogue."""
    totals = counts.totals()

    def renew(snapshot: Snapshot[PackageEntry]) -> Changes[PackageEntry]:
        renewed = ((entry, _counted(entry, totals)) for entry in snapshot.entries.values())
        return {entry.key: value for entry, value in renewed if value is not entry.value}

    catalogue.refresh(renew)


def _version(version: Document) -> Version:
    return Version(
        files={url: _file(file) for url, file in version["files"].items()},
        depends={name: _dependency(dependency) for name, dependency in version["depends"].items()},
        changes=version["changes"],
    )


def _file(file: Document) -> VersionFile:
    return VersionFile(dir=file["dir"], name=file["name"], path=file["path"], sha256=file.get("sha256"))


def _dependency(dependency: Document) -> Dependency:
    return Dependency(type=dependency["type"], version=dependency["version"])


def _counted(entry: Entry[PackageEntry], totals: Mapping[str, int]) -> PackageEntry:
    """An entry's value with the newest counts; the same object if they have not changed."""
    value = entry.value
    owners = {owner.lower() for owner in value.owners}
    hosted = [counts.file(owner, sha256) for owner, sha256 in hosted_files(entry) if owner in owners]
    views = max(totals.get(counts.package(entry.key), 0), value.views)
    downloads = sum(totals.get(file, 0) for file in hosted)
    if (views, downloads) == (value.views, value.downloads):
        return value
    return replace(value, views=views, downloads=downloads)


def _find_hosted(entry: Entry[PackageEntry]) -> frozenset[tuple[str, str]]:
    found = (model.hosted(url) for version in entry.value.versions.values() for url in version.files)
    return frozenset(file for file in found if file)


def _without_counters(package: PackageEntry) -> PackageEntry:
    return replace(package, views=0, downloads=0)


catalogue = Catalogue(
    "hel", PackageEntry, shape=1, entities=entities, reload=reload, without_counters=_without_counters
)
