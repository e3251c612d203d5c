"""Finds precompiled Lua chunks. Lua does not verify them: a crafted one takes over the process that loads it.

A chunk is recognized as Lua's `luaL_loadfile` does it, at the start of a file or after a first line that starts with
`#`. A source rock is a zip that has the sources in another archive at its top, which clients unpack, too.
"""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from typing import IO, cast

from chalicelib.core import zip_members
from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.workers import Confined, Stopped

_SIGNATURES = (b"\x1bLua", b"\x1bLJ")  # of Lua and its forks, and of LuaJIT
_ESCAPE = b"\x1b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ZIP = b"PK\x03\x04"
LONGEST_LINE = 4 << 20
_PART = 4096  # bytes: most files need one part


def _gunzip(file: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file))


_DECOMPRESSORS: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": _gunzip,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
# The errors of the libraries for damaged or encrypted archives, and for unknown methods.
DAMAGE_ERRORS = (*zip_members.DAMAGE_ERRORS, tarfile.TarError)

_SEARCHER = Confined(
    "chalicelib.core.bytecode:make_searcher",
    b"",
    Limits(seconds=10.0, cpu_seconds=2, memory=384 << 20),
)


class Unsearchable(Exception):
    """An archive is damaged, encrypted, or takes too much time or memory."""


def search(content: bytes) -> str | None:
    """Return the path of a precompiled chunk in an untrusted zip, None without one. A confined process searches.

    Raises Unsearchable or Busy.
    """
    try:
        answer = _SEARCHER.run(content)
    except Stopped:
        raise Unsearchable from None
    if answer == b"?":
        raise Unsearchable
    return answer[1:].decode() if answer else None


def make_searcher() -> Callable[[bytes], bytes]:
    """Return the function that answers with `!` and a path, with nothing, or with `?` for an unsearchable archive.

    Its sample is an archive of each kind.
    """
    example = sample()

    def work(content: bytes) -> bytes:
        try:
            found = find(io.BytesIO(content or example), nested=True)
        except Unsearchable:
            return b"?"
        return b"" if found is None else b"!" + found.encode(errors="replace")

    return work


def find(file: IO[bytes], *, nested: bool) -> str | None:
    """Return the path of a precompiled chunk in a zip, or an empty path if the file is one itself; else None.

    With `nested`, the archives at the top of the zip are searched, too. Raises Unsearchable.
    """
    try:
        head = file.read(_PART)
        file.seek(0)
        if head.startswith(_ZIP):
            return _find_in_zip(file, nested=nested)
        return "" if _starts_precompiled(file, file.read(_PART)) else None
    except DAMAGE_ERRORS:
        raise Unsearchable from None


def is_precompiled(start: bytes) -> bool | None:
    """Whether a file with this start is a chunk; None if that depends on bytes that follow.

    A first line with `#` and more than `LONGEST_LINE` bytes counts as one.
    """
    text = start.removeprefix(_BYTE_ORDER_MARK)
    if not text.startswith(b"#"):
        return text.startswith(_SIGNATURES)
    line, _, rest = text.partition(b"\n")
    if len(rest) < len(_SIGNATURES[0]):
        return True if len(line) > LONGEST_LINE else None
    # Lua 5.1 then starts at the first escape of the file, which may be in the first line.
    return rest.startswith(_ESCAPE) and any(signature in line + rest[:4] for signature in _SIGNATURES)


def _starts_precompiled(file: IO[bytes], start: bytes) -> bool:
    """Read on while that depends on what follows; `start` has been read already."""
    while (found := is_precompiled(start)) is None and (part := file.read(len(start))):
        start += part
    return bool(found)


def _find_in_zip(file: IO[bytes], *, nested: bool) -> str | None:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            with archive.open(member) as content:
                start = content.read(_PART)
                if _starts_precompiled(content, start):
                    return member.filename
            if nested and "/" not in member.filename:
                below = _find_in_archive(archive, member, start)
                if below is not None:
                    return f"{member.filename}: {below}"
    return None


def _find_in_archive(outer: zipfile.ZipFile, member: zipfile.ZipInfo, start: bytes) -> str | None:
    """Search a file of a zip, if it is an archive itself."""
    if start.startswith(_ZIP):
        return _find_in_zip(io.BytesIO(outer.read(member)), nested=False)
    with outer.open(member) as content:
        for magic, decompress in _DECOMPRESSORS.items():
            if start.startswith(magic):
                return _find_in_tar(decompress(content))
        return _find_in_tar(content) if _is_tar(start) else None


def _find_in_tar(file: IO[bytes]) -> str | None:
    # Tools continue after a block of zeros or a damaged header.
    with tarfile.open(fileobj=file, mode="r|", ignore_zeros=True) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None and _starts_precompiled(content, content.read(_PART)):
                return member.name
    return None


def _is_tar(start: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(start[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def sample() -> bytes:
    """A zip with an archive of each kind, for warming up confined processes."""
    files = {f"x.tar.{method}": _tar(method) for method in ("", "gz", "bz2", "xz")}
    return _zip(files | {"x.zip": _zip({"x.lua": b""})})


def _tar(method: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{method}") as archive:  # type: ignore[call-overload]
        archive.addfile(tarfile.TarInfo("x.lua"))
    return file.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()
