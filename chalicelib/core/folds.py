"""The jobs that fold catalogues and counters: one catalogue after every 256 changes, and all once a day."""

from collections.abc import Mapping

from chalicelib.core import registry


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
