"""The check of rocks: a whole zip of a reasonable size, with the rockspec of this package and version."""

import io
import struct
import time
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.errors import Invalid
from chalicelib.luarocks import archives
from chalicelib.luarocks.tables import LuaRocksItem
from tests.client import Client
from tests.luarocks.builders import Upload, rock, rockspec, zipped

SPEC = "say-1.0-1.rockspec"


def with_end(content: bytes, **fields: int) -> bytes:
    """The zip with changed fields in the record at its end."""
    names = ["disk", "directory_disk", "entries_here", "entries", "directory_size", "directory_place", "comment"]
    end = dict(zip(names, struct.unpack("<4H2LH", content[-18:]), strict=True)) | fields
    return content[:-18] + struct.pack("<4H2LH", *end.values())


def with_member(path: str, mode: int = 0o100644) -> bytes:
    """A rock with one more member, under a path and mode that `zipfile` itself would change."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(SPEC, rockspec())
        member = zipfile.ZipInfo("x")
        member.filename, member.external_attr = path, mode << 16
        with warnings.catch_warnings(action="ignore"):  # of duplicate names
            archive.writestr(member, b"return 1")
    return file.getvalue()


UNSAFE = {
    "parent": ("../x.lua", "The rock has an unsafe path: ../x.lua"),
    "parent below": ("say/../../x.lua", "The rock has an unsafe path: say/../../x.lua"),
    "parent at the end": ("say/..", "The rock has an unsafe path: say/.."),
    "absolute": ("/etc/x.lua", "The rock has an unsafe path: /etc/x.lua"),
    "drive": ("C:x.lua", "The rock has an unsafe path: C:x.lua"),
    "backslash": ("..\\x.lua", "The rock has an unsafe path: ..\\\\x.lua"),
    "nul": ("x.lua\0.txt", "The rock has an unsafe path: x.lua\\x00.txt"),
    "no name": ("", "The rock has an unsafe path: "),
    "the folder itself": ("say/.", "The rock has an unsafe path: say/."),
    "long": ("x" * 1001, "The rock has an unsafe path: " + "x" * 100),
    "deep": ("a/" * 33 + "x", "The rock has an unsafe path: " + "a/" * 33 + "x"),
    "the rockspec again": (SPEC, f"The rock has a path twice: {SPEC}"),
    "the rockspec again, otherwise written": (f"./{SPEC}", f"The rock has a path twice: ./{SPEC}"),
    "a file in a file": (f"{SPEC}/x.lua", f"The rock has a path twice: {SPEC}/x.lua"),
}


def bomb() -> bytes:
    """A zip bomb: ten files that share one compressed block of zeros, each declared with 2 GB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SPEC, rockspec())
        archive.writestr("zeros", bytes(1 << 20))
        zeros = archive.infolist()[1]
        for number in range(10):
            copy = zipfile.ZipInfo(f"zeros-{number}")
            copy.compress_type, copy.CRC = zipfile.ZIP_DEFLATED, zeros.CRC
            copy.file_size, copy.compress_size, copy.header_offset = 0x7FFF_0000, zeros.compress_size, 0
            archive.filelist.append(copy)
    return file.getvalue()


def sharing() -> bytes:
    """A zip whose files have a true size and share their bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(SPEC, rockspec())
        archive.writestr("a", b"x" * 10_000)
        archive.filelist.extend([archive.infolist()[1]] * 3)
    return file.getvalue()


def many_folders() -> bytes:
    return zipped({SPEC: rockspec()} | {f"{n}/" + "a/" * 30: b"" for n in range(700)})


def many_files() -> bytes:
    return zipped({str(n): b"" for n in range(20_001)})


# Large files are made by their test, because every process of a run imports this module.
REJECTED: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "not a zip": (b"PK rock", "The rock is not a zip file, or is truncated"),
    "truncated": (rock()[:-1], "The rock is not a zip file, or is truncated"),
    "half": (rock()[: len(rock()) // 2], "The rock is not a zip file, or is truncated"),
    "no rockspec": (zipped({"say.lua": b""}), f"The rock has no {SPEC}"),
    "in a folder": (zipped({f"say/{SPEC}": rockspec()}), f"The rock has no {SPEC}"),
    "of another version": (zipped({"say-2.0-1.rockspec": rockspec(version="2.0-1")}), f"The rock has no {SPEC}"),
    "of another package": (
        zipped({SPEC: rockspec("shout")}),
        "The rock's rockspec is for shout 1.0-1, not for say 1.0-1",
    ),
    "broken rockspec": (zipped({SPEC: b"package = "}), "Failed to parse rockspec"),
    "hostile rockspec": (zipped({SPEC: b"while true do end"}), "Failed to eval rockspec"),
    "large rockspec": (zipped({SPEC: b"-" * (2 << 20)}), f"The rock's {SPEC} is larger than 1048576 bytes"),
    "other packing": (zipped({SPEC: rockspec()}, zipfile.ZIP_LZMA), f"The rock's {SPEC} cannot be unpacked"),
    "bomb": (bomb(), "The rock contains more than 1073741824 bytes, or shares bytes between its files"),
    "sharing": (sharing(), "The rock contains more than 1073741824 bytes, or shares bytes between its files"),
    **{name: (with_member(path), message) for name, (path, message) in UNSAFE.items()},
    "symbolic link": (
        with_member("x.lua", mode=0o120777),
        "The rock has something that is neither a file nor a folder: x.lua",
    ),
    "device": (
        with_member("x.lua", mode=0o020644),
        "The rock has something that is neither a file nor a folder: x.lua",
    ),
    "many folders": (many_folders, "The rock has more than 20,000 folders."),
    "many files": (many_files, "The rock contains more than 20000 files"),
    "large directory": (with_end(rock(), directory_size=5 << 20), "The rock contains more than 20000 files"),
    "zip64": (
        rock()[:-22] + b"PK\x06\x07" + bytes(16) + rock()[-22:],
        "The rock contains more than 20000 files",
    ),
    "directory elsewhere": (with_end(rock(), directory_place=10_000_000), "The rock is a damaged zip file"),
    "damaged rockspec": (
        rock().replace(b"PK\x03\x04", b"PK\x03\x05", 1),
        "The rock is a damaged zip file",
    ),
}


@pytest.mark.parametrize(("content", "message"), REJECTED.values(), ids=REJECTED)
def test_a_file_that_is_not_a_rock_is_rejected_quickly(content: bytes | Callable[[], bytes], message: str) -> None:
    content = content() if callable(content) else content
    start = time.monotonic()
    with pytest.raises(Invalid) as refused:
        archives.check(content, "say", "1.0-1")
    assert (refused.value.message, time.monotonic() - start < 15) == (message, True)


@pytest.mark.parametrize(
    "content", [rock(), zipped({SPEC: rockspec()}, zipfile.ZIP_STORED)], ids=["deflated", "stored"]
)
def test_a_valid_rock_is_accepted(content: bytes) -> None:
    archives.check(content, "say", "1.0-1")


@pytest.mark.parametrize("path", ["x.lua", "a/" * 32 + "x", "x" * 1000, "./x.lua", "a..b/..x", "say/", "C/x.lua"])
def test_a_rock_can_have_any_other_path(path: str) -> None:
    archives.check(with_member(path), "say", "1.0-1")


def test_letter_case_does_not_matter_in_a_rock() -> None:
    archives.check(zipped({"Say-1.0-1.rockspec": rockspec("SAY")}), "say", "1.0-1")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_rock_never_raises_another_error(data: st.DataObject) -> None:
    content = bytearray(rock())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=8)):
        content[place] = data.draw(st.integers(0, 255))
    with suppress(Invalid):
        archives.check(bytes(content), "say", "1.0-1")


def test_a_rejected_rock_stores_nothing(client: Client, upload: Upload, upload_rock: Upload) -> None:
    upload()
    before = sorted(item.sk for item in LuaRocksItem.scan())
    reply = upload_rock(1, "say-1.0-1.src.rock", bomb())
    assert (reply.status, reply.json) == (400, {"errors": [REJECTED["bomb"][1]]})
    assert sorted(item.sk for item in LuaRocksItem.scan()) == before
    assert client.get("/say-1.0-1.src.rock").status == 404


def test_a_rock_with_an_unsafe_path_is_refused(upload: Upload, upload_rock: Upload) -> None:
    upload()
    reply = upload_rock(1, "say-1.0-1.src.rock", with_member("../x.lua"))
    assert (reply.status, reply.json) == (400, {"errors": ["The rock has an unsafe path: ../x.lua"]})


def test_a_rock_for_another_version_is_refused(upload: Upload, upload_rock: Upload) -> None:
    upload()
    reply = upload_rock(1, "say-1.0-1.src.rock", rock(version="2.0-1"))
    assert (reply.status, reply.json) == (400, {"errors": [f"The rock has no {SPEC}"]})
