"""What cannot be right is found, mended where it can be, and nothing that is right is touched."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import accounts, blobs, credentials, fsck, registry
from chalicelib.core.declaration import Declaration, Inconsistency
from chalicelib.core.fsck import FsckWalk
from chalicelib.core.tables import Account, Change, Claim, Credential, Window, now
from chalicelib.luarocks.index import AREA
from chalicelib.luarocks.tables import Version
from tests.client import Client
from tests.core.test_backup_file import ignore, publish
from tests.worlds import both_worlds, embedded_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
TWO_DAYS = 2 * 86400


def faults(**options: bool) -> list[Inconsistency]:
    return list(fsck.check(FsckWalk(), ignore, **options))


def mend() -> None:
    """Find what is wrong, mend all of it, and find nothing more."""
    for fault in faults():
        assert fault.fix, fault
        fault.fix()
    assert faults() == []


def kinds() -> list[tuple[str, str]]:
    return [(fault.kind, fault.subject) for fault in faults()]


def test_where_all_is_well_nothing_is_found() -> None:
    publish()
    seen = FsckWalk()
    assert list(fsck.check(seen, ignore)) == []
    assert seen.blobs == len(list(blobs.listed()))
    assert seen.bytes == sum(stored.size for stored in blobs.listed())


def test_an_installation_that_nobody_used_is_well() -> None:
    assert faults() == []


def test_a_file_that_is_missing_is_told_by_who_names_it() -> None:
    publish()
    (version,) = (item for item in Version.scan() if isinstance(item, Version))
    key = blobs.key_of(AREA, version.sha256)
    blobs.delete(key)
    (fault,) = faults()
    assert (fault.kind, fault.subject) == ("missing-blob", f"{Version.Meta.table_name} {version.pk} {version.sk}")
    assert (fault.message, fault.fix) == (f"names {key}, which is not there", None)


def test_bytes_that_nothing_names_are_removed_when_they_are_old() -> None:
    publish()
    with time_machine.travel(time.time() - TWO_DAYS):
        old = blobs.put(b"old", AREA).key
    date_back(old)
    young, foreign = blobs.put(b"young", AREA).key, blobs.put(b"foreign", "nobodys").key
    date_back(foreign)
    assert kinds() == [("forgotten-blob", old)]
    mend()
    left = {stored.key for stored in blobs.listed()}
    assert old not in left
    assert {young, foreign} <= left


def date_back(key: str) -> None:
    """moto dates by the clock that was set; a file by the system's."""
    place = settings.current().blobs
    if place.startswith("file:"):
        moment = time.time() - TWO_DAYS
        os.utime(Path(place.removeprefix("file:")) / key, (moment, moment))


def test_bytes_that_are_needed_again_meanwhile_stay() -> None:
    with time_machine.travel(time.time() - TWO_DAYS):
        key = blobs.put(b"old", AREA).key
    date_back(key)
    (fault,) = faults()
    blobs.put(b"old", AREA)
    assert fault.fix
    fault.fix()
    assert blobs.get(key) == b"old"


@embedded_only
def test_changed_bytes_are_found_unless_contents_are_not_read() -> None:
    key = blobs.put(b"right", AREA).key
    (Path(settings.current().blobs.removeprefix("file:")) / key).write_bytes(b"wrong")
    assert kinds() == [("damaged-blob", key)]
    assert faults(contents=False) == []


@embedded_only
def test_what_was_left_half_written_is_removed() -> None:
    draft = Path(settings.current().blobs.removeprefix("file:")) / "luarocks" / ".draft-x"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"half")
    assert faults() == []
    os.utime(draft, (1, 1))
    assert kinds() == [("half-written", "blobs")]
    mend()
    assert not draft.exists()


def test_a_list_that_differs_from_what_is_stored_is_made_anew() -> None:
    publish()
    before = Client().get("/manifest").body
    catalogue = registry.current().catalogues["luarocks"]
    catalogue.publish(
        lambda snapshot, writes: ({"alice/say": None, "nobody/else": snapshot.entries["alice/say"].value}, None)
    )
    (fault,) = faults()
    assert (fault.kind, fault.subject) == ("catalogue", "luarocks")
    assert fault.message == "2 entries differ: alice/say, nobody/else"
    mend()
    assert Client().get("/manifest").body == before


def test_counters_that_run_ahead_are_no_fault() -> None:
    publish()
    assert Client().get("/packages/thing").status == 200
    assert faults() == []


def test_a_snapshot_that_is_missing_is_told() -> None:
    publish()
    catalogue = registry.current().catalogues["hel"]
    catalogue.rebuild()
    change = list(Change.query("catalogue-log#hel"))[-1]
    blobs.delete(str(change.snapshot))
    subjects = [subject for kind, subject in kinds() if kind == "missing-blob"]
    table = Change.Meta.table_name
    assert f"{table} catalogue#hel head" in subjects
    assert f"{table} {change.pk} {change.sk}" in subjects


def test_a_claim_without_its_holder_is_given_up() -> None:
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
    mend()
    assert accounts.create("ghost", "other@example.org").id == 2
    assert Claim.find("elsewhere#x", "claim")


def test_an_account_or_key_without_its_claims_gets_them_again() -> None:
    alice = accounts.create("Alice", "Alice@example.org")
    number = int(credentials.create(alice, "luarocks")[0].id)
    for name in ("username#alice", "email#alice@example.org", f"credential#{number}"):
        Claim(name, "claim").delete()
    assert [kind for kind, _ in kinds()] == ["unclaimed-name"] * 3
    mend()
    assert accounts.named("alice").id == 1
    assert credentials.find(number).account_id == 1


def test_what_expired_days_ago_is_removed_and_what_expired_just_now_is_not() -> None:
    Window("window#old", "1", used=1, expires_at=now() - timedelta(days=4)).save()
    Window("window#new", "1", used=1, expires_at=now() - timedelta(hours=1)).save()
    assert kinds() == [("expired", f"{Window.Meta.table_name} window#old 1")]
    mend()
    assert Window.find("window#new", "1")


def test_a_service_may_look_for_more() -> None:
    fault = Inconsistency("odd", "thing", "looks odd")
    with registry.including(Declaration(name="test", checks=(lambda: [fault],))):
        assert faults() == [fault]


def test_an_account_that_opens_meanwhile_is_no_fault() -> None:
    """A walk may see a claim and not the account, or the other way about."""
    alice = accounts.create("alice", "alice@example.org")
    seen = FsckWalk(claims={"username#alice": "1", "email#alice@example.org": "1"})
    assert list(fsck._check_claims(seen)) == []
    seen = FsckWalk(accounts={1: alice})
    assert list(fsck._check_claims(seen)) == []
    assert Account.find("account#1", "account")
    assert list(Credential.by_listing.query("credentials#1")) == []
