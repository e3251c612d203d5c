"""The roots of the rock server: URLs with a manifest, and with the files of its modules below."""

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import NotFound
from chalicelib.luarocks import index, rockspecs
from chalicelib.luarocks.entry import ModuleEntry, PublishedFile, VersionEntry
from chalicelib.luarocks.index import Group

_LONGEST_STEM = 2 * rockspecs.LONGEST_NAME + 1


@dataclass(frozen=True)
class Root:
    """A URL with a manifest of a group of modules.

    `development`: True lists only development versions, False only the others, None all.
    """

    group: Group
    development: bool | None


@dataclass(frozen=True)
class RootFile:
    """A rockspec, a rock or a signature for download; `modified` in epoch seconds.

    `arch` is `rockspec` or a rock's architecture; with `module` and `version` it identifies the download counter.
    """

    name: str
    sha256: str
    size: int
    modified: int
    module: Entry[ModuleEntry]
    version: VersionEntry
    arch: str
    is_signature: bool


def main(*, development: bool = False) -> Root:
    """`/`, or `/dev`."""
    return Root(index.ROOT, development)


def of_user(user: str, *, development: bool | None = None) -> Root:
    """`/manifests/<user>`, or `/dev/manifests/<user>`."""
    return Root(index.user_group(user), development)


def of_manifest(name: str, *, development: bool = False) -> Root:
    """`/m/<name>`, or `/m/<name>/dev`."""
    return Root(index.manifest_group(name), development)


def find_file(snapshot: Snapshot[ModuleEntry], root: Root, filename: str) -> RootFile:
    """The rockspec, rock or signature (`.asc`) with this name below a root; raises NotFound.

    A version has its files below every root that lists its module, including archived and development versions that
    the root's manifest does not list.
    """
    signed = filename.removesuffix(".asc")
    stem, _, kind = signed.rpartition(".")
    arch = "rockspec"
    if kind.lower() == "rock":
        stem, _, arch = stem.rpartition(".")
    elif kind.lower() != "rockspec":
        raise _no_file()
    for name, version_name in _splits(stem.lower()):
        entry = index.module(snapshot, root.group, name)
        version = entry.value.versions.get(version_name) if entry else None
        stored = _stored(version, arch) if version else None
        if entry and version and stored:
            return _file(filename, entry, version, arch, stored, is_signature=signed != filename)
    raise _no_file()


def _stored(version: VersionEntry, arch: str) -> PublishedFile | None:
    """The rockspec of a version, or its rock for an architecture."""
    if arch == "rockspec":
        return version.file
    return version.rocks[arch].file if arch in version.rocks else None


def _file(
    filename: str,
    entry: Entry[ModuleEntry],
    version: VersionEntry,
    arch: str,
    stored: PublishedFile,
    *,
    is_signature: bool,
) -> RootFile:
    sha256, size = (stored.sig_sha256, stored.sig_size) if is_signature else (stored.sha256, stored.size)
    if sha256 is None or size is None:
        raise _no_file()
    return RootFile(filename, sha256, size, stored.updated_at, entry, version, arch, is_signature)


def _no_file() -> NotFound:
    return NotFound("There is no such file.")


def _splits(stem: str) -> Iterator[tuple[str, str]]:
    """All ways to split NAME-VERSION, because both can contain hyphens."""
    if len(stem) > _LONGEST_STEM:
        return
    parts = stem.split("-")
    for position in range(len(parts) - 1, 0, -1):
        yield "-".join(parts[:position]), "-".join(parts[position:])
