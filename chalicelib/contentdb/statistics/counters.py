"""The counters of packages: read in batches, and written to the catalogue with one change."""

from collections.abc import Collection

from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import Counters, package_pk
from chalicelib.core.catalogue import Changes


def find(package_id: int) -> Counters | None:
    """The stored counters of a package, or None."""
    return Counters.find(package_pk(package_id), "counters")


def of(package_ids: Collection[int]) -> dict[int, Counters]:
    """The counters of packages by id, a hundred per call."""
    by_pk = {package_pk(number): number for number in package_ids}
    found = Counters.batch_get([(pk, "counters") for pk in by_pk], consistent_read=True) if by_pk else ()
    return {by_pk[counters.pk]: counters for counters in found}


def refresh(package_ids: Collection[int]) -> None:
    """Update the counters of these packages in the catalogue."""
    stored = of(package_ids)

    def update(snapshot: ContentDbSnapshot) -> Changes[ContentDbEntry]:
        changes: Changes[ContentDbEntry] = {}
        for number, counters in stored.items():
            entry = index.by_id(snapshot).get(number)
            if entry is not None:
                value = index.with_counters(entry.value, counters)
                changes |= {entry.key: value} if value != entry.value else {}
        return changes

    index.catalogue.refresh(update)


def refresh_all() -> None:
    """Update all counters in the catalogue, including those whose earlier update failed."""
    refresh(index.by_id(index.catalogue.snapshot()))
