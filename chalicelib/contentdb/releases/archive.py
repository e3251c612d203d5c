"""Uploaded zip files: read without unpacking, and validated first."""

import re
from dataclasses import dataclass, field
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from chalicelib.core import bytecode, zip_members
from chalicelib.core.errors import Invalid

LARGEST = 300 * 1024 * 1024  # bytes when unpacked
MOST_ENTRIES = 50_000
_MOST_DIRECTORY = 8 * 1024 * 1024  # bytes of the zip's own directory, which zipfile reads whole
_LARGEST_TEXT = 1024 * 1024
_END, _END_64 = b"PK\x05\x06", re.compile(rb"PK\x06\x06.{36}(.{8})", re.DOTALL)


class BadArchive(Invalid):
    """The file is not a zip that can be unpacked safely."""


@dataclass
class Folder:
    """A folder in a zip: its path (empty for the whole zip), its files and folders by name."""

    archive: ZipFile
    path: str = ""
    files: dict[str, ZipInfo] = field(default_factory=dict)
    folders: dict[str, "Folder"] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def text(self, name: str) -> str | None:
        """A file's text; None without such a file. Raises Invalid unless it is UTF-8 and below 1 MiB."""
        if name not in self.files:
            return None
        if self.files[name].file_size > _LARGEST_TEXT:
            raise Invalid(f"{self.path_of(name)} is too large")
        try:
            return self.archive.read(self.files[name]).decode()
        except UnicodeDecodeError:
            raise Invalid(f"{self.path_of(name)} is not UTF-8 text") from None

    def path_of(self, name: str) -> str:
        """The path of a file in this folder, for messages."""
        return f"{self.path}/{name}" if self.path else name


def open_zip(content: bytes) -> Folder:
    """The root of a zip whose whole content is readable. Raises BadArchive or UnsafeZip."""
    _check_directory(content)
    try:
        archive = ZipFile(BytesIO(content))
        entries = archive.infolist()
        _check_entries(entries)
        _check_bytes(archive, entries)
    except zip_members.DAMAGE_ERRORS as error:
        raise BadArchive("The zip file is corrupt.") from error
    return _tree(archive, entries)


def _check_directory(content: bytes) -> None:
    """Reject a directory that is too large, because zipfile needs half a kilobyte of memory for each entry."""
    end = content.rfind(_END, max(0, len(content) - 65_557))
    if end < 0 or len(content) < end + 22:
        raise BadArchive("This is not a zip file.")
    sizes = [int.from_bytes(content[end + 12 : end + 16], "little")]
    sizes_64 = [int.from_bytes(size, "little") for size in _END_64.findall(content, max(0, end - 4096), end)]
    if sizes_64 and sizes == [0xFFFFFFFF]:
        sizes = []
    if max(sizes + sizes_64) > _MOST_DIRECTORY:
        raise BadArchive(f"The zip file has more than {MOST_ENTRIES:,} files.")


def _check_entries(entries: list[ZipInfo]) -> None:
    if not entries:
        raise BadArchive("The zip file is empty.")
    if len(entries) > MOST_ENTRIES:
        raise BadArchive(f"The zip file has more than {MOST_ENTRIES:,} files.")
    if sum(entry.file_size for entry in entries) > LARGEST:
        raise BadArchive(f"The zip file is larger than {LARGEST // 1024 // 1024} MiB when unpacked.")
    zip_members.check(entries, "The zip file", MOST_ENTRIES)
    for entry in entries:
        if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise BadArchive(f"The zip file has a compression that Luanti cannot unpack: {zip_members.shown(entry)}")


def _check_bytes(archive: ZipFile, entries: list[ZipInfo]) -> None:
    """Read all files once: sizes and checksums must match the directory, and Lua must be source text."""
    for entry in entries:
        size, start, precompiled = 0, b"", None
        with archive.open(entry) as file:
            while part := file.read(1 << 20):
                size += len(part)
                if precompiled is None:
                    start += part
                    precompiled = bytecode.is_precompiled(start)
        if precompiled:
            raise BadArchive(f"The zip file has precompiled Lua: {zip_members.shown(entry)}")
        if size != entry.file_size:
            raise BadArchive("The zip file is corrupt.")


def _tree(archive: ZipFile, entries: list[ZipInfo]) -> Folder:
    root = Folder(archive)
    for entry in entries:
        parts = [part for part in entry.filename.split("/") if part not in ("", ".")]
        name = None if entry.is_dir() else parts.pop()
        folder = root
        for parent in parts:
            folder = folder.folders.setdefault(parent, Folder(archive, folder.path_of(parent)))
        if name is not None:
            folder.files[name] = entry
    return root
