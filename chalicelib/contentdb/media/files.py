"""Public files: zips and images, below /uploads/ under unguessable names.

Each file has its own blob, so that the blob can be deleted with the file.
"""

import secrets
from collections.abc import Iterable

from pynamodb.expressions.condition import Condition

from chalicelib.contentdb.media import formats, images
from chalicelib.contentdb.store.tables import ContentDbItem, PublicFile, Topics
from chalicelib.core import blobs
from chalicelib.core.errors import NotFound
from chalicelib.core.storage import Transaction

AREA = "contentdb"
_LONGEST_NAME = 64


def store(content: bytes, extension: str) -> PublicFile:
    """Store bytes; the file becomes public when it is added to a transaction."""
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
    """A thumbnail of an image: `name` is the image's name with the extension of the wanted format. It is cached.

    Requests for the same image wait for each other, so that it is decoded once. Raises NotFound and Busy.
    """
    extension = name.rpartition(".")[2]
    variant = f"{level}.{extension}"
    file = _image(name)
    if key := (file.thumbnails or {}).get(variant):
        return blobs.get(key)
    with images.decoding_slot(file.name):
        file = _image(name)
        if key := (file.thumbnails or {}).get(variant):
            return blobs.get(key)
        content = images.thumbnail(blobs.get(file.blob), level, extension)
        _cache_thumbnail(file, variant, content)
        return content


def add(writes: Transaction, file: PublicFile) -> None:
    """Make a stored file public in a transaction."""
    writes.create(file)


def remove(writes: Transaction, name: str | None) -> list[str]:
    """Remove a file in a transaction; return the blobs to delete after its commit. A missing file is no error."""
    file = _find(name) if name else None
    if file is None:
        return []
    writes.delete(file, _has_thumbnails(file.thumbnails))
    return [file.blob, *(file.thumbnails or {}).values()]


def drop(keys: Iterable[str]) -> None:
    """Delete blobs that no item refers to."""
    for key in keys:
        blobs.delete(key)


def blobs_of(item: ContentDbItem) -> list[str]:
    """The keys of the blobs that an item refers to."""
    if isinstance(item, PublicFile):
        return [item.blob, *(item.thumbnails or {}).values()]
    return [item.blob] if isinstance(item, Topics) else []


def _cache_thumbnail(file: PublicFile, name: str, content: bytes) -> None:
    """Store a thumbnail with its image, unless the image was deleted or got another thumbnail meanwhile."""
    blob = blobs.put(content, f"{AREA}/{file.name.partition('.')[0]}/{secrets.token_hex(4)}")
    before = file.thumbnails
    stored, _ = file.update_or_read(
        [PublicFile.thumbnails.set({**(before or {}), name: blob.key})],
        PublicFile.pk.exists() & _has_thumbnails(before),
    )
    if not stored:
        blobs.delete(blob.key)


def _image(name: str) -> PublicFile:
    file, extension = _find(name), name.rpartition(".")[2]
    if file is None or file.name.endswith(".zip") or extension not in formats.KINDS:
        raise NotFound("There is no such image.")
    return file


def _has_thumbnails(thumbnails: dict[str, str] | None) -> Condition:
    return PublicFile.thumbnails == thumbnails if thumbnails else PublicFile.thumbnails.does_not_exist()


def _find(name: str) -> PublicFile | None:
    stem = name.partition(".")[0]
    return PublicFile.find(_pk(stem), "file") if len(name) <= _LONGEST_NAME else None


def _pk(stem: str) -> str:
    return f"file#{stem}"
