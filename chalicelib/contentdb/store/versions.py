"""Engine versions: which one a client means, and which releases run on it.

A version's id is its place in the reference data, from 1 on; the range of a release is compared by ids, because
several versions may speak one protocol.
"""

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry, ReleaseInfo
from chalicelib.contentdb.store import reference
from chalicelib.core.snapshots import Value

BEFORE_ALL = 0  # an engine that is older than every known one: releases without a minimum run on it


def is_game(user_agent: str) -> bool:
    """Whether a client calls itself as the game does."""
    return user_agent.startswith(("Luanti", "Minetest"))


def resolve(snapshot: ContentDbSnapshot, protocol: int | None, engine: str | None) -> int | None:
    """The id of the version that a client means; None when nothing is to be filtered.

    `engine` such as `5.8.0-dev-x` counts by its first two parts, if the protocol fits; otherwise it is the newest
    version that speaks at most `protocol`. An unknown engine alone filters nothing.
    """
    rows = list(reference.of(snapshot).minetest_versions.values())
    if engine is not None:
        wanted = ".".join(engine.split(".")[:2]).split("-")[0]
        for place, row in enumerate(rows, 1):
            if row["name"].removesuffix("-dev") == wanted and protocol in (None, row["protocol_version"]):
                return place
    if protocol is None:
        return None
    fitting = [(row["protocol_version"], place) for place, row in enumerate(rows, 1)]
    return max((spoken for spoken in fitting if spoken[0] <= protocol), default=(0, BEFORE_ALL))[1]


def find_id(snapshot: ContentDbSnapshot, name: str) -> int | None:
    """The id of the version that a conf file names, such as `5.8` or `5.8.1`; None for an unknown one."""
    return resolve(snapshot, None, name)


def row_of(snapshot: ContentDbSnapshot, version_id: int | None) -> Value | None:
    """A version as clients see it; None for no version."""
    rows = list(reference.of(snapshot).minetest_versions.values())
    return dict(rows[version_id - 1]) if version_id and version_id <= len(rows) else None


def newest_release(value: PackageEntry, version: int | None) -> ReleaseInfo | None:
    """The approved release with the highest id, of a package's entry, that runs on a version (None: on any)."""
    for release in value.releases:
        if version is None or runs_on(release, version):
            return release
    return None


def newest_id(value: PackageEntry, version: int | None = None) -> int | None:
    """The id of that release."""
    release = newest_release(value, version)
    return release.id if release else None


def runs_on(release: ReleaseInfo, version: int) -> bool:
    """Whether a release runs on a version."""
    return (release.min is None or release.min <= version) and (release.max is None or version <= release.max)
