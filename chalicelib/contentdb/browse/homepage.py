"""The lists of packages on the site's homepage."""

import random
from collections.abc import Iterable
from typing import Any

from chalicelib.contentdb.browse import queries
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.packages import shapes
from chalicelib.contentdb.store import index, rows, versions
from chalicelib.contentdb.store.package_row import PackageRow
from chalicelib.contentdb.store.tables import PACKAGE_TYPES

_IN_SPOTLIGHT, _NEWEST, _POPULAR, _REVIEWED = 6, 4, 8, 4


def of(snapshot: ContentDbSnapshot, base: str) -> dict[str, Any]:
    """New, popular and other packages in short form; the spotlight is a random choice."""
    found = rows.of(snapshot).approved
    new = sorted(found, key=lambda row: row.approved_at, reverse=True)
    updated = sorted((row for row in found if row.releases), key=lambda row: row.released_at, reverse=True)
    best = sorted((row for row in found if any(row.reviews)), key=lambda row: row.score_reviews, reverse=True)
    lists = {
        "spotlight": _spotlight(snapshot, found),
        "new": new[:_NEWEST],
        "updated": updated[:_NEWEST],
        **{f"pop_{type_}": [row for row in found if row.type == type_][:_POPULAR] for type_ in PACKAGE_TYPES},
        "high_reviewed": best[:_REVIEWED],
    }
    return {
        "count": len(found),
        "downloads": sum(row.downloads for row in found),
        **{name: _short(snapshot, shown, base) for name, shown in lists.items()},
    }


def _spotlight(snapshot: ContentDbSnapshot, approved: Iterable[PackageRow]) -> list[PackageRow]:
    members = set(queries.members(snapshot, "ContentDB/spotlight"))
    found = [row for row in approved if row.key in members]
    return random.sample(found, min(len(found), _IN_SPOTLIGHT))


def _short(snapshot: ContentDbSnapshot, shown: Iterable[PackageRow], base: str) -> list[dict[str, Any]]:
    values = [entry.value for entry in index.Found(snapshot, [row.key for row in shown])]
    return [
        shapes.short(value, release=versions.newest_id(value), language="", promoted=False, base=base)
        for value in values
    ]
