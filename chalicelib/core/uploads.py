"""Upload slots: the way for files that are too large for a request (docs/decisions: upload slots).

A slot is opened for an account and a purpose. The file is sent to the slot's address, as a form; then the slot is
named in the documented call, in place of the file. A slot holds one file, is used once, and ends after an hour.
"""

import secrets
import time
from dataclasses import dataclass
from typing import Any

from chalicelib.core import blobs
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Invalid, NotFound, TooLarge
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import UploadSlot

LIFETIME = 3600  # seconds
AREA = "slots"
_LEEWAY = 900  # seconds in which an upload that began in time may end
_LONGEST_ID = 64
_LISTING = "upload-slots"


@dataclass(frozen=True)
class Slot:
    """An open slot: `fields` go into the form, before `file`; `ends_at` in epoch seconds, `largest` in bytes."""

    id: str
    url: str
    fields: dict[str, str]
    largest: int
    ends_at: int

    def described(self) -> dict[str, Any]:
        """What its opener must know, under the names that all services use."""
        return {
            "upload": self.id,
            "url": self.url,
            "fields": self.fields,
            "max_size": self.largest,
            "expires_at": self.ends_at,
        }


def open_slot(caller: Caller, purpose: str, largest: int, here: str) -> Slot:
    """Open a slot for one file of at most `largest` bytes; `purpose` is such as `contentdb`.

    Where bytes do not go to S3, the file is sent to the URL `here`.
    """
    slot_id, ends_at = secrets.token_urlsafe(24), int(time.time()) + LIFETIME
    UploadSlot(
        f"upload-slot#{slot_id}",
        "upload-slot",
        listing=_LISTING,
        id=ends_at,
        account_id=caller.account.id,
        purpose=purpose,
        largest=largest,
    ).save()
    elsewhere = blobs.form(_key(slot_id), largest, LIFETIME)
    url, fields = elsewhere or (here, {"slot": slot_id})
    return Slot(slot_id, url, fields, largest, ends_at)


def receive(slot_id: str, content: bytes) -> None:
    """Take a slot's file. Raises NotFound, TooLarge, Invalid for an empty one, or Conflict for a second one."""
    slot = _find(slot_id)
    if len(content) > slot.largest:
        raise TooLarge(f"The file is larger than {int(slot.largest)} bytes.")
    if not content:
        raise Invalid("The file is empty.")
    if blobs.size(_key(slot_id)) is not None:
        raise Conflict("The slot has a file already.")
    blobs.write(_key(slot_id), content)


def read(caller: Caller, purpose: str, slot_id: str) -> bytes:
    """The file in a slot of the caller's own. Raises NotFound, TooLarge, or Invalid when it has none yet.

    S3 was told the largest size; what it took is measured all the same, before it is read.
    """
    slot = _find(slot_id)
    if slot.account_id != caller.account.id or slot.purpose != purpose:
        raise _unknown()
    size = blobs.size(_key(slot_id))
    if not size:
        raise Invalid("The upload slot has no file yet.")
    if size > slot.largest:
        drop(slot_id)
        raise TooLarge(f"The file is larger than {int(slot.largest)} bytes.")
    return blobs.get(_key(slot_id))


def spend(writes: Transaction, slot_id: str) -> None:
    """Use a slot up, in the transaction that uses its file: a second one finds it gone."""
    slot = UploadSlot(f"upload-slot#{slot_id}", "upload-slot")
    writes.delete(slot, UploadSlot.pk.exists(), _unknown())


def drop(slot_id: str) -> None:
    """Drop a slot's file."""
    blobs.delete(_key(slot_id))


def drop_ended() -> None:
    """Drop slots that have ended, and their files. On AWS the bucket's lifecycle drops files that come later still."""
    ended = UploadSlot.by_listing.query(_LISTING, UploadSlot.id < int(time.time()) - _LEEWAY)
    for slot in ended:
        drop(slot.pk.removeprefix("upload-slot#"))
        slot.delete()


def _find(slot_id: str) -> UploadSlot:
    slot = UploadSlot.find(f"upload-slot#{slot_id}", "upload-slot") if len(slot_id) <= _LONGEST_ID else None
    if slot is None or slot.id < time.time():
        raise _unknown()
    return slot


def _unknown() -> NotFound:
    return NotFound("There is no such upload slot, or it has ended or was used.")


def _key(slot_id: str) -> str:
    return f"{AREA}/{slot_id}"
