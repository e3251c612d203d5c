"""Hel's catalogue: what lists, searches and single packages are answered from.

An entry is a whole public package, as README.md shows it, under its id: it keeps its place whatever its name. Entries
stand in the order of creation. Views and downloads in them are as old as the last `refresh`.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import cast

import orjson

from chalicelib.core import blobs, inventory, jobs
from chalicelib.core.catalogue import Catalogue, Changes
from chalicelib.core.snapshots import Entry, Snapshot, Value
from chalicelib.hel import counts, model
from chalicelib.hel.model import Document
from chalicelib.hel.tables import Count, File, HelItem, Package

AREA = "hel"
REFRESH_EVERY = 600


def entities() -> Iterator[tuple[str, Value]]:
    """Every entry, from the table itself."""
    items = list(HelItem.scan(consistent_read=True))
    totals = counts.totals_of(item for item in items if isinstance(item, Count))
    packages = [item for item in items if isinstance(item, Package)]
    for package in sorted(packages, key=lambda package: package.id):
        entry = Entry(key_of(package), public(package, _document(package)))
        yield entry.key, _counted(entry, totals)


@inventory.holds(HelItem, AREA)
def _blobs_of(item: HelItem) -> list[str | None]:
    return [item.blob] if isinstance(item, Package | File | Count) else []


def public(package: Package, document: Document, views: int = 0, downloads: int = 0) -> Value:
    """A package as everybody sees it."""
    whole = {**document, "owners": list(package.owners)}
    return {
        **{field: whole[field] for field in model.FIELDS},
        "stats": {
            "views": views,
            "date": {"created": _date(package.created_at), "last-updated": _date(package.updated_at)},
            "downloads": downloads,
        },
    }


def key_of(package: Package) -> str:
    """Under what a package stands in the catalogue."""
    return str(int(package.id))


def find(snapshot: Snapshot, name: str) -> Entry | None:
    """The package of this name."""
    names = snapshot.keep("names", lambda snapshot: {entry.value["name"]: entry for entry in snapshot.entries.values()})
    return names.get(name)


def hosted_files(entry: Entry) -> frozenset[tuple[str, str]]:
    """Which stored files a package is made of: (username in lower case, SHA-256) of each."""
    return entry.keep("hosted", _find_hosted)


@jobs.repeats("hel-counts", every=REFRESH_EVERY)
def refresh() -> None:
    """Bring views and downloads into the lists."""
    totals = counts.totals()

    def renew(snapshot: Snapshot) -> Changes:
        renewed = {key: _counted(entry, totals) for key, entry in snapshot.entries.items()}
        return {key: value for key, value in renewed.items() if value is not snapshot.entries[key].value}

    catalogue.refresh(renew)


def _document(package: Package) -> Document:
    return cast(Document, orjson.loads(blobs.get(package.blob) if package.blob else package.document))


def _counted(entry: Entry, totals: Mapping[str, int]) -> Value:
    """An entry's value with the newest counts: the same object where they are no news."""
    stats = entry.value["stats"]
    owners = {owner.lower() for owner in entry.value["owners"]}
    hosted = [counts.file(owner, sha256) for owner, sha256 in hosted_files(entry) if owner in owners]
    newest = {
        "views": max(totals.get(counts.package(entry.key), 0), stats["views"]),
        "downloads": sum(totals.get(file, 0) for file in hosted),
    }
    if newest.items() <= stats.items():
        return entry.value
    return {**entry.value, "stats": {**stats, **newest}}


def _find_hosted(entry: Entry) -> frozenset[tuple[str, str]]:
    versions = entry.value["versions"].values()
    found = (model.hosted(url) for version in versions for url in version["files"])
    return frozenset(file for file in found if file)


def _date(moment: datetime) -> str:
    """`2017-02-20 10:30:00`, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _without_counts(value: Value) -> Value:
    return {**value, "stats": {**value["stats"], "views": 0, "downloads": 0}}


catalogue = Catalogue("hel", entities, _without_counts)
