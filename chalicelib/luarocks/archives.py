"""Checks rocks, which are zip files with a rockspec, without unpacking them.

Only the zip's directory and the rockspec are read here, both within limits: neither a zip bomb nor a damaged file takes
much time or memory. A confined process reads the rest, in search of precompiled Lua.
"""

import io
import struct
import zipfile

from chalicelib.core import bytecode, zip_members
from chalicelib.core.errors import Invalid
from chalicelib.luarocks import rockspecs, sandbox

MOST_ENTRIES = 20_000
MOST_UNPACKED = 1 << 30
_MOST_DIRECTORY = 4 << 20
_LONGEST_PATH = 200  # characters, in messages

# The record at the end of a zip: signature, four counts, size and offset of the directory, length of a comment.
_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_LONGEST_COMMENT = 0xFFFF
_LOCATOR_SIGNATURE = b"PK\x06\x07"  # precedes the record if the counts are in ZIP64 form elsewhere
_LOCATOR_SIZE = 20


def check(content: bytes, name: str, version_name: str) -> None:
    """Raise Invalid unless `content` is a zip with a rockspec of this package and version, both in lower case.

    LuaRocks stores the rockspec at the top, as `NAME-VERSION.rockspec`. All Lua in it must be source text. Raises Busy.
    """
    wanted = f"{name}-{version_name}.rockspec"
    spec = rockspecs.parse(rockspec_in(content, wanted))
    if (spec.name, spec.version_name) != (name, version_name):
        raise Invalid(f"The rock's rockspec is for {spec.name} {spec.version_name}, not for {name} {version_name}")
    _refuse_bytecode(content)


def _refuse_bytecode(content: bytes) -> None:
    try:
        found = bytecode.search(content)
    except bytecode.Unsearchable:
        raise Invalid("The rock contains a file or an archive that is damaged, or too large to be checked") from None
    if found is not None:
        raise Invalid(f"The rock contains precompiled Lua, only source text is accepted: {found[:_LONGEST_PATH]}")


def rockspec_in(content: bytes, wanted: str) -> bytes:
    """The content of the rockspec in a rock; `wanted` is its file name in lower case. Raises Invalid.

    Clients unpack all members, so a path outside of the rock's directory, or a link, is refused.
    """
    _check_directory(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_sizes(members, len(content))
            zip_members.check(members, "The rock", MOST_ENTRIES)
            member = next((each for each in members if each.filename.lower() == wanted), None)
            if member is None:
                raise Invalid(f"The rock has no {wanted}")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Invalid(f"The rock's {wanted} cannot be unpacked")
            with archive.open(member) as file:
                source = file.read(sandbox.SOURCE_LIMIT + 1)
    except zip_members.DAMAGE_ERRORS:
        raise Invalid("The rock is a damaged zip file") from None
    if len(source) > sandbox.SOURCE_LIMIT:
        raise Invalid(f"The rock's {wanted} is larger than {sandbox.SOURCE_LIMIT} bytes")
    return source


def _check_directory(content: bytes) -> None:
    """Raise Invalid unless the zip ends correctly and its directory is small enough to read."""
    position = content.rfind(_END_SIGNATURE, max(0, len(content) - _END.size - _LONGEST_COMMENT))
    if position < 0 or len(content) < position + _END.size:
        raise Invalid("The rock is not a zip file, or is truncated")
    entries, directory_size = _END.unpack_from(content, position)[4:6]
    is_long = content[max(0, position - _LOCATOR_SIZE) : position].startswith(_LOCATOR_SIGNATURE)
    if is_long or entries > MOST_ENTRIES or directory_size > _MOST_DIRECTORY:
        raise Invalid(f"The rock contains more than {MOST_ENTRIES} files")


def _check_sizes(members: list[zipfile.ZipInfo], size: int) -> None:
    """Raise Invalid for too many or too large files, or if files share bytes, as in a zip bomb."""
    if len(members) > MOST_ENTRIES:
        raise Invalid(f"The rock contains more than {MOST_ENTRIES} files")
    unpacked = sum(member.file_size for member in members)
    if unpacked > MOST_UNPACKED or sum(member.compress_size for member in members) > size:
        raise Invalid(f"The rock contains more than {MOST_UNPACKED} bytes, or shares bytes between its files")
