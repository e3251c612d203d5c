"""Search over all modules, which upstream has only as a page."""

from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from functools import partial
from typing import Any

from chalicelib.core.catalogues.columns import EntryRow, RowField, RowsByKey, RowTable
from chalicelib.core.catalogues.derived import Derived
from chalicelib.core.catalogues.snapshots import Selection, Snapshot
from chalicelib.core.catalogues.stored_values import StoredValue
from chalicelib.luarocks import downloads, index
from chalicelib.luarocks.entry import ModuleEntry
from chalicelib.luarocks.versions import dependency_name, matches_lua

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


class ModuleRow(EntryRow[ModuleEntry]):
    """The fields of a module by which searches filter and sort.

    `text` has a line for each searched text, in lower case, most relevant first.
    """

    __slots__ = ()

    name = RowField[ModuleEntry, str](str, lambda value: value.name)
    text = RowField[ModuleEntry, str](str, lambda value: "\n".join(map(_line, _texts(value))))
    labels = RowField[ModuleEntry, tuple[str, ...]](tuple[str, ...], lambda value: value.labels)
    in_root = RowField[ModuleEntry, bool](bool, lambda value: value.in_root)
    updated_at = RowField[ModuleEntry, int](int, lambda value: value.updated_at)
    needs = RowField[ModuleEntry, frozenset[str | None]](  # the Lua versions that its versions need
        frozenset[str | None],
        lambda value: frozenset(version.lua_version for version in value.versions.values() if not version.archived),
    )
    id = RowField[ModuleEntry, int](int, lambda value: value.id)
    version_ids = RowField[ModuleEntry, tuple[int, ...]](
        tuple[int, ...], lambda value: tuple(version.id for version in value.versions.values())
    )
    dependencies = RowField[ModuleEntry, tuple[str, ...]](  # the names on which any of its versions depends
        tuple[str, ...], lambda value: _dependencies(value)
    )


_Rows = RowsByKey[ModuleRow]
_derived: Derived[ModuleEntry] = Derived()


def find(snapshot: Snapshot[ModuleEntry], query: ModuleQuery) -> Selection[ModuleEntry]:
    """The matching modules, best first, without archived ones. Cached until modules or counts change."""
    return snapshot.lru_cached(("search", query, downloads.state()), lambda snapshot: _find(snapshot, query))


def rows(snapshot: Snapshot[ModuleEntry]) -> RowsByKey[ModuleRow]:
    """The rows of all modules that are not archived."""
    return _derived.get(snapshot, ROWS.name, ROWS.of, ROWS.update)


def _find(snapshot: Snapshot[ModuleEntry], query: ModuleQuery) -> Selection[ModuleEntry]:
    every = rows(snapshot)
    among: Iterable[int] = every.numbers.values()
    if query.user is not None:
        theirs = index.modules(snapshot, index.user_group(query.user))
        among = (every.numbers[key] for key in theirs if key in every)
    found = list(among)
    for test in _tests(query):
        found = every.table.where(found, test)
    ranked = [(rank, row) for row in map(every.row, found) if (rank := _rank(row, query)) is not None]
    orders: dict[str, Callable[[tuple[int, ModuleRow]], Any]] = {
        "relevance": lambda found: (found[0], -_downloads(found[1]), found[1].key),
        "downloads": lambda found: (-_downloads(found[1]), found[1].key),
        "updated": lambda found: (-found[1].updated_at, found[1].key),
        "name": lambda found: (found[1].name, found[1].key),
    }
    return Selection(snapshot, [row.key for _, row in sorted(ranked, key=orders[query.sort])])


def _tests(query: ModuleQuery) -> Iterator[dict[str, Callable[[Any], bool]]]:
    if query.root is not None:
        yield {"in_root": query.root.__eq__}
    if query.label is not None:
        yield {"labels": lambda labels: query.label in labels}
    if (lua := query.lua) is not None:
        yield {"needs": lambda needs: any(matches_lua(needed, lua) for needed in needs)}
    for word in query.words:
        yield {"text": partial(_contains, word)}


def _contains(word: str, text: str) -> bool:
    return word in text


def _rank(row: ModuleRow, query: ModuleQuery) -> int:
    """The rank of a matching module, 0 is best."""
    text, in_root = row.text, row.in_root
    if not query.words or text.startswith(" ".join(query.words) + "\n"):
        return 0 if in_root else 1
    rank = sum(text.count("\n", 0, text.find(word)) for word in query.words)
    return 2 + 2 * rank + (0 if in_root else 1)


def _build(snapshot: Snapshot[ModuleEntry]) -> _Rows:
    entries = (entry for shard in snapshot.shards for entry in shard.entries())
    kept = ((entry.key, entry.value) for entry in entries if not entry.value.archived)
    return RowsByKey.of(ModuleRow, RowTable.of(ModuleRow, kept))


def _update(rows: _Rows, snapshot: Snapshot[ModuleEntry], changed: Set[str]) -> _Rows:
    found = {key: snapshot.entries.get(key) for key in changed}
    return rows.changed(
        {key: entry.value if entry and not entry.value.archived else None for key, entry in found.items()}
    )


def _texts(value: ModuleEntry) -> tuple[str | None, ...]:
    return value.name, value.summary, " ".join(value.labels), value.description


def _dependencies(value: ModuleEntry) -> tuple[str, ...]:
    texts = (text for version in value.versions.values() for text in version.dependencies)
    return tuple(sorted({name for text in texts if (name := dependency_name(text))}))


def _line(text: str | None) -> str:
    """The text in lower case; words contain no blanks, so it does not matter which blanks separate them."""
    return (text or "").lower().replace("\n", " ")


ROWS: StoredValue[ModuleEntry, _Rows] = index.catalogue.keep(
    StoredValue(
        "rows",
        3,
        build=_build,
        update=_update,
        encode=RowsByKey.encoded,
        decode=lambda body, keys: RowsByKey.of(ModuleRow, RowTable.decoded(ModuleRow, body, keys)),
    )
)


def _downloads(row: ModuleRow) -> int:
    return downloads.total_of(row.id, row.version_ids)
