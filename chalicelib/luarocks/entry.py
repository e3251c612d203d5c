"""The entries of LuaRocks' catalogue: a module with all its versions and rocks, under `<user>/<name>`.

A new field is appended with a default, and raises the catalogue's shape number. Dates are epoch seconds.
"""

from collections.abc import Mapping

from chalicelib.core.catalogues.entries import Struct, replace


class PublishedFile(Struct):
    """A rockspec or a rock as last uploaded; `revision` counts the uploads."""

    sha256: str
    size: int  # bytes
    revision: int
    created_at: int
    updated_at: int
    sig_sha256: str | None = None  # its detached signature
    sig_size: int | None = None
    first_sha256: str | None = None  # of its first upload, if there were several


class RockEntry(Struct):
    """A rock of a version; its key is its architecture."""

    id: int
    rock_fname: str
    file: PublishedFile


class StoredText(Struct):
    """A text out of a source rock; `name` is that of its file."""

    name: str
    sha256: str
    size: int  # bytes


class VersionEntry(Struct):
    """A version of a module; its key is its name in lower case."""

    id: int
    file: PublishedFile  # the rockspec
    display_version_name: str | None = None
    lua_version: str | None = None
    dependencies: tuple[str, ...] = ()
    development: bool = False
    archived: bool = False
    source_url: str | None = None
    rocks: Mapping[str, RockEntry] = {}
    downloads: Mapping[str, int] = {}  # unused: downloads.py has the counts; a field is never removed
    archive_reason: str | None = None
    texts: Mapping[str, StoredText] = {}  # `readme` and `license`, out of the source rock


class ModuleEntry(Struct):
    """A module."""

    id: int
    user_id: int
    user: str  # the username in its path, in lower case
    name: str
    current_version_id: int
    created_at: int
    updated_at: int
    owners: Mapping[str, int] = {}  # the additional owners: account ids by username in lower case
    invited: Mapping[str, int] = {}  # invited accounts, in the same form
    display_name: str | None = None
    in_root: bool = False
    archived: bool = False
    manifests: tuple[str, ...] = ()
    summary: str | None = None
    description: str | None = None
    license: str | None = None
    homepage: str | None = None
    labels: tuple[str, ...] = ()
    versions: Mapping[str, VersionEntry] = {}
    archive_reason: str | None = None
    immutable: bool = False  # its published files are never replaced


def with_version(module: ModuleEntry, name: str, version: VersionEntry) -> ModuleEntry:
    """The module, with this version added or replaced."""
    return replace(module, versions={**module.versions, name: version})


def without_version(module: ModuleEntry, name: str) -> ModuleEntry:
    """The module without this version and its rocks."""
    return replace(module, versions={key: version for key, version in module.versions.items() if key != name})


def with_rock(module: ModuleEntry, name: str, arch: str, rock: RockEntry) -> ModuleEntry:
    """The module, with this rock added or replaced in the version `name`."""
    version = module.versions[name]
    return with_version(module, name, replace(version, rocks={**version.rocks, arch: rock}))


def without_rock(module: ModuleEntry, name: str, arch: str) -> ModuleEntry:
    """The module without this rock."""
    version = module.versions[name]
    rest = {key: rock for key, rock in version.rocks.items() if key != arch}
    return with_version(module, name, replace(version, rocks=rest))
