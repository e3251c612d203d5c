"""The jobs that fold catalogues and counters: one catalogue after every 256 changes, and all once a day.

Another one stores the days of counters.
"""

from collections.abc import Mapping

from chalicelib.core import registry
from chalicelib.core.catalogues import days


def fold_one(payload: Mapping[str, str]) -> None:
    """The job catalogue.FOLD: fold the catalogue that the payload names."""
    registry.current().catalogues[payload["name"]].fold()


def fold_all() -> None:
    """Delete old snapshots of all catalogues, also of those that no publish folds."""
    for catalogue in registry.current().catalogues.values():
        catalogue.fold()


def fold_counters() -> None:
    """Write a new base of all counters."""
    for counters in registry.current().counters.values():
        counters.fold()


def store_days() -> None:
    """Store what was added to counters on the days that have ended."""
    for counters in registry.current().counters.values():
        if counters.total:
            days.store(counters.name)
