"""Pages of lists."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Cursor = TypeVar("Cursor")

PAGE = 50


def cut(found: Iterable[Item], most: int, cursor: Callable[[Item], Cursor]) -> tuple[list[Item], Cursor | None]:
    """The first `most` of `most` + 1 found items, and the next page's cursor; None if there are no more."""
    items = list(islice(found, most + 1))
    return items[:most], (cursor(items[most - 1]) if len(items) > most else None)
