"""Hel's catalogue: what lists and searches are answered from.

An entry is a whole public package under its name, as README.md shows it. Entries stand in the order of creation.
Views in it are as old as the last rebuild.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import orjson

from chalicelib.core import blobs, inventory
from chalicelib.core.catalogue import Catalogue
from chalicelib.core.views import Value
from chalicelib.hel.model import Document
from chalicelib.hel.tables import HelItem, Package

AREA = "hel"


def entities() -> Iterator[tuple[str, Value]]:
    """Every entry, from the table itself."""
    packages = [item for item in HelItem.scan(consistent_read=True) if isinstance(item, Package)]
    for package in sorted(packages, key=lambda package: package.id):
        yield package.name, public(package, document_of(package))


@inventory.holds(HelItem, AREA)
def _blobs_of(item: HelItem) -> list[str | None]:
    return [item.blob] if isinstance(item, Package) else []


def document_of(package: Package) -> Document:
    """A package's document."""
    return cast(Document, orjson.loads(blobs.get(package.blob) if package.blob else package.document))


def public(package: Package, document: Document) -> Value:
    """A package as everybody sees it."""
    return {
        **document,
        "owners": list(package.owners),
        "stats": {
            "views": int(package.views),
            "date": {"created": _date(package.created_at), "last-updated": _date(package.updated_at)},
        },
    }


def _date(moment: datetime) -> str:
    """`2017-02-20 10:30:00`, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _without_views(value: Value) -> Value:
    return {**value, "stats": {**value["stats"], "views": 0}}


catalogue = Catalogue("hel", entities, _without_views)
