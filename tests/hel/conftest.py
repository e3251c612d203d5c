"""Fixtures of the Hel tests: sessions, and a filled list."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib import settings
from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account
from chalicelib.hel import index
from chalicelib.hel.entry import PackageEntry
from tests import people
from tests.client import Client, Reply
from tests.hel.builders import Create, entry, package


@pytest.fixture(autouse=True)
def open_registration() -> Iterator[None]:
    """Registration is open, as at Hel."""
    with settings.override(registration="open"):
        yield


@pytest.fixture
def session(alice: Account) -> dict[str, str]:
    """The header of Alice's session."""
    return {"Cookie": "auth_tkt=" + credentials.create(alice, credentials.SESSION)[1]}


@pytest.fixture
def create(client: Client, session: dict[str, str]) -> Create:
    """Creates a package as Alice."""

    def send(data: object = package(), **more: Any) -> Reply:
        return client.post("/packages", json=data, headers=session, **more)

    return send


@pytest.fixture
def key(alice: Account) -> dict[str, str]:
    """The header of Alice's key for Hel."""
    return {"Authorization": "Bearer " + credentials.create(alice, "hel")[1]}


@pytest.fixture
def admin(aws: None) -> dict[str, str]:
    """The header of an administrator's session."""
    account = people.register("Root", "root@example.org", "toor", "ADMIN")
    return {"Cookie": "auth_tkt=" + credentials.create(account, credentials.SESSION)[1]}


@pytest.fixture
def fill_catalogue(aws: None) -> Callable[[int], None]:
    """Fills the list with this many packages."""

    def fill(packages: int) -> None:
        entries = {f"{n}": entry(f"p{n}") for n in range(packages)}
        shape = index.catalogue.codec.shape
        Catalogue(
            "hel", PackageEntry, shape=shape, entities=entries.items, reload=lambda key, _: entries[key]
        ).rebuild()
        index.catalogue.snapshot()

    return fill
