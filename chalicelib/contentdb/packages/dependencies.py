"""Dependencies of packages, and the packages that provide them."""

from collections.abc import Sequence
from typing import Any

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.store import index, rows
from chalicelib.contentdb.store.index import Found
from chalicelib.contentdb.store.tables import Package
from chalicelib.core.catalogues.snapshots import Entry, Value

Dependency = dict[str, Any]


def of(snapshot: ContentDbSnapshot, package: Entry[PackageEntry], *, only_hard: bool) -> dict[str, list[Dependency]]:
    """A package's dependencies with candidates, by `author/name`, including those of its likeliest dependencies.

    The client requests this for each package that it installs, so the likeliest package of each hard one is added.
    """
    found = {package.key: _listed(snapshot, package, only_hard)}
    for name in _hard(package.value):
        entry = likeliest(snapshot, name)
        if entry and entry.key not in found:
            found[entry.key] = _listed(snapshot, entry, only_hard)
    return found


def likeliest(snapshot: ContentDbSnapshot, name: str) -> Entry[PackageEntry] | None:
    """The likeliest package for a dependency: the package that it names, or the best mod."""
    fitting = (entry for entry in candidates(snapshot, name) if "/" in name or entry.value.type == "mod")
    return next(fitting, None)


def row(value: PackageEntry) -> Value:
    """A package's provided mods and dependencies, for the list of all dependencies."""
    fields = ("type", "author", "name", "provides", "depends", "optional_depends")
    return {field: getattr(value, field) for field in fields}


def missing(snapshot: ContentDbSnapshot, package: Package) -> list[str]:
    """The hard dependencies of a package that no approved package provides."""
    return [name for name in package.depends if not candidates(snapshot, name)]


def candidates(snapshot: ContentDbSnapshot, name: str) -> Sequence[Entry[PackageEntry]]:
    """The approved packages that match a dependency, which is a mod's name or `author/name`; best score first."""
    if "/" not in name:
        return providers(snapshot, name)
    entry = index.find(snapshot, name) or index.by_alias(snapshot).get(name)
    return [entry] if entry and entry.value.state == "APPROVED" else []


def providers(snapshot: ContentDbSnapshot, name: str) -> Found:
    """The approved packages that provide a mod name, best score first."""
    return Found(snapshot, rows.of(snapshot).providers.get(name, []))


def _listed(snapshot: ContentDbSnapshot, package: Entry[PackageEntry], only_hard: bool) -> list[Dependency]:
    if package.value.type != "mod":
        return []
    found = [(name, False) for name in _hard(package.value)]
    if not only_hard:
        found += [(name, True) for name in package.value.optional_depends]
    return [
        {
            "name": name.rpartition("/")[2],
            "is_optional": optional,
            "packages": [entry.key for entry in candidates(snapshot, name)],
        }
        for name, optional in found
    ]


def _hard(value: PackageEntry) -> list[str]:
    return list(value.depends) if value.type == "mod" else []
