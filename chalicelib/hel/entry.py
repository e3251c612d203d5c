"""The entries of Hel's catalogues. A new field is appended, with a default, and the catalogue's shape number raised."""

from collections.abc import Mapping

from chalicelib.core.entries import Struct


class VersionFile(Struct):
    """Where a file of a version is installed; its key is its URL."""

    dir: str
    name: str
    path: str
    sha256: str | None = None


class Dependency(Struct):
    """How a version depends on a package; its key is that package's name."""

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
    created_at: int  # epoch seconds, and so is the next
    updated_at: int
    views: int = 0  # as of the last `index.refresh`, and so are the downloads
    downloads: int = 0


class UserEntry(Struct):
    """A user as the list shows one."""

    nickname: str
    groups: tuple[str, ...]
