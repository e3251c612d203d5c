"""The lists of packages on the site's homepage."""

import random
from typing import Any

from chalicelib.contentdb.browse import queries
from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import shapes
from chalicelib.contentdb.store import index, versions
from chalicelib.contentdb.store.tables import PACKAGE_TYPES
from chalicelib.core.snapshots import Entry

_IN_SPOTLIGHT, _NEWEST, _POPULAR, _REVIEWED = 6, 4, 8, 4


def of(snapshot: ContentDbSnapshot, base: str) -> dict[str, Any]:
    """New, popular and other packages in short form; the spotlight is a random choice."""
    found = index.approved(snapshot)
    new = sorted(found, key=lambda entry: entry.value.approved_at or "", reverse=True)
    released = [entry for entry in found if entry.value.releases]
    updated = sorted(released, key=lambda entry: entry.value.releases[0].created_at, reverse=True)
    reviewed = [entry for entry in found if any(entry.value.reviews)]
    best = sorted(reviewed, key=lambda entry: entry.value.score_reviews, reverse=True)
    lists = {
        "spotlight": _spotlight(snapshot, found),
        "new": new[:_NEWEST],
        "updated": updated[:_NEWEST],
        **{f"pop_{type_}": _of_type(found, type_)[:_POPULAR] for type_ in PACKAGE_TYPES},
        "high_reviewed": best[:_REVIEWED],
    }
    return {
        "count": len(found),
        "downloads": sum(entry.value.downloads for entry in found),
        **{name: [_short(entry, base) for entry in entries] for name, entries in lists.items()},
    }


def _spotlight(snapshot: ContentDbSnapshot, approved: list[Entry[PackageEntry]]) -> list[Entry[PackageEntry]]:
    members = set(queries.members(snapshot, "ContentDB/spotlight"))
    found = [entry for entry in approved if entry.key in members]
    return random.sample(found, min(len(found), _IN_SPOTLIGHT))


def _of_type(entries: list[Entry[PackageEntry]], type_: str) -> list[Entry[PackageEntry]]:
    return [entry for entry in entries if entry.value.type == type_]


def _short(entry: Entry[PackageEntry], base: str) -> dict[str, Any]:
    release = versions.newest_id(entry.value)
    return shapes.short(entry.value, release=release, language="", promoted=False, base=base)
