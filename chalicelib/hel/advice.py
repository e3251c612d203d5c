"""Warnings about a valid package that hpm cannot use as its author expects."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice

from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.hel import counts, index, model, resolution, semver
from chalicelib.hel.entry import PackageEntry, Version

Known = Mapping[str, Entry[PackageEntry] | None]
MOST = 20
MOST_NAMES = 500  # of dependencies that are looked up; further ones are not examined
MOST_FILES = 100  # stored files that are looked up
MOST_COMPARISONS = 100_000  # of a version with a range; further ranges are not examined
LONGEST = 200  # characters: PATCH returns the texts in headers, which are short


def warnings(snapshot: Snapshot[PackageEntry], package: PackageEntry) -> list[str]:
    """At most `MOST` warnings about a package in the snapshot; the last one counts the others."""
    found = dict.fromkeys(_warnings(snapshot, package))
    texts = [text if len(text) <= LONGEST else f"{text[:LONGEST]}..." for text in list(found)[:MOST]]
    return texts if len(found) <= MOST else [*texts[:-1], f"... and {len(found) - MOST + 1} more."]


def _warnings(snapshot: Snapshot[PackageEntry], package: PackageEntry) -> Iterator[str]:
    known = _dependencies(snapshot, package)
    for number, version in package.versions.items():
        for name, dependency in version.depends.items():
            if name in known:
                yield from _dependency_warnings(known[name], f"{package.name} {number}", name, dependency.version)
        yield from _file_warnings(f"{package.name} {number}", version)
    yield from _unsatisfied(known, package)
    yield from resolution.problems(snapshot, package)
    yield from _missing_files(package)
    for number in semver.superseded(package.versions):
        yield f"hpm treats the pre-release {number} as newer than its release."


def _dependencies(snapshot: Snapshot[PackageEntry], package: PackageEntry) -> Known:
    """The packages of the first names that a package depends on; None for one that is not here."""
    names = dict.fromkeys(name for version in package.versions.values() for name in version.depends)
    return {name: index.find(snapshot, name) for name in islice(names, MOST_NAMES)}


def _dependency_warnings(known: Entry[PackageEntry] | None, version: str, name: str, wanted: str) -> Iterator[str]:
    if known is None:
        yield f"{version} depends on {name}, which is not here: the installation will fail, even if it is optional."
    elif not known.value.versions:
        yield f"{version} depends on {name}, which has no version that hpm could install."
    if meaning := semver.meaning_for_hpm(wanted):
        yield f"{version} depends on {name} {wanted}: {meaning}."


def _unsatisfied(known: Known, package: PackageEntry) -> Iterator[str]:
    """Ranges without any version of the dependency."""
    remaining, excluded = MOST_COMPARISONS, dict[tuple[str, str], bool]()
    for number, version in package.versions.items():
        for name, dependency in version.depends.items():
            wanted = (name, dependency.version)
            found = known.get(name)
            if found is None or not found.value.versions:
                continue
            if wanted not in excluded:
                remaining -= len(found.value.versions)
                if remaining < 0:
                    return
                excluded[wanted] = semver.excludes(dependency.version, found.value.versions)
            if excluded[wanted]:
                yield f"{package.name} {number} depends on {name} {dependency.version}, which none of its versions is."


def _file_warnings(title: str, version: Version) -> Iterator[str]:
    for path, number in Counter(file.path for file in version.files.values()).items():
        if number > 1:
            yield f"{title} installs {number} files at {path}: hpm refuses the second."
        if path.startswith("/etc/hpm/") or path == "/etc/hpm.cfg":
            yield f"{title} installs {path}, which can make hpm use another server."


def _missing_files(package: PackageEntry) -> Iterator[str]:
    """Files that the URLs place on this server, which are not here."""
    urls = {url: file for version in package.versions.values() for url in version.files if (file := model.hosted(url))}
    some = dict(islice(urls.items(), MOST_FILES))
    stored = counts.existing({counts.file(*file) for file in some.values()})
    for url, file in some.items():
        if counts.file(*file) not in stored:
            yield f"There is no stored file {url}."
