"""Lists as clients ask for them: filtered, sorted, and cut into pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What part of a list is wanted. `limit` 0 is all of it; pages start at 1."""

    query: str = ""
    sort_by: str | None = None
    descending: bool = False
    limit: int = 0
    page: int = 1


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of what fits, and how many there are in all."""

    items: Sequence[T]
    options: Options
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are, of which an empty list has one."""
        return max(1, -(-self.total // self.options.limit)) if self.options.limit else 1


def cut(
    items: Sequence[T],
    options: Options,
    columns: Mapping[str, Callable[[T], Any]],
    searched: Callable[[T], str],
) -> Page[T]:
    """The page that `options` want: of the items that have the query in their text, in any letter case."""
    wanted = options.query.lower()
    fitting = [item for item in items if wanted in searched(item).lower()] if wanted else [*items]
    if options.sort_by:
        fitting.sort(key=columns[options.sort_by], reverse=options.descending)
    elif options.descending:
        fitting.reverse()
    total = len(fitting)
    if options.limit:
        start = (options.page - 1) * options.limit
        fitting = fitting[start : start + options.limit]
    elif options.page > 1:
        fitting = []
    return Page(fitting, options, total)
