"""Engine versions: which one a client uses, and which releases run on it.

The id of a version is its position in the reference data, from 1 on. Ranges of releases compare ids, because several
versions can have the same protocol.
"""

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry, ReleaseInfo
from chalicelib.contentdb.store import reference
from chalicelib.core.catalogues.snapshots import Value

BEFORE_ALL = 0  # an engine older than every known one: releases without a minimum run on it


def is_game(user_agent: str) -> bool:
    """Whether the User-Agent is the game's."""
    return user_agent.startswith(("Luanti", "Minetest"))


def resolve(snapshot: ContentDbSnapshot, protocol: int | None, engine: str | None) -> int | None:
    """The id of the client's version; None for no filter.

    Of `engine`, such as `5.8.0-dev-x`, the first two parts are used if the protocol fits; otherwise the result is the
    newest version with at most `protocol`. An unknown engine alone is no filter.
    """
    rows = list(reference.of(snapshot).minetest_versions.values())
    if engine is not None:
        wanted = ".".join(engine.split(".")[:2]).split("-")[0]
        for number, row in enumerate(rows, 1):
            if row["name"].removesuffix("-dev") == wanted and protocol in (None, row["protocol_version"]):
                return number
    if protocol is None:
        return None
    known = [(row["protocol_version"], number) for number, row in enumerate(rows, 1)]
    return max((pair for pair in known if pair[0] <= protocol), default=(0, BEFORE_ALL))[1]


def find_id(snapshot: ContentDbSnapshot, name: str) -> int | None:
    """The id of a version in a conf file, such as `5.8` or `5.8.1`; None for an unknown one."""
    return resolve(snapshot, None, name)


def row_of(snapshot: ContentDbSnapshot, version_id: int | None) -> Value | None:
    """A version as JSON; None for no version."""
    rows = list(reference.of(snapshot).minetest_versions.values())
    return dict(rows[version_id - 1]) if version_id and version_id <= len(rows) else None


def newest_release(value: PackageEntry, version: int | None) -> ReleaseInfo | None:
    """The approved release with the highest id that runs on a version (None: on any); None without one."""
    for release in value.releases:
        if version is None or runs_on(release, version):
            return release
    return None


def newest_id(value: PackageEntry, version: int | None = None) -> int | None:
    """The id of the newest release, see `newest_release`."""
    release = newest_release(value, version)
    return release.id if release else None


def runs_on(release: ReleaseInfo, version: int) -> bool:
    """Whether a release runs on a version."""
    return (release.min is None or release.min <= version) and (release.max is None or version <= release.max)
