"""Uploaded images: validated, re-encoded, and scaled to thumbnails, in confined processes (`decoder`)."""

import base64
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chalicelib.contentdb.media.formats import LARGEST, TOO_COMPLEX, pack, unpack
from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.workers import Confined, Stopped
from chalicelib.core.errors import Invalid
from chalicelib.core.limits import Pool
from chalicelib.core.locks import Lock

_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)
DECODER = Confined(
    "chalicelib.contentdb.media.decoder:make",
    pack({}, _PIXEL),
    Limits(seconds=12.0, cpu_seconds=3, memory=384 << 20),
)
_decoding = [Lock(f"images-{number}") for number in range(2)]  # the number of images that a machine decodes at once
_uploads = Pool(at_once=2, waiting=2)  # each takes a thread that other requests need


@dataclass(frozen=True)
class Picture:
    """A valid image: its bytes, the extension for its format, its size in pixels."""

    content: bytes
    extension: str
    width: int
    height: int


def inspect(content: bytes) -> Picture:
    """The picture, re-encoded without metadata, and scaled down if a side is too long.

    Raises Invalid for other content and for an image with too many pixels, and Busy.
    """
    if len(content) > LARGEST:
        raise Invalid(f"The image is larger than {LARGEST // 1024 // 1024} MB")
    with _uploads.worker("Too many images are uploaded right now"), decoding_slot(str(len(content))):
        about, encoded = _decode({}, content)
    return Picture(encoded, about["extension"], about["width"], about["height"])


def thumbnail(content: bytes, level: int, extension: str) -> bytes:
    """A stored picture scaled and cropped to a level's size, as png, jpg or webp. Raises Invalid and Busy."""
    return _decode({"level": level, "extension": extension}, content)[1]


@contextmanager
def decoding_slot(name: str) -> Iterator[None]:
    """Hold one of the locks of this machine for decoding; equal names have the same lock."""
    with _decoding[zlib.crc32(name.encode()) % len(_decoding)].held():
        yield


def _decode(about: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        answer, encoded = unpack(DECODER.run(pack(about, content)))
    except Stopped:
        raise Invalid(TOO_COMPLEX) from None
    if "error" in answer:
        raise Invalid(answer["error"])
    return answer, encoded
