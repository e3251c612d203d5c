"""Reference data: licences, tags, content warnings, languages, engine versions.

The shipped data (reference.json) is available from the first request on. `seed` stores it, so that it can be edited; a
stored set replaces the shipped one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot, ReferenceEntry
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import ReferenceSet
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.storage import Transaction

Row = Mapping[str, Any]
_SORTED = ("tags", "content_warnings", "licenses")
_DEFAULTS: dict[str, dict[str, Any]] = {  # of the fields that reference.json leaves out
    "tags": {"description": None, "views": 0},
    "content_warnings": {"description": None},
}
SETS = ("licenses", "tags", "content_warnings", "languages", "minetest_versions")


@dataclass(frozen=True)
class Reference:
    """The sets, each row by its name (a language by its id), in order; licences also by their names in lower case."""

    licenses: Mapping[str, Row]
    tags: Mapping[str, Row]
    content_warnings: Mapping[str, Row]
    languages: Mapping[str, Row]
    minetest_versions: Mapping[str, Row]
    license_names: Mapping[str, str]

    @property
    def foss(self) -> frozenset[str]:
        """The names of the licences that are free."""
        return frozenset(name for name, row in self.licenses.items() if row["is_foss"])


def of(snapshot: ContentDbSnapshot) -> Reference:
    """The current reference data."""
    return snapshot.cached("reference", _read)


def rows(snapshot: ContentDbSnapshot, name: str) -> list[Row]:
    """A set as JSON; sets that upstream sorts are ordered by name."""
    found: list[Row] = [{**_DEFAULTS.get(name, {}), **row} for row in getattr(of(snapshot), name).values()]
    return sorted(found, key=lambda row: str(row["name"])) if name in _SORTED else found


def seed() -> dict[str, int]:
    """Store the shipped rows that are not stored yet; return the number of added rows of each set. Safe to repeat."""

    def decide(snapshot: ContentDbSnapshot, writes: Transaction) -> tuple[Changes[ContentDbEntry], dict[str, int]]:
        changes: Changes[ContentDbEntry] = {}
        added: dict[str, int] = {}
        for name in SETS:
            stored = _stored(snapshot, name)
            rows = _merged(name, stored)
            added[name] = len(rows) - len(stored)
            if rows != stored:
                writes.put(ReferenceSet("reference", name, rows=rows))
                changes[f"reference#{name}"] = ReferenceEntry(rows=tuple(rows))
        return changes, added

    snapshot = index.catalogue.snapshot()
    if all(_merged(name, _stored(snapshot, name)) == _stored(snapshot, name) for name in SETS):
        return dict.fromkeys(SETS, 0)
    return index.catalogue.publish(decide)[1]


def seed_daily() -> None:
    """Seed at the first start, because a new repeating job is due at once, and then daily: a new version ships more."""
    seed()


def _read(snapshot: ContentDbSnapshot) -> Reference:
    sets = {name: {_key(row): row for row in _stored(snapshot, name) or shipped()[name]} for name in SETS}
    return Reference(**sets, license_names={name.lower(): name for name in sets["licenses"]})


def _stored(snapshot: ContentDbSnapshot, name: str) -> list[Row]:
    entry = snapshot.entries.get(f"reference#{name}")
    return list(entry.value.rows) if entry and isinstance(entry.value, ReferenceEntry) else []


def _merged(name: str, stored: list[Row]) -> list[Row]:
    """The stored rows, followed by shipped rows that are not among them.

    An engine version keeps its position after its release, because releases refer to positions.
    """
    known = {_key(row) for row in stored}
    released = {f"{_key(row)}-dev": row for row in shipped()[name]} if name == "minetest_versions" else {}
    rows = [released.get(_key(row), row) for row in stored]
    known.update(_key(row) for row in rows)
    return rows + [row for row in shipped()[name] if _key(row) not in known]


@cache
def shipped() -> dict[str, list[Row]]:
    """The content of reference.json."""
    sets: dict[str, list[Row]] = json.loads(Path(__file__).with_name("reference.json").read_text("utf-8"))
    return sets


def _key(row: Row) -> str:
    return str(row.get("id") or row["name"])
