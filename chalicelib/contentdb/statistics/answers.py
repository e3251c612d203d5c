"""Cached JSON bodies of statistics; they are built again when the packages or the counts change."""

from datetime import date

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.statistics import history
from chalicelib.contentdb.store import popularity
from chalicelib.contentdb.store.answers import cached
from chalicelib.web.encoding import CachedBody
from chalicelib.web.response import canonical_json


def package_stats(snapshot: ContentDbSnapshot) -> CachedBody:
    """The downloads of all packages on each of the last 30 days."""
    recent, last = history.recent.counts(), popularity.today()
    name = ("package-stats", recent.sequence, last)
    return cached(snapshot, name, lambda snapshot: canonical_json(history.of_all(snapshot, recent, last)) + b"\n")


def user_stats(snapshot: ContentDbSnapshot, username: str, first: date, last: date) -> CachedBody:
    """The statistics of a user's packages."""
    recent, older = history.recent.counts(), history.older(username, first, last)

    def build(snapshot: ContentDbSnapshot) -> bytes:
        return canonical_json(history.of_user(snapshot, recent, older, username, first, last)) + b"\n"

    return cached(snapshot, ("user-stats", username, first, last, recent.sequence, hash(tuple(older))), build)
