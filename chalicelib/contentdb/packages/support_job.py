"""The job that derives the supported games of packages again, after one on which they depend has changed."""

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot, GameSupport, PackageEntry
from chalicelib.contentdb.packages import support
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.support_jobs import CONF
from chalicelib.contentdb.store.tables import Package, package_pk
from chalicelib.core import jobs
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.storage import Transaction

_BATCH = 40  # packages that one transaction changes, with two writes each


def derive(job: Mapping[str, Any]) -> None:
    """Derive the games of a changed package, and of all that need it. See `store.support_jobs` for the payload.

    All of them are derived from one state of the catalogue. They are changed together, or in groups of 40.
    """

    def decide(snapshot: ContentDbSnapshot, writes: Transaction) -> tuple[Changes[ContentDbEntry], bool]:
        found = dict(_derived(snapshot, job))
        batch = dict(list(found.items())[:_BATCH])
        for value in batch.values():
            changed = Package(package_pk(value.id), "package")
            writes.update(changed, changed.assign(game_support=_stored(value.game_support)), Package.pk.exists())
        return {**batch}, len(found) > _BATCH

    while index.catalogue.publish(decide)[1]:
        if jobs.time_left() <= 0:
            raise jobs.Reschedule(0, job)


def _stored(rows: Iterable[GameSupport]) -> list[dict[str, Any]] | None:
    """Rows of game support as a package stores them."""
    return [{"game": row.game, "supports": row.supports, "confidence": row.confidence} for row in rows] or None


def _derived(snapshot: ContentDbSnapshot, job: Mapping[str, Any]) -> Iterable[tuple[str, PackageEntry]]:
    """The affected packages whose games change, with their new values."""
    affected = support.dependents(snapshot, job["names"]) | {job["package"]}
    renamed = {job["formerly"]: job["package"]} if job["formerly"] else {}
    affected |= support.naming(snapshot, renamed)
    found = {key: entry for key in sorted(filter(None, affected)) if (entry := index.find(snapshot, key))}
    mods = [key for key, entry in found.items() if entry.value.type == "mod"]
    possible = support.possible_games(snapshot, mods)
    for key, entry in found.items():
        rows = _rows(entry.value, possible.get(key), renamed)
        if rows != entry.value.game_support:
            yield key, replace(entry.value, game_support=rows)


def _rows(value: PackageEntry, possible: support.Games, renamed: Mapping[str, str]) -> tuple[GameSupport, ...]:
    """What the author stated, and the other games that are possible."""
    stated = [row for row in value.game_support if row.confidence >= CONF]
    stated = [replace(row, game=renamed.get(row.game, row.game)) for row in stated]
    named = {row.game for row in stated}
    detected = [
        GameSupport(game=game, supports=True, confidence=support.DETECTED) for game in (possible or frozenset()) - named
    ]
    return tuple(sorted([*stated, *detected], key=lambda row: row.game))
