"""Which modules depend on which: dependents of a name, and the names on which most modules depend."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from chalicelib.core.catalogues.snapshots import Entry, Selection, Snapshot
from chalicelib.luarocks import search
from chalicelib.luarocks.entry import ModuleEntry
from chalicelib.luarocks.versions import dependency_name


def of(snapshot: Snapshot[ModuleEntry], name: str) -> Selection[ModuleEntry]:
    """The modules that depend on a name in any version, by name; archived modules are left out. No entry is decoded."""
    wanted, rows = name.lower(), search.rows(snapshot)
    found = rows.table.where([*rows.numbers.values()], {"dependencies": lambda names: wanted in names})
    in_order = sorted((row.name, row.key) for row in map(rows.row, found))
    return Selection(snapshot, [key for _, key in in_order])


def versions_of(entry: Entry[ModuleEntry], name: str) -> Iterable[tuple[str, str]]:
    """The versions of a module that depend on a name, each with its first dependency on it."""
    wanted = name.lower()
    for version_name, version in entry.value.versions.items():
        text = next((text for text in version.dependencies if dependency_name(text) == wanted), None)
        if text is not None:
            yield version_name, text


def statistics(snapshot: Snapshot[ModuleEntry]) -> list[tuple[str, int]]:
    """All names on which modules depend, with the number of these modules, most first. Cached until a change."""

    def count(snapshot: Snapshot[ModuleEntry]) -> Any:
        rows = search.rows(snapshot)
        depends = rows.table.column("dependencies")
        counted = Counter(name for number in rows.numbers.values() for name in depends[number])
        return sorted(counted.items(), key=lambda item: (-item[1], item[0]))

    found: list[tuple[str, int]] = snapshot.cached("dependency statistics", count)
    return found
