"""The fields of all packages by which lists filter and sort (core/catalogues/columns.py)."""

from collections.abc import Iterator, Set

from chalicelib.core.catalogues.columns import EntryRow, RowField, RowsByKey, RowTable
from chalicelib.core.catalogues.derived import Derived
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.catalogues.stored_values import StoredValue
from chalicelib.hel import counts, index, installs, semver
from chalicelib.hel.entry import PackageEntry, Version

_Texts = tuple[str, ...]
_Triples = tuple[tuple[str, str, str], ...]


class ListedPackage(EntryRow[PackageEntry]):
    """A package. The fields of files and dependencies are those of its latest version."""

    __slots__ = ()

    name = RowField[PackageEntry, str](str, lambda value: value.name)
    description = RowField[PackageEntry, str](str, lambda value: value.description)
    short_description = RowField[PackageEntry, str](str, lambda value: value.short_description)
    license = RowField[PackageEntry, str](str, lambda value: value.license)
    owners = RowField[PackageEntry, _Texts](_Texts, lambda value: tuple(owner.lower() for owner in value.owners))
    authors = RowField[PackageEntry, _Texts](_Texts, lambda value: value.authors)
    tags = RowField[PackageEntry, _Texts](_Texts, lambda value: value.tags)
    screen_urls = RowField[PackageEntry, _Texts](_Texts, lambda value: tuple(value.screenshots))
    screen_descs = RowField[PackageEntry, _Texts](_Texts, lambda value: tuple(value.screenshots.values()))
    files = RowField[PackageEntry, _Triples](  # URL, directory and name
        _Triples, lambda value: tuple((url, file.dir, file.name) for url, file in _latest(value).files.items())
    )
    depends = RowField[PackageEntry, _Triples](  # name, range and type
        _Triples, lambda value: tuple((name, one.version, one.type) for name, one in _latest(value).depends.items())
    )
    created_at = RowField[PackageEntry, int](int, lambda value: value.created_at)
    updated_at = RowField[PackageEntry, int](int, lambda value: value.updated_at)
    counted = RowField[PackageEntry, _Texts](_Texts, installs.counted_files)

    @property
    def views(self) -> int:
        """The published views."""
        return counts.published(counts.package(self.key))

    @property
    def downloads(self) -> int:
        """The published installs."""
        return sum(map(counts.published, self.counted))


Packages = RowsByKey[ListedPackage]


def of(snapshot: Snapshot[PackageEntry]) -> Packages:
    """The rows of a snapshot."""
    return _derived.get(snapshot, ROWS.name, ROWS.of, ROWS.update)


def _build(snapshot: Snapshot[PackageEntry]) -> Packages:
    return RowsByKey.of(ListedPackage, RowTable.of(ListedPackage, _entries(snapshot)))


def _entries(snapshot: Snapshot[PackageEntry]) -> Iterator[tuple[str, PackageEntry]]:
    return ((entry.key, entry.value) for shard in snapshot.shards for entry in shard.entries())


def _update(known: Packages, snapshot: Snapshot[PackageEntry], keys: Set[str]) -> Packages:
    found = {key: snapshot.entries.get(key) for key in keys}
    return known.changed({key: entry.value if entry else None for key, entry in found.items()})


def _latest(value: PackageEntry) -> Version:
    """The highest version; an empty one for a package without versions."""
    number = semver.latest(value.versions)
    return value.versions[number] if number is not None else Version(files={}, depends={}, changes="")


ROWS: StoredValue[PackageEntry, Packages] = index.catalogue.keep(
    StoredValue(
        "rows",
        2,
        build=_build,
        update=_update,
        encode=RowsByKey.encoded,
        decode=lambda body, keys: RowsByKey.of(ListedPackage, RowTable.decoded(ListedPackage, body, keys)),
    )
)
_derived: Derived[PackageEntry] = Derived()
