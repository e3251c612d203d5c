"""Fixtures of the ContentDB tests: package queries, a token, and a list of many packages."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from chalicelib.contentdb.entry import KINDS, PackageEntry, ReleaseInfo
from chalicelib.contentdb.store import index, values
from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.tables import Counters, Package
from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import names, token


@pytest.fixture
def list_names(client: Client) -> Callable[..., list[str]]:
    """A function that returns the names of the packages that a query matches."""
    return lambda query="": names(client.get("/api/packages/", query=query))


@pytest.fixture
def bearer(alice: Account) -> dict[str, str]:
    """The header that sends Alice's token."""
    return token(alice)


@pytest.fixture
def fill_catalogue(aws: None) -> Callable[[int], None]:
    """A function that fills the catalogue with `count` approved packages; `Alice/p0` depends on `p1`, and so on."""

    def fill(count: int) -> None:
        entities = [(f"Alice/p{n}", _value(n)) for n in range(count)]
        shape = index.catalogue.codec.shape
        Catalogue("contentdb", KINDS, shape=shape, entities=lambda: entities, reload=lambda key, entry: entry).rebuild()
        index.catalogue.snapshot()

    return fill


def _value(number: int) -> PackageEntry:
    package = Package(
        "package#1",
        "package",
        id=number + 1,
        author="Alice",
        author_id=1,
        name=f"p{number}",
        type="MOD",
        state="APPROVED",
        title=f"Iron {number}",
        license="MIT",
        media_license="MIT",
        provides=[f"p{number}"],
        depends=[f"p{number + 1}"],
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    value = values.value_of(Parts(package, Counters(package.pk, "counters")))
    made = ReleaseInfo(id=number + 1, min=None, max=None, file=None, size=1, created_at="2026-01-02T00:00:00.000000")
    return replace(value, releases=(made,))
