"""Public files: zips and images, below /uploads/ under names that nobody can guess.

The bytes of a file are stored in an area of its own, so that they can go when it goes.
"""

import secrets
from collections.abc import Iterable

from pynamodb.expressions.condition import Condition

from chalicelib.contentdb.media import images
from chalicelib.contentdb.store.tables import ContentDbItem, PublicFile, Topics
from chalicelib.core import blobs
from chalicelib.core.errors import NotFound
from chalicelib.core.storage import Transaction

AREA = "contentdb"
_LONGEST_NAME = 64


def store(content: bytes, extension: str) -> PublicFile:
    """Keep bytes; the file is public once it has been added to a transaction."""
    stem = secrets.token_hex(5)
    blob = blobs.put(content, f"{AREA}/{stem}")
    return PublicFile(_pk(stem), "file", name=f"{stem}.{extension}", blob=blob.key, size=blob.size)


def get(name: str) -> PublicFile:
    """The file with this name; raises NotFound."""
    file = _find(name)
    if file is None or file.name != name:
        raise NotFound("There is no such file.")
    return file


def get_thumbnail(level: int, name: str) -> bytes:
    """An image made small: `name` is the image's own, with the extension of what is wanted. Made once, and kept.

    Raises NotFound.
    """
    file, extension = _find(name), name.rpartition(".")[2]
    if file is None or file.name.endswith(".zip") or extension not in images.KINDS:
        raise NotFound("There is no such image.")
    kept = file.thumbnails or {}
    key = kept.get(f"{level}.{extension}")
    if key:
        return blobs.get(key)
    content = images.thumbnail(blobs.get(file.blob), level, extension)
    _keep_thumbnail(file, f"{level}.{extension}", content)
    return content


def add(writes: Transaction, file: PublicFile) -> None:
    """Make a file public."""
    writes.create(file)


def remove(writes: Transaction, name: str | None) -> list[str]:
    """Take a file away; returns the blobs to drop afterwards. Nothing happens for a file that is not there."""
    file = _find(name) if name else None
    if file is None:
        return []
    writes.delete(file, _has_thumbnails(file.thumbnails))
    return [file.blob, *(file.thumbnails or {}).values()]


def drop(keys: Iterable[str]) -> None:
    """Drop blobs that nothing names any more."""
    for key in keys:
        blobs.delete(key)


def blobs_of(item: ContentDbItem) -> list[str]:
    """The keys of the blobs that an item needs."""
    if isinstance(item, PublicFile):
        return [item.blob, *(item.thumbnails or {}).values()]
    return [item.blob] if isinstance(item, Topics) else []


def _keep_thumbnail(file: PublicFile, name: str, content: bytes) -> None:
    """Note a thumbnail with its image, unless that went or got another one at this moment."""
    blob = blobs.put(content, f"{AREA}/{file.name.partition('.')[0]}/{secrets.token_hex(4)}")
    before = file.thumbnails
    noted, _ = file.update_or_read(
        [PublicFile.thumbnails.set({**(before or {}), name: blob.key})],
        PublicFile.pk.exists() & _has_thumbnails(before),
    )
    if not noted:
        blobs.delete(blob.key)


def _has_thumbnails(thumbnails: dict[str, str] | None) -> Condition:
    return PublicFile.thumbnails == thumbnails if thumbnails else PublicFile.thumbnails.does_not_exist()


def _find(name: str) -> PublicFile | None:
    stem = name.partition(".")[0]
    return PublicFile.find(_pk(stem), "file") if len(name) <= _LONGEST_NAME else None


def _pk(stem: str) -> str:
    return f"file#{stem}"
