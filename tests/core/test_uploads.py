"""Upload slots: one file each, for the account that opened them, with a size limit, for an hour."""

from datetime import UTC, datetime

import pytest
import requests
import time_machine

from chalicelib.core import blobs, uploads
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Invalid, NotFound, TooLarge
from chalicelib.core.identity import credentials
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, UploadSlot
from chalicelib.core.uploads import Slot
from tests.worlds import both_worlds, embedded_only, moto_only

pytestmark = both_worlds

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def caller(carol: Account) -> Caller:
    """Carol with a token."""
    return Caller(carol, credentials.create(carol, "contentdb")[0])


@pytest.fixture
def slot(caller: Caller) -> Slot:
    """Carol's slot for at most ten bytes."""
    return uploads.open_slot(caller, "contentdb", 10, "http://here")


def send(slot: Slot, content: bytes) -> None:
    """Send a file as a client does, to S3 or to the server."""
    if slot.url.startswith("http://here"):
        uploads.receive(slot.id, content)
        return
    response = requests.post(slot.url, data=slot.fields, files={"file": ("x.zip", content)}, timeout=10)
    assert response.status_code == 204


def use(slot: Slot) -> None:
    writes = Transaction()
    uploads.use(writes, slot.id)
    writes.commit()


def test_the_file_of_a_slot_is_read_by_its_account(caller: Caller, slot: Slot) -> None:
    send(slot, b"0123456789")
    assert uploads.read(caller, "contentdb", slot.id) == b"0123456789"


@moto_only
def test_the_s3_policy_limits_key_size_and_expiry(slot: Slot) -> None:
    import base64
    import json

    policy = json.loads(base64.b64decode(slot.fields["policy"]))
    assert ["content-length-range", 1, 10] in policy["conditions"]
    assert {"key": f"slots/{slot.id}"} in policy["conditions"]
    assert slot.fields["key"] == f"slots/{slot.id}"
    end = datetime.fromisoformat(policy["expiration"]).timestamp()
    assert 0 < end - datetime.now(UTC).timestamp() <= uploads.LIFETIME


def test_a_slot_has_its_size_limit_and_expiry(caller: Caller) -> None:
    with time_machine.travel(MOMENT, tick=False):
        slot = uploads.open_slot(caller, "contentdb", 10, "http://here")
    assert (slot.max_size, slot.expires_at) == (10, int(MOMENT.timestamp()) + 3600)


def test_reading_an_empty_slot_is_an_error(caller: Caller, slot: Slot) -> None:
    with pytest.raises(Invalid, match="has no file yet"):
        uploads.read(caller, "contentdb", slot.id)


@moto_only
def test_a_file_in_s3_that_is_too_large_is_rejected_and_deleted(caller: Caller, slot: Slot) -> None:
    send(slot, b"0123456789X")
    with pytest.raises(TooLarge, match="larger than 10 bytes"):
        uploads.read(caller, "contentdb", slot.id)
    assert blobs.size(f"slots/{slot.id}") is None


@embedded_only
@pytest.mark.parametrize(("content", "error"), [(b"0123456789X", TooLarge), (b"", Invalid)])
def test_a_file_that_is_too_large_or_empty_is_rejected(slot: Slot, content: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        uploads.receive(slot.id, content)
    assert blobs.size(f"slots/{slot.id}") is None


@embedded_only
def test_a_second_file_is_rejected(slot: Slot) -> None:
    uploads.receive(slot.id, b"one")
    with pytest.raises(Conflict):
        uploads.receive(slot.id, b"two")


@pytest.mark.parametrize("slot_id", ["", "x", "../../secret", "a" * 3000, "ü"])
def test_an_unknown_slot_is_not_found(caller: Caller, slot_id: str) -> None:
    for access in (lambda: uploads.receive(slot_id, b"x"), lambda: uploads.read(caller, "contentdb", slot_id)):
        with pytest.raises(NotFound, match="There is no such upload slot"):
            access()


def test_a_slot_is_limited_to_its_account_and_purpose(caller: Caller, slot: Slot, bob: Account) -> None:
    send(slot, b"x")
    other = Caller(bob, credentials.create(bob, "contentdb")[0])
    for who, purpose in ((other, "contentdb"), (caller, "luarocks")):
        with pytest.raises(NotFound):
            uploads.read(who, purpose, slot.id)


def test_a_slot_can_be_used_once(caller: Caller, slot: Slot) -> None:
    send(slot, b"x")
    use(slot)
    with pytest.raises(NotFound):
        use(slot)
    with pytest.raises(NotFound):
        uploads.read(caller, "contentdb", slot.id)


def test_a_slot_expires_after_an_hour_and_is_deleted_with_its_file(caller: Caller) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        slot = uploads.open_slot(caller, "contentdb", 10, "http://here")
        blobs.write(f"slots/{slot.id}", b"x")
        clock.shift(3599)
        uploads.delete_expired()
        assert uploads.read(caller, "contentdb", slot.id) == b"x"
        clock.shift(2)
        with pytest.raises(NotFound):
            uploads.read(caller, "contentdb", slot.id)
        clock.shift(900)
        uploads.delete_expired()
    assert blobs.size(f"slots/{slot.id}") is None
    assert list(UploadSlot.by_listing.query("upload-slots")) == []
