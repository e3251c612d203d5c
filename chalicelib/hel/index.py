"""Hel's catalogue, from which lists, searches and single packages are served.

An entry is a whole public package, described in README.md. Its key is its id, so a new name does not move it. Entries
are in the order of creation.
"""

import posixpath
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

import orjson

from chalicelib.core import blobs
from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import NotFound
from chalicelib.core.storage import Contended
from chalicelib.hel import counts, installs, model
from chalicelib.hel.entry import Dependency, PackageEntry, Version, VersionFile
from chalicelib.hel.model import Document
from chalicelib.hel.tables import Count, HelItem, Package, StoredFile, package_pk

AREA = "hel"
_ARCHIVED = ("state", "archived")  # a group


def entities() -> Iterator[tuple[str, PackageEntry]]:
    """Every entry, read from the table."""
    packages = [item for item in HelItem.scan(consistent_read=True) if isinstance(item, Package)]
    for package in sorted(packages, key=lambda package: package.id):
        with suppress(Contended):  # a later change in the log has it, or fsck finds it
            yield key_of(package), entry_of(package, document_of(package))


def reload(key: str, known: PackageEntry) -> PackageEntry | None:
    """One entry, read from the table; None if its package was deleted or renamed."""
    package = Package.find(package_pk(known.name), "package")
    if package is None or key_of(package) != key:
        return None
    return entry_of(package, document_of(package))


def blobs_of(item: HelItem) -> list[str | None]:
    """The keys of the blobs that an item refers to."""
    return [item.blob] if isinstance(item, Package | StoredFile | Count) else []


def entry_of(package: Package, document: Document) -> PackageEntry:
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
        archived=package.archived,
        archive_reason=package.archive_reason,
        immutable=package.immutable,
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
    return next(iter(snapshot.group(("name", name)).values()), None)


def of_owner(snapshot: Snapshot[PackageEntry], username: str) -> Iterable[Entry[PackageEntry]]:
    """The packages of an owner, in any letter case, in the order of creation."""
    return snapshot.group(("owner", username.lower())).values()


def archived(snapshot: Snapshot[PackageEntry]) -> Collection[str]:
    """The keys of the archived packages."""
    return snapshot.group(_ARCHIVED).keys()


def hosted_files(entry: Entry[PackageEntry]) -> frozenset[tuple[str, str]]:
    """The stored files that a package uses: (username in lower case, SHA-256) of each."""
    return entry.cached("hosted", lambda entry: _hosted(entry.value))


def uses(entry: Entry[PackageEntry]) -> tuple[int, int]:
    """The published views and installs of a package."""
    files = entry.cached("counted", lambda entry: installs.counted_files(entry.value))
    return counts.published(counts.package(entry.key)), sum(map(counts.published, files))


def _version(version: Document) -> Version:
    return Version(
        files={url: _file(file) for url, file in version["files"].items()},
        depends={name: _dependency(dependency) for name, dependency in version["depends"].items()},
        changes=version["changes"],
    )


def _file(file: Document) -> VersionFile:
    directory = posixpath.dirname(file["path"])  # earlier versions stored `dir` as given
    return VersionFile(dir=directory, name=file["name"], path=file["path"], sha256=file.get("sha256"))


def _dependency(dependency: Document) -> Dependency:
    return Dependency(type=dependency["type"], version=dependency["version"])


def _hosted(value: PackageEntry) -> frozenset[tuple[str, str]]:
    found = (model.hosted(url) for version in value.versions.values() for url in version.files)
    return frozenset(file for file in found if file)


def _groups(entry: Entry[PackageEntry]) -> Iterator[tuple[str, str]]:
    yield ("name", entry.value.name)
    for owner in entry.value.owners:
        yield ("owner", owner.lower())
    if entry.value.archived:
        yield _ARCHIVED


catalogue = Catalogue("hel", PackageEntry, shape=4, entities=entities, reload=reload, groups=_groups)
