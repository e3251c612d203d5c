"""Lists by pages."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Cursor = TypeVar("Cursor")

PAGE = 50


def cut(found: Iterable[Item], most: int, cursor: Callable[[Item], Cursor]) -> tuple[list[Item], Cursor | None]:
    """The first `most` of what was found, where one more was asked for; and the next page's cursor, if there is one."""
    items = list(islice(found, most + 1))
    return items[:most], (cursor(items[most - 1]) if len(items) > most else None)
