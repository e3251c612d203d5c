"""fsck: it finds inconsistent data, repairs it where possible, and leaves consistent data unchanged."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import blobs, fsck, registry
from chalicelib.core.catalogues.tables import Change
from chalicelib.core.declaration import Declaration, Inconsistency
from chalicelib.core.fsck import FsckScan
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account, Claim, Credential, Window, now
from chalicelib.luarocks.index import AREA
from chalicelib.luarocks.tables import Version
from tests.client import Client
from tests.core.test_backup_file import ignore, publish
from tests.worlds import both_worlds, embedded_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
TWO_DAYS = 2 * 86400


def inconsistencies(**options: bool) -> list[Inconsistency]:
    return list(fsck.check(FsckScan(), ignore, **options))


def repair() -> None:
    """Fix all inconsistencies; afterwards there are none."""
    for inconsistency in inconsistencies():
        assert inconsistency.fix, inconsistency
        inconsistency.fix()
    assert inconsistencies() == []


def kinds() -> list[tuple[str, str]]:
    return [(inconsistency.kind, inconsistency.subject) for inconsistency in inconsistencies()]


def test_a_consistent_installation_has_no_inconsistencies() -> None:
    publish()
    seen = FsckScan()
    assert list(fsck.check(seen, ignore)) == []
    assert seen.blobs == len(list(blobs.list_blobs()))
    assert seen.bytes == sum(stored.size for stored in blobs.list_blobs())


def test_an_empty_installation_has_no_inconsistencies() -> None:
    assert inconsistencies() == []


def test_a_missing_blob_is_reported_with_its_item() -> None:
    publish()
    (version,) = (item for item in Version.scan() if isinstance(item, Version))
    key = blobs.key_of(AREA, version.sha256)
    blobs.delete(key)
    (inconsistency,) = inconsistencies()
    assert (inconsistency.kind, inconsistency.subject) == (
        "missing-blob",
        f"{Version.Meta.table_name} {version.pk} {version.sk}",
    )
    assert (inconsistency.message, inconsistency.fix) == (f"refers to {key}, which does not exist", None)


def test_old_orphaned_blobs_are_deleted() -> None:
    publish()
    with time_machine.travel(time.time() - TWO_DAYS):
        old = blobs.put(b"old", AREA).key
    backdate(old)
    young, foreign = blobs.put(b"young", AREA).key, blobs.put(b"foreign", "foreign").key
    backdate(foreign)
    assert kinds() == [("forgotten-blob", old)]
    repair()
    left = {stored.key for stored in blobs.list_blobs()}
    assert old not in left
    assert {young, foreign} <= left


def backdate(key: str) -> None:
    """Set a file's time two days back. moto uses the travelled clock, but the file system does not."""
    location = settings.current().blobs
    if location.startswith("file:"):
        moment = time.time() - TWO_DAYS
        os.utime(Path(location.removeprefix("file:")) / key, (moment, moment))


def test_an_orphaned_blob_that_is_stored_again_stays() -> None:
    with time_machine.travel(time.time() - TWO_DAYS):
        key = blobs.put(b"old", AREA).key
    backdate(key)
    (inconsistency,) = inconsistencies()
    blobs.put(b"old", AREA)
    assert inconsistency.fix
    inconsistency.fix()
    assert blobs.get(key) == b"old"


@embedded_only
def test_changed_content_is_found_unless_contents_are_skipped() -> None:
    key = blobs.put(b"right", AREA).key
    (Path(settings.current().blobs.removeprefix("file:")) / key).write_bytes(b"wrong")
    assert kinds() == [("damaged-blob", key)]
    assert inconsistencies(contents=False) == []


@embedded_only
def test_unfinished_files_are_deleted() -> None:
    draft = Path(settings.current().blobs.removeprefix("file:")) / "luarocks" / ".draft-x"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"half")
    assert inconsistencies() == []
    os.utime(draft, (1, 1))
    assert kinds() == [("half-written", "blobs")]
    repair()
    assert not draft.exists()


def test_a_catalogue_that_differs_from_its_entities_is_rebuilt() -> None:
    publish()
    before = Client().get("/manifest").body
    catalogue = registry.current().catalogues["luarocks"]
    catalogue.publish(
        lambda snapshot, writes: ({"alice/say": None, "someone/else": snapshot.entries["alice/say"].value}, None)
    )
    (inconsistency,) = inconsistencies()
    assert (inconsistency.kind, inconsistency.subject) == ("catalogue", "luarocks")
    assert inconsistency.message == "2 entries differ: alice/say, someone/else"
    repair()
    assert Client().get("/manifest").body == before


def test_newer_counters_in_entities_are_no_fault() -> None:
    publish()
    assert Client().get("/packages/thing").status == 200
    assert inconsistencies() == []


def test_a_missing_snapshot_is_reported() -> None:
    publish()
    catalogue = registry.current().catalogues["hel"]
    catalogue.rebuild()
    change = list(Change.query("catalogue-log#hel"))[-1]
    blobs.delete(str(change.snapshot))
    subjects = [subject for kind, subject in kinds() if kind == "missing-blob"]
    table = Change.Meta.table_name
    assert f"{table} catalogue#hel head" in subjects
    assert f"{table} {change.pk} {change.sk}" in subjects


def test_a_claim_without_its_holder_is_deleted() -> None:
    accounts.create("alice", "alice@example.org")
    Claim("username#ghost", "claim", holder="99").save()
    Claim("email#other@example.org", "claim", holder="1").save()
    Claim("credential#7", "claim", holder="credential#gone").save()
    Claim("elsewhere#x", "claim", holder="1").save()
    assert sorted(kinds()) == [
        ("idle-claim", "credential#7"),
        ("idle-claim", "email#other@example.org"),
        ("idle-claim", "username#ghost"),
    ]
    repair()
    assert accounts.create("ghost", "other@example.org").id == 2
    assert Claim.find("elsewhere#x", "claim")


def test_missing_claims_of_accounts_and_keys_are_restored() -> None:
    alice = accounts.create("Alice", "Alice@example.org")
    number = int(credentials.create(alice, "luarocks")[0].id)
    for name in ("username#alice", "email#alice@example.org", f"credential#{number}"):
        Claim(name, "claim").delete()
    assert [kind for kind, _ in kinds()] == ["unclaimed-name"] * 3
    repair()
    assert accounts.named("alice").id == 1
    assert credentials.find(number).account_id == 1


def test_items_that_expired_days_ago_are_deleted() -> None:
    Window("window#old", "1", used=1, expires_at=now() - timedelta(days=4)).save()
    Window("window#new", "1", used=1, expires_at=now() - timedelta(hours=1)).save()
    assert kinds() == [("expired", f"{Window.Meta.table_name} window#old 1")]
    repair()
    assert Window.find("window#new", "1")


def test_a_service_can_have_its_own_checks() -> None:
    inconsistency = Inconsistency("odd", "thing", "looks odd")
    with registry.including(Declaration(name="test", checks=(lambda: [inconsistency],))):
        assert inconsistencies() == [inconsistency]


def test_an_account_that_is_created_during_the_scan_is_no_fault() -> None:
    """A scan can see a claim without its account, or an account without its claims."""
    alice = accounts.create("alice", "alice@example.org")
    seen = FsckScan(claims={"username#alice": "1", "email#alice@example.org": "1"})
    assert list(fsck._check_claims(seen)) == []
    seen = FsckScan(accounts={1: alice})
    assert list(fsck._check_claims(seen)) == []
    assert Account.find("account#1", "account")
    assert list(Credential.by_listing.query("credentials#1")) == []
