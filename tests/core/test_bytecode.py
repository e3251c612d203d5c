"""Precompiled Lua is recognized wherever Lua would load it."""

import io
import zipfile
from pathlib import Path
from typing import Any

import lupa.lua51
import lupa.lua54
import lupa.luajit21
import pytest

from chalicelib.core import bytecode
from chalicelib.core.bytecode import LONGEST_LINE, is_precompiled

RUNTIMES = {"5.1": lupa.lua51, "5.4": lupa.lua54, "LuaJIT": lupa.luajit21}


def lua(version: str) -> Any:
    return RUNTIMES[version].LuaRuntime(encoding=None, register_eval=False)


def chunk(version: str) -> bytes:
    """A precompiled chunk that returns 1."""
    compiled: bytes = lua(version).execute(
        b'return string.dump(loadstring and loadstring("return 1") or load("return 1"))'
    )
    return compiled


@pytest.mark.parametrize("version", RUNTIMES)
@pytest.mark.parametrize(
    "before", [b"", b"#!/usr/bin/lua\n", b"#\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf#\n", b"# " + b"x" * 100_000 + b"\n"]
)
def test_every_file_that_lua_loads_as_a_chunk_is_recognized(version: str, before: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.lua"
    file.write_bytes(before + chunk(version))
    loads = lua(version).execute(b"return loadfile((...)) ~= nil", str(file).encode())
    assert loads or before  # not every version skips a first line or a byte order mark
    assert is_precompiled(file.read_bytes()) is True


def test_lua_5_1_finds_a_chunk_in_the_comment_of_the_first_line(tmp_path: Path) -> None:
    file = tmp_path / "x.lua"
    compiled = chunk("5.1")
    assert b"\n" not in compiled
    file.write_bytes(b"#" + compiled + b"\n\x1b")
    assert lua("5.1").execute(b"return loadfile((...))()", str(file).encode()) == 1
    assert is_precompiled(file.read_bytes() + b"    ") is True


@pytest.mark.parametrize(
    "content", [b"return 1", b"", b"#!/bin/sh\necho", b"\x1b[31mred", b"\x7fELF\x1bLua", b"#\n\x1b[0m", b"-- \x1bLua"]
)
def test_text_and_other_binaries_are_not_chunks(content: bytes) -> None:
    assert is_precompiled(content) is False


def test_a_first_line_without_an_end_is_undecided_up_to_a_limit() -> None:
    assert is_precompiled(b"# x") is None
    assert is_precompiled(b"# x\nabc") is None
    assert is_precompiled(b"#" * (LONGEST_LINE + 1)) is True


def test_a_search_in_a_zip_of_a_client_ends_at_its_own_files() -> None:
    inner = zipped({"a.lua": chunk("5.4")})
    file = io.BytesIO(zipped({"x.zip": inner}))
    assert bytecode.find(file, nested=False) is None
    assert bytecode.find(io.BytesIO(inner), nested=False) == "a.lua"
    assert bytecode.find(io.BytesIO(chunk("5.1")), nested=False) == ""


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()
