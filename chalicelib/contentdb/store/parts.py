"""A package with its counters, releases and screenshots, as stored."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from chalicelib.contentdb.store.tables import (
    ContentDbItem,
    Counters,
    HookToken,
    Package,
    Release,
    Screenshot,
    UpdateCheck,
    package_pk,
)
from chalicelib.core.errors import NotFound


@dataclass
class Parts:
    """A package with everything in its partition, as stored; releases and screenshots by id."""

    package: Package
    counters: Counters
    releases: dict[int, Release] = field(default_factory=dict)
    screenshots: dict[int, Screenshot] = field(default_factory=dict)
    hook_tokens: list[HookToken] = field(default_factory=list)
    update_check: UpdateCheck | None = None


def load_parts(package_id: int) -> Parts:
    """The parts of a package, in one strongly consistent Query; raises NotFound."""
    parts = gather(ContentDbItem.query(package_pk(package_id), consistent_read=True))
    if parts is None:
        raise NotFound("There is no such package.")
    return parts


def gather(items: Iterable[ContentDbItem]) -> Parts | None:
    """The parts among the items of one partition; None without a package."""
    package, counters = None, None
    releases, screenshots = {}, {}
    hook_tokens, update_check = [], None
    for item in items:
        if isinstance(item, Package):
            package = item
        elif isinstance(item, Counters):
            counters = item
        elif isinstance(item, Release):
            releases[int(item.id)] = item
        elif isinstance(item, Screenshot):
            screenshots[int(item.id)] = item
        elif isinstance(item, HookToken):
            hook_tokens.append(item)
        elif isinstance(item, UpdateCheck):
            update_check = item
    if package is None:
        return None
    counters = counters or Counters(package.pk, "counters")
    return Parts(package, counters, releases, screenshots, hook_tokens, update_check)
