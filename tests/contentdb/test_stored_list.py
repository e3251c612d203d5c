"""The list of all packages that folds store: a new process loads it, and renders only packages that differ."""

import pytest

from chalicelib.contentdb.browse import package_lists
from chalicelib.contentdb.store import index
from chalicelib.core.catalogues import stored_values
from tests.client import Client
from tests.contentdb.builders import change, published

pytestmark = pytest.mark.usefixtures("alice")


@pytest.fixture
def stored(client: Client, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The list of a new process with 40 packages whose list is stored."""
    monkeypatch.setattr(stored_values, "FEWEST", 10)
    for number in range(40):
        published(f"Alice/mod_{number}", title=f"Title {number}")
    index.catalogue.fold()
    index.catalogue.drop_cache()
    assert package_lists.STORED.is_stored(index.catalogue.snapshot())
    return client.get("/api/packages/").body


def loaded(base: str) -> bytes:
    """The text of the stored list, with this base URL."""
    snapshot = index.catalogue.snapshot()
    return package_lists.STORED.of(snapshot).at(base).blocks.text()


def test_the_stored_list_is_the_list_that_a_process_without_it_makes(client: Client, stored: bytes) -> None:
    made = package_lists.STORED.build(index.catalogue.snapshot()).at("http://localhost").blocks.text()
    assert loaded("http://localhost") == made == stored
    assert len(client.get("/api/packages/").json) == 40


def test_clients_of_another_host_get_their_own_urls(client: Client, stored: bytes) -> None:
    other = client.get("/api/packages/", headers={"Host": "rocks.example.org"}).body
    assert other == stored.replace(b"http://localhost/", b"http://rocks.example.org/")


def test_the_stored_list_follows_changes(client: Client, stored: bytes) -> None:
    change("Alice/mod_7", title="New")
    published("Alice/zinc")
    index.catalogue.drop_cache()
    snapshot = index.catalogue.snapshot()
    assert package_lists.STORED.is_stored(snapshot)
    assert loaded("http://localhost") == package_lists.STORED.build(snapshot).blocks.text()
    assert [package["title"] for package in client.get("/api/packages/").json if package["name"] == "mod_7"] == ["New"]
