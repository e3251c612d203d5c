"""Answers that stay cached until the catalogue changes."""

from collections.abc import Callable, Hashable

from chalicelib.core.snapshots import Snapshot
from chalicelib.web.encoding import Kept


def kept(snapshot: Snapshot, name: Hashable, build: Callable[[Snapshot], bytes]) -> Kept:
    """The answer called `name`, built at its first request; its ETag and its compressed form are cached with it."""
    return snapshot.remember(name, lambda snapshot: Kept(build(snapshot)), len)
