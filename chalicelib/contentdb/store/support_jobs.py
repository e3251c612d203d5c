"""Enqueues the job that derives the supported games again, after a change on which they depend."""

from typing import Any

from chalicelib.contentdb.entry import PackageEntry
from chalicelib.core import jobs
from chalicelib.core.storage import Transaction

DERIVE = "contentdb-derive-games"
CONF = 10  # the confidence of a statement in a .conf; that of an edit is higher, and what dependencies say is lower


def enqueue_after(writes: Transaction, before: PackageEntry | None, after: PackageEntry | None) -> None:
    """Enqueue the job if a package's change can affect the games that it or its dependents support.

    None: the package is not in the catalogue.
    """
    if _inputs(before) == _inputs(after):
        return
    names = _names(before) | _names(after)
    formerly = _key(before) if before and after and _key(before) != _key(after) else None
    payload = {"package": _key(after) if after else None, "formerly": formerly, "names": sorted(names)}
    jobs.enqueue(writes, DERIVE, payload)


def _inputs(value: PackageEntry | None) -> Any:
    if value is None:
        return None
    stated = tuple(row for row in value.game_support if row.confidence >= CONF)
    approved = value.state == "APPROVED"
    return _key(value), value.type, approved, value.provides, value.depends, stated, value.supports_all_games


def _names(value: PackageEntry | None) -> set[str]:
    """The names by which other packages can depend on it."""
    return {_key(value), *value.provides} if value else set()


def _key(value: PackageEntry) -> str:
    return f"{value.author}/{value.name}"
