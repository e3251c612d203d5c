"""Texts that are compressed in segments, of which gzip and zip files are joined without compressing again.

A segment ends with a full flush, so the segments of a text are one DEFLATE stream in any order (RFC 1951), and their
checksums combine into that of the joined text.
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

_LEVEL = 6
_END = b"\x03\x00"  # an empty last block
_ONES = 0xFFFFFFFF
_ZEROS = memoryview(bytes(1 << 20))
_GZIP_HEAD = bytes.fromhex("1f8b08000000000000ff")
_VERSION, _UNIX, _DEFLATED, _REGULAR_FILE, _JANUARY_1980 = 20, 3 << 8, 8, 0o100644 << 16, 0x21


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a text: its compressed bytes, and the checksum and the size in bytes of the text."""

    deflated: bytes
    crc: int
    size: int

    @property
    def text(self) -> bytes:
        """The text."""
        return zlib.decompress(self.deflated + _END, -15, self.size or 1)


def compress(text: bytes) -> Segment:
    """The segment with this text. Equal texts give equal segments."""
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    return Segment(stream.compress(text) + stream.flush(zlib.Z_FULL_FLUSH), zlib.crc32(text), len(text))


def join(segments: Iterable[Segment]) -> Segment:
    """The segment with the texts of all of them, in this order."""
    parts: list[bytes] = []
    crc = size = 0
    for segment in segments:
        parts.append(segment.deflated)
        crc = _moved(crc, segment.size) ^ segment.crc
        size += segment.size
    return Segment(b"".join(parts), crc, size)


def gzip_file(segment: Segment) -> bytes:
    """A gzip file with the text (RFC 1952), without a name and a date."""
    return b"".join((_GZIP_HEAD, segment.deflated, _END, struct.pack("<II", segment.crc, segment.size & 0xFFFFFFFF)))


def zip_file(name: str, segment: Segment) -> bytes:
    """A zip file with the text as its only member; `name` is in ASCII. The text has less than 4 GiB."""
    member, deflated = name.encode("ascii"), segment.deflated + _END
    sizes = (segment.crc, len(deflated), segment.size, len(member))
    common = struct.pack("<HHHHHIIIHH", _VERSION, 0, _DEFLATED, 0, _JANUARY_1980, *sizes, 0)
    start = b"PK\x03\x04" + common + member
    directory = b"PK\x01\x02" + struct.pack("<H", _VERSION | _UNIX) + common
    directory += struct.pack("<HHHII", 0, 0, 0, _REGULAR_FILE, 0) + member
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), len(start) + len(deflated), 0)
    return b"".join((start, deflated, directory, end))


def _moved(crc: int, size: int) -> int:
    """The part of a checksum that remains after `size` further bytes: their checksum is added to it (XOR).

    zlib inverts a checksum before and after it adds bytes; the zeros add nothing.
    """
    crc ^= _ONES
    for start in range(0, size, len(_ZEROS)):
        crc = zlib.crc32(_ZEROS[: size - start], crc)
    return crc ^ _ONES
