"""The installation of a package as hpm plans it: dependencies of every type, in any order, the newest in each range."""

from collections.abc import Iterator, Sequence

from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.hel import index, semver
from chalicelib.hel.entry import PackageEntry

MOST_PACKAGES = 50  # in one plan; the rest is not examined
MOST_DEPENDENCIES = 500  # of all packages of a plan
MOST_VERSIONS = 1000  # of a dependency; one with more is not examined


def problems(snapshot: Snapshot[PackageEntry], package: PackageEntry) -> Iterator[str]:
    """Why hpm cannot install the newest version of a package as its dependencies need it: cycles and diamonds."""
    number = semver.latest(package.versions)
    if number is not None:
        yield from _Plan(snapshot, package, number).problems()


class _Plan:
    """The dependencies of one version, each with the version that hpm chooses for the first range."""

    def __init__(self, snapshot: Snapshot[PackageEntry], package: PackageEntry, number: str) -> None:
        self._snapshot = snapshot
        self._root = package
        self._title = f"{package.name} {number}"
        self._number = number
        self._remaining = MOST_DEPENDENCIES
        self._chosen: dict[str, tuple[str, str, str]] = {}  # name -> version, range, and the package that needs it

    def problems(self) -> Iterator[str]:
        yield from self._follow(self._root, self._number, [self._root.name])

    def _follow(self, package: PackageEntry, number: str, way: Sequence[str]) -> Iterator[str]:
        for name, dependency in package.versions[number].depends.items():
            self._remaining -= 1
            if self._remaining < 0:
                return
            if name in way:
                around = " -> ".join([*way[way.index(name) :], name])
                yield f"{self._title} has a cycle of dependencies, which hpm cannot install: {around}."
            elif name in self._chosen:
                yield from self._compare(name, dependency.version, package.name)
            else:
                yield from self._choose(name, dependency.version, package.name, way)

    def _choose(self, name: str, wanted: str, needed_by: str, way: Sequence[str]) -> Iterator[str]:
        found = index.find(self._snapshot, name)
        if found is None or len(found.value.versions) > MOST_VERSIONS or len(self._chosen) >= MOST_PACKAGES:
            return
        number = semver.newest_in(wanted, found.value.versions)
        if number is not None:
            self._chosen[name] = (number, wanted, needed_by)
            yield from self._follow(found.value, number, [*way, name])

    def _compare(self, name: str, wanted: str, needed_by: str) -> Iterator[str]:
        number, first, by = self._chosen[name]
        if semver.excludes(wanted, [number]):
            yield (
                f"{self._title} needs {name} {first} for {by} and {name} {wanted} for {needed_by}: "
                "hpm installs one version, and does not look for one that is in both ranges."
            )
