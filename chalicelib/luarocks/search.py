"""Search over all modules, which upstream has only as a page."""

from dataclasses import dataclass

from chalicelib.core.snapshots import Entry, Snapshot
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


def find(snapshot: Snapshot[ModuleEntry], query: ModuleQuery) -> list[Entry[ModuleEntry]]:
    """The matching modules, best first, without archived ones. Cached until modules or counts change."""
    return snapshot.lru_cached(("search", query, downloads.state()), lambda snapshot: _find(snapshot, query))


def _find(snapshot: Snapshot[ModuleEntry], query: ModuleQuery) -> list[Entry[ModuleEntry]]:
    among = index.modules(snapshot, index.user_group(query.user)) if query.user is not None else snapshot.entries
    ranked = [(rank, entry) for entry in among.values() if (rank := _rank(entry, query)) is not None]
    orders = {
        "relevance": lambda found: (found[0], -downloads.total(found[1].value), found[1].key),
        "downloads": lambda found: (-downloads.total(found[1].value), found[1].key),
        "updated": lambda found: (-found[1].value.updated_at, found[1].key),
        "name": lambda found: (found[1].value.name, found[1].key),
    }
    return [entry for _, entry in sorted(ranked, key=orders[query.sort])]


def _rank(entry: Entry[ModuleEntry], query: ModuleQuery) -> int | None:
    """The rank of a module, 0 is best; None if it does not match."""
    value = entry.value
    if value.archived or (query.root is not None and query.root is not value.in_root):
        return None
    if query.label is not None and query.label not in value.labels:
        return None
    if query.lua is not None and not _runs_on(entry, query.lua):
        return None
    texts = entry.cached("texts", _texts)
    rank = 0
    for word in query.words:
        position = next((position for position, text in enumerate(texts) if word in text), None)
        if position is None:
            return None
        rank += position
    if not query.words or texts[0] == " ".join(query.words):
        return 0 if value.in_root else 1
    return 2 + 2 * rank + (0 if value.in_root else 1)


def _texts(entry: Entry[ModuleEntry]) -> tuple[str, ...]:
    """The searched texts, most relevant first."""
    value = entry.value
    texts = [value.name, value.summary or "", " ".join(value.labels), value.description or ""]
    return tuple(text.lower() for text in texts)


def _runs_on(entry: Entry[ModuleEntry], lua: str) -> bool:
    versions = entry.value.versions.values()
    return any(not each.archived and matches_lua(each.lua_version, lua) for each in versions)
