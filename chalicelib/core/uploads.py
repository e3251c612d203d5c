"""Upload slots, for files that are too large for a request (docs/decisions: upload slots).

An account opens a slot for a purpose. The client posts the file to the slot's URL as a form, and then names the slot in
the documented call instead of sending the file. A slot holds one file, is used once, and expires after an hour.
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
_LEEWAY = 900  # seconds after its expiry until a slot is deleted: an upload that began in time can finish
_LONGEST_ID = 64
_LISTING = "upload-slots"


@dataclass(frozen=True)
class Slot:
    """An open slot.

    `fields` go into the form, before `file`; `max_size` is in bytes, `expires_at` in epoch seconds.
    """

    id: str
    url: str
    fields: dict[str, str]
    max_size: int
    expires_at: int

    def as_json(self) -> dict[str, Any]:
        """The slot as the services return it; all use the same field names."""
        return {
            "upload": self.id,
            "url": self.url,
            "fields": self.fields,
            "max_size": self.max_size,
            "expires_at": self.expires_at,
        }


def open_slot(caller: Caller, purpose: str, max_size: int, upload_url: str) -> Slot:
    """Open a slot for one file of at most `max_size` bytes; `purpose` is the name of a service, like `contentdb`.

    The client posts the file to S3 if blobs are stored there, and else to `upload_url`.
    """
    slot_id, expires_at = secrets.token_urlsafe(24), int(time.time()) + LIFETIME
    UploadSlot(
        f"upload-slot#{slot_id}",
        "upload-slot",
        listing=_LISTING,
        id=expires_at,
        account_id=caller.account.id,
        purpose=purpose,
        largest=max_size,
    ).save()
    url, fields = blobs.form(_key(slot_id), max_size, LIFETIME) or (f"{upload_url}?slot={slot_id}", {})
    return Slot(slot_id, url, fields, max_size, expires_at)


def check_open(slot_id: str, size: int) -> None:
    """Raise NotFound, TooLarge or Conflict unless the slot can receive a file of `size` bytes."""
    slot = _find(slot_id)
    if size > slot.largest:
        raise TooLarge(f"The file is larger than {int(slot.largest)} bytes.")
    if blobs.size(_key(slot_id)) is not None:
        raise Conflict("The slot has a file already.")


def receive(slot_id: str, content: bytes) -> None:
    """Store a slot's file. Raises Invalid for an empty file, and the errors of `check_open`."""
    check_open(slot_id, len(content))
    if not content:
        raise Invalid("The file is empty.")
    blobs.write(_key(slot_id), content)


def read(caller: Caller, purpose: str, slot_id: str) -> bytes:
    """The file in a slot of the caller. Raises NotFound, TooLarge, or Invalid if the slot has no file yet.

    S3 enforces the maximal size by the form's policy. The size is checked here too, before the file is read.
    """
    slot = _find(slot_id)
    if slot.account_id != caller.account.id or slot.purpose != purpose:
        raise _unknown()
    size = blobs.size(_key(slot_id))
    if not size:
        raise Invalid("The upload slot has no file yet.")
    if size > slot.largest:
        delete_file(slot_id)
        raise TooLarge(f"The file is larger than {int(slot.largest)} bytes.")
    return blobs.get(_key(slot_id))


def use(writes: Transaction, slot_id: str) -> None:
    """Delete a slot in the transaction that uses its file, so that no other transaction can use it."""
    slot = UploadSlot(f"upload-slot#{slot_id}", "upload-slot")
    writes.delete(slot, UploadSlot.pk.exists(), _unknown())


def delete_file(slot_id: str) -> None:
    """Delete a slot's file."""
    blobs.delete(_key(slot_id))


def delete_expired() -> None:
    """Delete expired slots and their files. On AWS the bucket's lifecycle rule deletes files that arrive even later."""
    expired = UploadSlot.by_listing.query(_LISTING, UploadSlot.id < int(time.time()) - _LEEWAY)
    for slot in expired:
        delete_file(slot.pk.removeprefix("upload-slot#"))
        slot.delete()


def _find(slot_id: str) -> UploadSlot:
    slot = UploadSlot.find(f"upload-slot#{slot_id}", "upload-slot") if len(slot_id) <= _LONGEST_ID else None
    if slot is None or slot.id < time.time():
        raise _unknown()
    return slot


def _unknown() -> NotFound:
    return NotFound("There is no such upload slot, or it has expired or was used.")


def _key(slot_id: str) -> str:
    return f"{AREA}/{slot_id}"
