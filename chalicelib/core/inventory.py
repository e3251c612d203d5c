"""What lies where: which blobs and secrets the stored items hold. Each service says so for its own table.

`moonbase export` carries what is said here, and `moonbase fsck` goes by it. What nobody claims is never removed.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core.storage import Item

BlobsOf = Callable[[Any], Iterable[str | None]]


@dataclass(frozen=True)
class Fault:
    """Something stored that cannot be right: its kind, what it is about, what is wrong, and what would mend it."""

    kind: str
    subject: str
    message: str
    fix: Callable[[], object] | None = field(default=None, compare=False)


@dataclass
class Holding:
    """What the items of one table hold: blobs, in areas that are theirs alone; and sealed attributes."""

    areas: tuple[str, ...] = ()
    blobs_of: BlobsOf = field(default=lambda item: ())
    sealed: set[str] = field(default_factory=set)


_holdings: dict[type[Item], Holding] = {}
_checks: list[Callable[[], Iterable[Fault]]] = []


def of(model: type[Item]) -> Holding:
    """What is known of a table, by the model of all its items."""
    return _holdings.setdefault(model, Holding())


def holds(model: type[Item], *areas: str) -> Callable[[BlobsOf], BlobsOf]:
    """Declare what tells the keys of the blobs that an item of a table needs (None is no key).

    Every blob in these `areas` that no item names is forgotten, and may be removed after a day.
    """

    def declare(blobs_of: BlobsOf) -> BlobsOf:
        holding = of(model)
        holding.areas, holding.blobs_of = areas, blobs_of
        return blobs_of

    return declare


def seals(model: type[Item], attribute: str) -> None:
    """Declare that an attribute, where a table's items have it, is sealed for the item's `pk`, see sealing.seal."""
    of(model).sealed.add(attribute)


def checks(check: Callable[[], Iterable[Fault]]) -> Callable[[], Iterable[Fault]]:
    """Declare a check of a service's own, for `fsck` to run."""
    _checks.append(check)
    return check


def own_faults() -> Iterator[Fault]:
    """What the services' own checks find."""
    for check in _checks:
        yield from check()


def areas() -> tuple[str, ...]:
    """Every claimed area, as the beginning of its blobs' keys."""
    return tuple(f"{area}/" for holding in _holdings.values() for area in holding.areas)
