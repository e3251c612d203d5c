"""Search over all modules, which upstream has only as a page."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import starmap
from typing import Any

import msgspec

from chalicelib.core.catalogues import columns
from chalicelib.core.catalogues.derived import Derived
from chalicelib.core.catalogues.snapshots import Entry, Selected, Snapshot
from chalicelib.core.catalogues.stored_values import StoredValue
from chalicelib.luarocks import downloads, index
from chalicelib.luarocks.entry import ModuleEntry
from chalicelib.luarocks.versions import matches_lua

SORTS = ("relevance", "downloads", "updated", "name")
MOST_WORDS = 10


@dataclass(frozen=True)
class ModuleQuery:
    """A parsed search: all `words`, in lower case, and each filter that is not None."""

    words: tuple[str, ...] = ()
    user: str | None = None
    label: str | None = None
    lua: str | None = None
    root: bool | None = None
    sort: str = "relevance"


class ModuleRow(msgspec.Struct, frozen=True, gc=False):
    """The fields of a module by which searches filter and sort.

    `text` has a line for each searched text, in lower case, most relevant first.
    """

    key: str
    name: str
    text: str
    labels: tuple[str, ...]
    in_root: bool
    updated_at: int
    needs: frozenset[str | None]  # the Lua versions that its versions need
    id: int
    version_ids: tuple[int, ...]


_Rows = Mapping[str, ModuleRow]
_derived: Derived[ModuleEntry] = Derived()


def find(snapshot: Snapshot[ModuleEntry], query: ModuleQuery) -> Selected[ModuleEntry]:
    """The matching modules, best first, without archived ones. Cached until modules or counts change."""
    return snapshot.lru_cached(("search", query, downloads.state()), lambda snapshot: _find(snapshot, query))


def _find(snapshot: Snapshot[ModuleEntry], query: ModuleQuery) -> Selected[ModuleEntry]:
    rows = _derived.get(snapshot, ROWS.name, ROWS.of, ROWS.update)
    among: Iterable[ModuleRow] = rows.values()
    if query.user is not None:
        among = (rows[key] for key in index.modules(snapshot, index.user_group(query.user)) if key in rows)
    ranked = [(rank, row) for row in among if (rank := _rank(row, query)) is not None]
    orders: dict[str, Callable[[tuple[int, ModuleRow]], Any]] = {
        "relevance": lambda found: (found[0], -_downloads(found[1]), found[1].key),
        "downloads": lambda found: (-_downloads(found[1]), found[1].key),
        "updated": lambda found: (-found[1].updated_at, found[1].key),
        "name": lambda found: (found[1].name, found[1].key),
    }
    return Selected(snapshot, [row.key for _, row in sorted(ranked, key=orders[query.sort])])


def _rank(row: ModuleRow, query: ModuleQuery) -> int | None:
    """The rank of a module, 0 is best; None if it does not match."""
    if query.root is not None and query.root is not row.in_root:
        return None
    if query.label is not None and query.label not in row.labels:
        return None
    if query.lua is not None and not any(matches_lua(needed, query.lua) for needed in row.needs):
        return None
    rank = 0
    for word in query.words:
        place = row.text.find(word)
        if place < 0:
            return None
        rank += row.text.count("\n", 0, place)
    if not query.words or row.text.startswith(" ".join(query.words) + "\n"):
        return 0 if row.in_root else 1
    return 2 + 2 * rank + (0 if row.in_root else 1)


def _build(snapshot: Snapshot[ModuleEntry]) -> _Rows:
    entries = (entry for shard in snapshot.shards for entry in shard.entries())
    return {entry.key: _row(entry) for entry in entries if not entry.value.archived}


def _update(rows: _Rows, snapshot: Snapshot[ModuleEntry], changed: Set[str]) -> _Rows:
    new, entries = dict(rows), snapshot.entries
    for key in changed:
        new.pop(key, None)
        if (entry := entries.get(key)) and not entry.value.archived:
            new[key] = _row(entry)
    return new


def _row(entry: Entry[ModuleEntry]) -> ModuleRow:
    value = entry.value
    return ModuleRow(
        key=entry.key,
        name=value.name,
        text="\n".join(map(_line, (value.name, value.summary, " ".join(value.labels), value.description))),
        labels=value.labels,
        in_root=value.in_root,
        updated_at=value.updated_at,
        needs=frozenset(version.lua_version for version in value.versions.values() if not version.archived),
        id=value.id,
        version_ids=tuple(version.id for version in value.versions.values()),
    )


def _line(text: str | None) -> str:
    """The text in lower case; words contain no blanks, so it does not matter which blanks separate them."""
    return (text or "").lower().replace("\n", " ")


def _encode(rows: _Rows, numbers: Mapping[str, int]) -> bytes:
    return columns.encode(rows, _COLUMNS, numbers)


def _decode(body: bytes, keys: Sequence[str]) -> _Rows:
    fields = columns.decode(ModuleRow, _COLUMNS, body, keys)
    return dict(zip(fields[0], starmap(ModuleRow, zip(*fields, strict=True)), strict=True))


_COLUMNS = ModuleRow.__struct_fields__[1:]  # the key is encoded as its number
ROWS = index.catalogue.keep(StoredValue("rows", 1, build=_build, update=_update, encode=_encode, decode=_decode))


def _downloads(row: ModuleRow) -> int:
    return downloads.total_of(row.id, row.version_ids)
