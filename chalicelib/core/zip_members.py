"""Checks the members of an uploaded zip: each must unpack to a file or folder of its own, below the target directory.

Clients unpack with different programs, so a member that one of them could place elsewhere is refused.
"""

import lzma
import re
import stat
import struct
import zlib
from collections.abc import Iterable
from zipfile import BadZipFile, ZipInfo

from chalicelib.core.errors import Invalid

_LONGEST = 1000  # characters of a path
_DEEPEST = 32
_SHOWN = 100  # characters of a path in messages
_UNSAFE = re.compile(r"[\x00-\x1f\\]|^/|^[A-Za-z]:|(^|/)\.\.(/|$)|//|(^|/)\.$|^$")
_ENCRYPTED = 0x1

# The errors of `zipfile` for damaged or encrypted files, and for unknown compression methods.
DAMAGE_ERRORS = (
    BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)

_Tree = dict[str, "_Tree | None"]  # a folder's members; None is a file


class UnsafeZip(Invalid):
    """A zip has a member that cannot be unpacked safely."""


def check(members: Iterable[ZipInfo], archive: str, most: int) -> None:
    """Raise UnsafeZip for an unsafe path, a duplicate path, a link or device, encryption, or more than `most` folders.

    `archive` is the first word of the message, such as `The rock`.
    """
    root: _Tree = {}
    folders = 0
    for member in members:
        _check(member, archive)
        parts = [part for part in member.orig_filename.split("/") if part not in ("", ".")]
        name = None if member.orig_filename.endswith("/") else parts.pop()
        folder = root
        for parent in parts:
            folders += parent not in folder
            below = folder.setdefault(parent, {})
            if below is None:
                raise _twice(member, archive)
            folder = below
        if folders > most:
            raise UnsafeZip(f"{archive} has more than {most:,} folders.")
        if name is not None:
            if name in folder:
                raise _twice(member, archive)
            folder[name] = None


def shown(member: ZipInfo) -> str:
    """The beginning of a member's path, for messages."""
    return member.orig_filename[:_SHOWN].encode("unicode_escape").decode()


def _check(member: ZipInfo, archive: str) -> None:
    path = member.orig_filename
    if len(path) > _LONGEST or path.count("/") > _DEEPEST or _UNSAFE.search(path):
        raise UnsafeZip(f"{archive} has an unsafe path: {shown(member)}")
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeZip(f"{archive} has something that is neither a file nor a folder: {shown(member)}")
    if member.flag_bits & _ENCRYPTED:
        raise UnsafeZip(f"{archive} is encrypted: {shown(member)}")


def _twice(member: ZipInfo, archive: str) -> UnsafeZip:
    return UnsafeZip(f"{archive} has a path twice: {shown(member)}")
