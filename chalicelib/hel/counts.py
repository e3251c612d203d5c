"""CounterSet of package views and file downloads: each use is counted at once, and a job publishes it for the lists."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial

from chalicelib.core.catalogues import days
from chalicelib.core.catalogues.counters import CounterSet
from chalicelib.core.errors import Full
from chalicelib.core.storage import Transaction
from chalicelib.hel.tables import Count

_PARTITIONS = "0123456789abcdef"


def start(name: str, blob: str | None = None) -> Count:
    """A new counter, to put into a transaction."""
    return Count(_partition(name), name, total=0, blob=blob)


def add(name: str) -> Count | None:
    """Count one use and return the counter; None if there is no such counter."""
    item = Count(_partition(name), name)
    try:
        counted, count = counters.count(name, item, [Count.total.add(1)], Count.pk.exists())
    except Full:  # packages and files stay readable; this use is not stored
        counted, count = True, Count.find(item.pk, item.sk)
        if count:
            count.total = int(count.total) + 1
    return count if counted else None


def existing(names: Collection[str]) -> set[str]:
    """The names of which there is a counter."""
    return {count.sk for count in _items(names)} if names else set()


def published(name: str) -> int:
    """The published number of uses."""
    return counters.counts().get(name) or 0


def by_day(names: Collection[str]) -> dict[str, int]:
    """The uses on each day with any, before today, of several counters together."""
    found: Counter[str] = Counter()
    for name in names:
        found.update(days.of(counters.name, name))
    return dict(sorted(found.items()))


def state() -> int:
    """A number that changes whenever published counts change."""
    return counters.counts().sequence


def delete(writes: Transaction, name: str) -> None:
    """Delete a counter in a transaction; the published number is deleted too."""
    writes.delete(Count(_partition(name), name))
    writes.then(partial(counters.mark, name))
    writes.then(partial(days.delete, counters.name, name))


def totals() -> Iterator[tuple[str, int]]:
    """All counts, by name."""
    for digit in _PARTITIONS:
        for count in Count.query(f"counts#{digit}", consistent_read=True):
            yield count.sk, int(count.total)


def package(key: str) -> str:
    """The name of a package's counter; `key` is the package's key in the catalogue."""
    return f"package#{key}"


def file(owner: str, sha256: str) -> str:
    """The name of a stored file's counter."""
    return f"file#{owner.lower()}/{sha256}"


def _read(names: Collection[str]) -> dict[str, int]:
    return {count.sk: int(count.total) for count in _items(names) if count.total}


def _items(names: Collection[str]) -> Iterator[Count]:
    return Count.batch_get([(_partition(name), name) for name in names], consistent_read=True)


def _everything() -> Iterator[tuple[str, int]]:
    return ((name, total) for name, total in totals() if total)


def _partition(name: str) -> str:
    return f"counts#{hashlib.sha256(name.encode()).hexdigest()[0]}"


counters: CounterSet[int] = CounterSet("hel", int, read=_read, everything=_everything, total=int)
