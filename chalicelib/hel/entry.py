"""The entries of Hel's catalogues. A new field is appended with a default, and raises the catalogue's shape number."""

from collections.abc import Mapping

from chalicelib.core.catalogues.entries import Struct


class VersionFile(Struct):
    """A file of a version and its place of installation; its key is its URL."""

    dir: str
    name: str
    path: str
    sha256: str | None = None


class Dependency(Struct):
    """A dependency of a version; its key is the package's name."""

    type: str  # required, recommended or optional
    version: str  # a range


class Version(Struct):
    """A version of a package; its key is its number."""

    files: Mapping[str, VersionFile]
    depends: Mapping[str, Dependency]
    changes: str


class PackageEntry(Struct):
    """A whole public package."""

    name: str
    description: str
    short_description: str
    owners: tuple[str, ...]  # usernames as written
    authors: tuple[str, ...]
    license: str
    tags: tuple[str, ...]
    versions: Mapping[str, Version]
    screenshots: Mapping[str, str]  # URL -> description
    created_at: int  # epoch seconds, as the next field
    updated_at: int
    views: int = 0  # unused, as the next field: counts.py has the counts; a field is never removed
    downloads: int = 0
    archived: bool = False
    archive_reason: str | None = None
    immutable: bool = False  # its published versions stay as they are


class UserEntry(Struct):
    """A user in the list."""

    nickname: str
    groups: tuple[str, ...]
