"""The forum's topics about packages, from a file that an administrator imports.

All topics are one blob, and the catalogue has its key: an import is one change regardless of their number, and no
request reads them one by one (docs/decisions/0018-topics.md).
"""

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson

from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot, TopicsEntry
from chalicelib.contentdb.store import index, rows
from chalicelib.contentdb.store.answers import cached
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.contentdb.store.tables import PACKAGE_TYPES, Topics
from chalicelib.contentdb.topics import file as topic_file
from chalicelib.contentdb.topics.file import Topic
from chalicelib.core import blobs
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.errors import Busy, NotFound
from chalicelib.core.storage import Transaction
from chalicelib.web.encoding import CachedBody
from chalicelib.web.request import Request
from chalicelib.web.response import canonical_json

ARGUMENTS = ("q", "type", "sort", "show_added", "limit")
_AREA = "contentdb/topics"

_SORTS: dict[str, Callable[[Topic], Any]] = {
    "name": lambda topic: (topic["is_wip"], topic["name"] is None, topic["name"] or "", topic["title"]),
    "views": lambda topic: -topic["views"],
    "created_at": lambda topic: topic["created_at"],
}


def list_topics(request: Request, snapshot: ContentDbSnapshot) -> CachedBody:
    """The topics that match a request, as JSON. Raises Invalid."""
    arguments = Arguments(request, ARGUMENTS)
    name = ("topics", arguments.key)
    return cached(snapshot, name, lambda snapshot: canonical_json(find(snapshot, arguments)) + b"\n")


def find(snapshot: ContentDbSnapshot, arguments: Arguments) -> list[Topic]:
    """The topics that match a query, in its order. Raises Invalid.

    Every word of `q` must be in the title, the name or the author, in any letter case. A topic counts as added if an
    approved package names it.
    """
    types = arguments.choices("type", PACKAGE_TYPES, "Unknown type")
    order = _SORTS[arguments.choice("sort", tuple(_SORTS)) or "name"]
    limit = arguments.number("limit") or None
    words = arguments.text("q").casefold().split()
    hidden: set[int | None] = (
        set() if "show_added" not in arguments or arguments.yes("show_added") else snapshot.cached("added", _added)
    )
    found = (
        topic
        for text, topic in _all(snapshot)
        if (not types or topic["type"] in types) and topic["id"] not in hidden and all(word in text for word in words)
    )
    return sorted(found, key=order)[:limit]


def replace(content: bytes) -> int:
    """Replace all topics by those of a file; return their number. Raises Invalid with the errors.

    Nothing is written unless every topic is valid.
    """
    found = topic_file.parse(content)
    blob = blobs.put(zlib.compress(orjson.dumps(found)), _AREA)

    def decide(snapshot: ContentDbSnapshot, writes: Transaction) -> tuple[Changes[ContentDbEntry], str | None]:
        writes.put(Topics("topics", "topics", blob=blob.key))
        return {index.TOPICS: TopicsEntry(blob=blob.key)}, index.topics_blob(snapshot)

    _, before = index.catalogue.publish(decide)
    if before not in (None, blob.key):
        blobs.delete(before)
    return len(found)


def _all(snapshot: ContentDbSnapshot) -> list[tuple[str, Topic]]:
    """Every topic, with the text that is searched."""
    blob = index.topics_blob(snapshot)
    return _read(blob) if blob else []


@lru_cache(maxsize=1)
def _read(key: str) -> list[tuple[str, Topic]]:
    try:
        topics = orjson.loads(zlib.decompress(blobs.get(key)))
    except NotFound:
        raise Busy("The topics are being replaced.", retry_after=1) from None
    return [(f"{topic['title']}\n{topic['name'] or ''}\n{topic['author']}".casefold(), topic) for topic in topics]


def _added(snapshot: ContentDbSnapshot) -> set[int | None]:
    return {row.forums for row in rows.of(snapshot).approved}
