"""The next version of Hel, whose packages also have a home page, next to this version."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.hel import counts, index
from chalicelib.hel.entry import PackageEntry
from chalicelib.hel.tables import HelItem, Package, package_pk
from tests.client import Client, Reply
from tests.hel.builders import Create, list_packages, package, stored


class NextEntry(PackageEntry):
    homepage: str = ""


def next_entry(item: Package) -> NextEntry:
    document = index.document_of(item)
    entry = index.entry_of(item, document)
    fields: dict[str, Any] = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return NextEntry(**fields, homepage=document.get("homepage", ""))


def entities() -> Iterator[tuple[str, NextEntry]]:
    items = [item for item in HelItem.scan(consistent_read=True) if isinstance(item, Package)]
    return ((index.key_of(item), next_entry(item)) for item in sorted(items, key=lambda item: item.id))


def reload(key: str, known: NextEntry) -> NextEntry | None:
    item = Package.find(package_pk(known.name), "package")
    return next_entry(item) if item and index.key_of(item) == key else None


def start() -> Catalogue[NextEntry]:
    """A process of the next version."""
    return Catalogue("hel", NextEntry, shape=index.catalogue.codec.shape + 1, entities=entities, reload=reload)


@pytest.fixture
def change(client: Client, session: dict[str, str]) -> Callable[[dict[str, Any]], Reply]:
    """Changes the package `thing` as Alice, with this version."""
    return lambda changes: client.request("PATCH", "/packages/thing", headers=session, json=changes)


def pages(catalogue: Catalogue[NextEntry]) -> dict[str, tuple[str, str]]:
    entries = [entry.value for entry in catalogue.snapshot().entries.values()]
    return {entry.name: (entry.license, entry.homepage) for entry in entries}


def set_homepage(name: str) -> None:
    """Set a home page as the next version would, on an installed server."""
    (item,) = [item for item in stored() if item.name == name]
    document = {**orjson.loads(item.document), "homepage": f"https://{name}.example"}
    item.update([Package.document.set(orjson.dumps(document).decode())])


def test_both_versions_serve_the_same_catalogue(client: Client, create: Create, change: Callable[..., Reply]) -> None:
    create(package(owners=["Alice"], license="MIT"))
    index.catalogue.fold()
    set_homepage("thing")
    following = start()
    assert pages(following) == {"thing": ("MIT", "https://thing.example")}
    create(package("other", license="ISC"))
    assert change({"license": "BSD"}).status == 204
    expected = {"thing": ("BSD", "https://thing.example"), "other": ("ISC", "")}
    assert pages(following) == pages(start()) == expected
    index.catalogue.drop_cache()
    assert list_packages(client) == ["thing", "other"]
    index.catalogue.fold()
    counts.counters.publish()
    assert pages(following) == pages(start()) == expected


def test_the_next_version_sees_a_rename_by_this_version(create: Create, change: Callable[..., Reply]) -> None:
    create(package(owners=["Alice"], license="MIT"))
    create(package("other", license="ISC"))
    set_homepage("thing")
    following = start()
    pages(following)
    assert change({"license": "BSD"}).status == 204
    assert change({"name": "renamed"}).status == 204
    assert pages(following) == {"renamed": ("BSD", "https://thing.example"), "other": ("ISC", "")}
    assert list(pages(following)) == list(pages(start())) == ["renamed", "other"]
