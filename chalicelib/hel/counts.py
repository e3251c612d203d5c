"""Counters of package views and file downloads. Each use is counted at once; lists show the counts after a refresh."""

import hashlib
from collections.abc import Iterable

from chalicelib.core.errors import Full
from chalicelib.hel.tables import Count

_PARTITIONS = "0123456789abcdef"


def start(name: str, blob: str | None = None) -> Count:
    """A new counter, to put into a transaction."""
    return Count(_partition(name), name, total=0, blob=blob)


def find(name: str) -> Count:
    """The counter's key as an item, to delete it."""
    return Count(_partition(name), name)


def add(name: str) -> Count | None:
    """Count one use and return the counter; None if there is no such counter."""
    item = find(name)
    try:
        counted, count = item.update_or_read([Count.total.add(1)], Count.pk.exists())
    except Full:  # packages and files stay readable; this use is not stored
        counted, count = True, Count.find(item.pk, item.sk)
        if count:
            count.total = int(count.total) + 1
    return count if counted else None


def totals() -> dict[str, int]:
    """All counts."""
    items = (count for digit in _PARTITIONS for count in Count.query(f"counts#{digit}"))
    return totals_of(items)


def totals_of(items: Iterable[Count]) -> dict[str, int]:
    """The counts of these items."""
    return {count.sk: int(count.total) for count in items}


def package(key: str) -> str:
    """The name of a package's counter; `key` is the package's key in the catalogue."""
    return f"package#{key}"


def file(owner: str, sha256: str) -> str:
    """The name of a stored file's counter."""
    return f"file#{owner.lower()}/{sha256}"


def _partition(name: str) -> str:
    return f"counts#{hashlib.sha256(name.encode()).hexdigest()[0]}"
