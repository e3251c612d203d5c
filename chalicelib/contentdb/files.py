"""Public files: zips and images, below /uploads/ under names that nobody can guess.

The bytes of a file are stored in an area of its own, so that they can go when it goes.
"""

import secrets
from collections.abc import Iterable

from chalicelib.contentdb.tables import File
from chalicelib.core import blobs
from chalicelib.core.errors import NotFound
from chalicelib.core.storage import Transaction

_LONGEST_NAME = 64


def store(content: bytes, extension: str) -> File:
    """Keep bytes; the file is public once it has been added to a transaction."""
    stem = secrets.token_hex(5)
    blob = blobs.put(content, f"contentdb/{stem}")
    return File(file_pk(f"{stem}.{extension}"), "file", name=f"{stem}.{extension}", blob=blob.key, size=blob.size)


def get(name: str) -> File:
    """The file with this name; raises NotFound."""
    found = File.find(file_pk(name), "file") if len(name) <= _LONGEST_NAME else None
    if found is None:
        raise NotFound("There is no such file.")
    return found


def add(writes: Transaction, file: File) -> None:
    """Make a file public."""
    writes.create(file)


def remove(writes: Transaction, name: str | None) -> list[str]:
    """Take a file away; returns the blobs to drop afterwards. Nothing happens for a file that is not there."""
    file = File.find(file_pk(name), "file") if name else None
    if file is None:
        return []
    unchanged = File.thumbnails == file.thumbnails if file.thumbnails else File.thumbnails.does_not_exist()
    writes.delete(file, unchanged)
    return [file.blob, *(file.thumbnails or {}).values()]


def drop(keys: Iterable[str]) -> None:
    """Drop blobs that nothing names any more."""
    for key in keys:
        blobs.delete(key)


def file_pk(name: str) -> str:
    """The partition of a file."""
    return f"file#{name}"
