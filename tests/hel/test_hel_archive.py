"""Archived packages: lists and searches omit them, their names answer, with the reason."""

import pytest

from chalicelib.core import audit, fsck, registry
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.tables import Account
from chalicelib.hel import archiving, index
from chalicelib.web import shelves
from tests.client import Client
from tests.hel.builders import Create, list_packages, package
from tests.worlds import both_worlds

WHY = "Replaced by drum."


@pytest.fixture
def two(create: Create) -> None:
    """The packages thing and drum of Alice, drum with another text."""
    create(package("thing", owners=["alice"]))
    create(package("drum", owners=["alice"], description="A drum"))


@both_worlds
def test_lists_searches_and_works_omit_it_until_it_is_listed_again(client: Client, two: None) -> None:
    archiving.archive("thing", WHY, None)
    assert list_packages(client) == ["drum"]
    assert list_packages(client, q="thing") == []
    assert list_packages(client, license="Package license, e.g., GPL v3") == ["drum"]
    assert [work.name for work in shelves.of("alice")["OpenComputers packages"]] == ["drum"]
    archiving.unarchive("thing", None)
    assert list_packages(client) == ["thing", "drum"]
    assert list_packages(client, name="thing") == ["thing"]


def test_its_name_answers_with_the_reason(client: Client, two: None) -> None:
    before = client.get("/packages/thing").json["data"]
    archiving.archive("thing", WHY, None)
    archived = client.get("/packages/thing").json["data"]
    assert {**archived, "stats": None} == {**before, "archived": True, "reason": WHY, "stats": None}
    archiving.unarchive("thing", None)
    assert "archived" not in client.get("/packages/thing").json["data"]


def test_a_change_and_a_rename_keep_it_archived(client: Client, two: None, key: dict[str, str]) -> None:
    archiving.archive("thing", WHY, None)
    changed = client.request("PATCH", "/packages/thing", headers=key, json={"name": "other"})
    assert changed.status < 300
    assert client.get("/packages/other").json["data"]["reason"] == WHY
    assert list_packages(client) == ["drum"]


def test_its_name_stays_in_use(create: Create, two: None) -> None:
    archiving.archive("thing", WHY, None)
    assert create(package("thing", owners=["alice"])).status == 409


def test_the_audit_log_and_the_events_have_it(two: None, alice: Account) -> None:
    archiving.archive("thing", None, None)
    archiving.unarchive("thing", None)
    assert [entry.action for entry in audit.entries(int(alice.id))][:2] == ["package.unarchive", "package.archive"]


def test_a_rebuild_and_fsck_agree(client: Client, two: None) -> None:
    archiving.archive("thing", WHY, None)
    assert list(fsck.check(fsck.FsckScan(), lambda _: None)) == []
    registry.current().catalogues["hel"].rebuild()
    assert list_packages(client) == ["drum"]
    found = index.find(index.catalogue.snapshot(), "thing")
    assert found is not None
    assert found.value.archive_reason == WHY


def test_an_unknown_package_and_a_bad_reason_are_refused(two: None) -> None:
    with pytest.raises(NotFound, match=r"There is no package nothing\."):
        archiving.archive("nothing", WHY, None)
    for reason in ("", " ", "two\nlines", "x" * 201):
        with pytest.raises(Invalid, match="one line of at most 200 characters"):
            archiving.archive("thing", reason, None)
