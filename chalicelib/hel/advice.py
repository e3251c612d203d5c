"""Warnings about a valid package that hpm cannot use as its author expects."""

from collections.abc import Iterator

from chalicelib.core.snapshots import Snapshot
from chalicelib.hel import index, semver
from chalicelib.hel.entry import PackageEntry

MOST = 20
LONGEST = 200  # characters: PATCH returns the texts in headers, which are short


def warnings(snapshot: Snapshot[PackageEntry], package: PackageEntry) -> list[str]:
    """At most `MOST` warnings about a package in the snapshot; the last one counts the others."""
    found = dict.fromkeys(_warnings(snapshot, package))
    texts = [text if len(text) <= LONGEST else f"{text[:LONGEST]}..." for text in list(found)[:MOST]]
    return texts if len(found) <= MOST else [*texts[:-1], f"... and {len(found) - MOST + 1} more."]


def _warnings(snapshot: Snapshot[PackageEntry], package: PackageEntry) -> Iterator[str]:
    for number, version in package.versions.items():
        for name, dependency in version.depends.items():
            yield from _dependency_warnings(snapshot, f"{package.name} {number}", name, dependency.version)
    for number in semver.superseded(package.versions):
        yield f"hpm treats the pre-release {number} as newer than its release."


def _dependency_warnings(snapshot: Snapshot[PackageEntry], version: str, name: str, wanted: str) -> Iterator[str]:
    known = index.find(snapshot, name)
    if known is None:
        yield f"{version} depends on {name}, which is not here: the installation will fail, even if it is optional."
    elif not known.value.versions:
        yield f"{version} depends on {name}, which has no version that hpm could install."
    if meaning := semver.meaning_for_hpm(wanted):
        yield f"{version} depends on {name} {wanted}: {meaning}."
