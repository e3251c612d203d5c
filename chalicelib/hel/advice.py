"""Warnings about a valid package that hpm cannot use as its author expects."""

from collections.abc import Iterator

from chalicelib.core.snapshots import Snapshot
from chalicelib.hel import index, semver
from chalicelib.hel.entry import PackageEntry

MOST = 20
LONGEST = 200  # PATCH returns the texts in headers, which have no room for more


def warnings(snapshot: Snapshot[PackageEntry], package: PackageEntry) -> list[str]:
    """At most `MOST` warnings about a package in the snapshot."""
    found = dict.fromkeys(_all(snapshot, package))
    texts = [text if len(text) <= LONGEST else f"{text[:LONGEST]}..." for text in list(found)[:MOST]]
    return texts if len(found) <= MOST else [*texts[:-1], f"... and {len(found) - MOST + 1} more."]


def _all(snapshot: Snapshot[PackageEntry], package: PackageEntry) -> Iterator[str]:
    for number, version in package.versions.items():
        for name, dependency in version.depends.items():
            yield from _of_dependency(snapshot, f"{package.name} {number}", name, dependency.version)
    for number in semver.outranked(package.versions):
        yield f"hpm takes the pre-release {number} for newer than its release."


def _of_dependency(snapshot: Snapshot[PackageEntry], who: str, name: str, wanted: str) -> Iterator[str]:
    known = index.find(snapshot, name)
    if known is None:
        yield f"{who} depends on {name}, which is not here: hpm will refuse to install it, whatever the type."
    elif not known.value.versions:
        yield f"{who} depends on {name}, which has no version that hpm could install."
    if misread := semver.misread(wanted):
        yield f"{who} depends on {name} {wanted}: {misread}."
