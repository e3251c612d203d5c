"""Segments: gzip and zip files of texts that were compressed in parts."""

import gzip
import io
import random
import stat
import zipfile
import zlib

import pytest

from chalicelib.core.catalogues import segments
from chalicelib.core.catalogues.segments import Segment

TEXTS = [b"", b"a", b"one text\n" * 1000, bytes(range(256)) * 300, b"", b"the end"]


def parts(seed: int) -> list[bytes]:
    """Texts of random numbers and sizes."""
    pick = random.Random(seed)
    return [
        pick.randbytes(pick.choice((0, 1, 7, 1000, 70_000))) * pick.choice((1, 3)) for _ in range(pick.randrange(9))
    ]


def joined(texts: list[bytes]) -> Segment:
    return segments.join(map(segments.compress, texts))


@pytest.mark.parametrize("texts", [[], TEXTS, *map(parts, range(40))])
def test_segments_join_to_the_checksum_the_size_and_the_text_of_the_whole(texts: list[bytes]) -> None:
    whole, text = joined(texts), b"".join(texts)
    assert (whole.crc, whole.size, whole.text) == (zlib.crc32(text), len(text), text)


@pytest.mark.parametrize("texts", [[], TEXTS, *map(parts, range(10))])
def test_a_gzip_file_is_one_member_without_name_and_date(texts: list[bytes]) -> None:
    file = segments.gzip_file(joined(texts))
    stream = zlib.decompressobj(31)
    assert (stream.decompress(file), stream.eof, stream.unused_data) == (b"".join(texts), True, b"")
    assert gzip.decompress(file) == b"".join(texts)
    assert file[:10] == bytes.fromhex("1f8b08 00 00000000 00 ff")


@pytest.mark.parametrize("texts", [[], TEXTS, *map(parts, range(10))])
def test_a_zip_file_has_one_deflated_member(texts: list[bytes]) -> None:
    archive = zipfile.ZipFile(io.BytesIO(segments.zip_file("manifest-5.1", joined(texts))))
    (member,) = archive.infolist()
    assert (member.filename, member.compress_type, member.date_time) == (
        "manifest-5.1",
        zipfile.ZIP_DEFLATED,
        (1980, 1, 1, 0, 0, 0),
    )
    assert (stat.filemode(member.external_attr >> 16), member.file_size) == ("-rw-r--r--", sum(map(len, texts)))
    assert (archive.read(member), archive.testzip()) == (b"".join(texts), None)


def test_equal_texts_are_equal_segments() -> None:
    assert segments.compress(b"text" * 999) == segments.compress(b"text" * 999)
