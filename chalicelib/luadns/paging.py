"""Pagination: lists are filtered, sorted and cut into pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class ListOptions:
    """The query, sort order and page of a list request. `limit` 0 means the whole list; pages start at 1."""

    query: str = ""
    sort_by: str | None = None
    descending: bool = False
    limit: int = 0
    page: int = 1


EVERYTHING = ListOptions()


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of the matching items; `total` counts all matching items."""

    items: Sequence[T]
    options: ListOptions
    total: int

    @property
    def page_count(self) -> int:
        """The number of pages, at least 1."""
        return max(1, -(-self.total // self.options.limit)) if self.options.limit else 1


def paginate(
    items: Sequence[T],
    options: ListOptions,
    columns: Mapping[str, Callable[[T], Any]],
    searched: Callable[[T], str],
) -> Page[T]:
    """Return the requested page. An item matches if its `searched` text contains the query in any letter case."""
    query = options.query.lower()
    matching = [item for item in items if query in searched(item).lower()] if query else [*items]
    if options.sort_by:
        matching.sort(key=columns[options.sort_by], reverse=options.descending)
    elif options.descending:
        matching.reverse()
    total = len(matching)
    if options.limit:
        start = (options.page - 1) * options.limit
        matching = matching[start : start + options.limit]
    elif options.page > 1:
        matching = []
    return Page(matching, options, total)
