"""Rocks with precompiled Lua are refused, however they are packed and wherever they come from."""

import bz2
import gzip
import io
import lzma
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core import backup, blobs
from chalicelib.core.errors import Invalid
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from chalicelib.luarocks import index
from commands.rocks_import import import_rocks
from tests.client import Client, Reply
from tests.luarocks.builders import rockspec, zipped

SPEC = "say-1.0-1.rockspec"
CHUNK = b"\x1bLuaQ\x00\x01\x04\x08\x04\x08\x00"
JIT_CHUNK = b"\x1bLJ\x02\x02"
TEXT = b"return { say = function() end }\n"


def tarred(files: dict[str, bytes], before: bytes = b"") -> bytes:
    file = io.BytesIO(before)
    file.seek(0, io.SEEK_END)
    with tarfile.open(fileobj=file, mode="w:") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


SOURCES = {"say-1.0/README": b"# say\n", "say-1.0/say.lua": TEXT}
HOSTILE = {**SOURCES, "say-1.0/x.lua": CHUNK}
ROCKS = {
    "a module": ({"say.lua": CHUNK}, "say.lua"),
    "a module for LuaJIT": ({"lua/say.lua": JIT_CHUNK}, "lua/say.lua"),
    "a library": ({"lib/say.so": CHUNK}, "lib/say.so"),
    "after a comment": ({"bin/say": b"#!/usr/bin/lua\n" + CHUNK}, "bin/say"),
    "after a long comment": ({"bin/say": b"#" * 100_000 + b"\n" + CHUNK}, "bin/say"),
    "within the comment": ({"bin/say": b"#" + CHUNK + b"\n\x1b   "}, "bin/say"),
    "gzip": ({"say.tar.gz": gzip.compress(tarred(HOSTILE))}, "say.tar.gz: say-1.0/x.lua"),
    "bzip2": ({"say.tar.bz2": bz2.compress(tarred(HOSTILE))}, "say.tar.bz2: say-1.0/x.lua"),
    "xz": ({"say.tar.xz": lzma.compress(tarred(HOSTILE))}, "say.tar.xz: say-1.0/x.lua"),
    "tar": ({"say.tar": tarred(HOSTILE)}, "say.tar: say-1.0/x.lua"),
    "zip": ({"say.zip": zipped(HOSTILE)}, "say.zip: say-1.0/x.lua"),
    "another name": ({"say.lua.txt": gzip.compress(tarred(HOSTILE))}, "say.lua.txt: say-1.0/x.lua"),
    "two gzip streams": (
        {"say.tgz": gzip.compress(tarred(SOURCES)) + gzip.compress(tarred(HOSTILE))},
        "say.tgz: say-1.0/x.lua",
    ),
    "after a block of zeros": ({"say.tgz": gzip.compress(tarred(HOSTILE, bytes(512)))}, "say.tgz: say-1.0/x.lua"),
}
GOOD = {
    "text": {"say.lua": TEXT, "README": b"# say", "art.ans": b"\x1b[31mred"},
    "a library": {"lib/say.so": b"\x7fELF" + CHUNK},
    "sources": {"say-1.0.tar.gz": gzip.compress(tarred(SOURCES)), "say.zip": zipped(SOURCES)},
    "a damaged archive among the sources": {"spec/damaged.zip": b"PK\x03\x04x", "spec/damaged.gz": b"\x1f\x8bx"},
}
UNSEARCHABLE = {
    "a damaged zip": {"say.zip": zipped(SOURCES)[:-10]},
    "a damaged gzip": {"say.tar.gz": gzip.compress(tarred(SOURCES))[:-20]},
    # Half a gigabyte each, of streams that are compressed once.
    "a bomb": {"say.tar.bz2": bz2.compress(bytes(1 << 22)) * 128},
    "a bomb of xz": {"say.tar.xz": lzma.compress(bytes(1 << 22), preset=1) * 128},
}


@pytest.fixture
def version(client: Client, key: str) -> int:
    reply = client.post(f"/api/1/{key}/upload", files={"rockspec_file": (SPEC, rockspec())})
    return int(reply.json["version"]["id"])


def upload(client: Client, key: str, version: int, files: dict[str, bytes]) -> Reply:
    rock = zipped({SPEC: rockspec(), **files})
    return client.post(f"/api/1/{key}/upload_rock/{version}", files={"rock_file": ("say-1.0-1.all.rock", rock)})


@pytest.mark.parametrize(("files", "path"), ROCKS.values(), ids=ROCKS)
def test_precompiled_lua_is_refused(client: Client, key: str, version: int, files: dict[str, bytes], path: str) -> None:
    reply = upload(client, key, version, files)
    message = f"The rock contains precompiled Lua, only source text is accepted: {path}"
    assert (reply.status, reply.json) == (400, {"errors": [message]})
    assert client.get("/say-1.0-1.all.rock").status == 404


@pytest.mark.parametrize("files", GOOD.values(), ids=GOOD)
def test_text_and_libraries_are_published(client: Client, key: str, version: int, files: dict[str, bytes]) -> None:
    assert upload(client, key, version, files).status == 200
    assert client.get("/say-1.0-1.all.rock").status == 200


@pytest.mark.parametrize("files", UNSEARCHABLE.values(), ids=UNSEARCHABLE)
def test_sources_that_cannot_be_searched_are_refused_in_time(
    client: Client, key: str, version: int, files: dict[str, bytes]
) -> None:
    start = time.monotonic()
    reply = upload(client, key, version, files)
    message = "The rock contains a file or an archive that is damaged, or too large to be checked"
    assert (reply.status, reply.json) == (400, {"errors": [message]})
    assert time.monotonic() - start < 12


def test_an_import_of_rocks_lists_them_as_refused(client: Client, alice: Account, tmp_path: Path) -> None:
    (tmp_path / SPEC).write_bytes(rockspec())
    (tmp_path / "say-1.0-1.all.rock").write_bytes(zipped({SPEC: rockspec(), "say.lua": CHUNK}))
    report: Any = import_rocks.main([str(tmp_path), "--account", "alice"], standalone_mode=False, obj={"as_json": True})
    why = "The rock contains precompiled Lua, only source text is accepted: say.lua"
    assert report["refused"] == [{"file": "say-1.0-1.all.rock", "why": why}]


def test_a_backup_with_them_is_refused(aws: None, tmp_path: Path) -> None:
    accounts.create("Alice", "alice@example.org", "wonderland")
    blob = blobs.put(zipped({SPEC: rockspec(), "say.tgz": gzip.compress(tarred(HOSTILE))}), index.AREA)
    with (tmp_path / "x.tar").open("w+b") as file:
        backup.write(file, str(tmp_path / "x.key"), lambda _: None)
        with pytest.raises(Invalid) as refused:
            backup.verify(file, str(tmp_path / "x.key"), lambda _: None)
    path = "say.tgz: say-1.0/x.lua"
    assert refused.value.message == f"The blob {blob.key} contains precompiled Lua ({path})."
