"""Responses that are cached until the catalogue or the published counts change."""

from collections.abc import Callable, Hashable

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.store import popularity
from chalicelib.web.encoding import CachedBody


def cached(snapshot: ContentDbSnapshot, name: Hashable, build: Callable[[ContentDbSnapshot], bytes]) -> CachedBody:
    """The response called `name`, built at its first request; its ETag and its compressed form are cached with it."""
    return snapshot.lru_cached((name, popularity.state()), lambda snapshot: CachedBody(build(snapshot)), len)
