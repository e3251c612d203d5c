"""The queue of what waits for moderators: its rows change in the transactions of the things that wait.

A thing has a row of its own, so that two changes of a package never write the same one. `inconsistencies` compares the
rows with the things, and makes the rows of things that older code stored.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from chalicelib.contentdb.store.moderation_tables import QUEUE, AbuseReport, Waiting
from chalicelib.contentdb.store.parts import Parts, gather
from chalicelib.contentdb.store.tables import (
    ContentDbItem,
    Counters,
    Package,
    Release,
    Review,
    Screenshot,
)
from chalicelib.core.declaration import Inconsistency
from chalicelib.core.storage import Transaction

_LONGEST = 200  # characters of a value in the list of changed metadata
Rows = dict[str, Waiting]


def every() -> list[Waiting]:
    """Everything that waits, oldest first, in one Query."""
    found = [item for item in ContentDbItem.query(QUEUE, consistent_read=True) if isinstance(item, Waiting)]
    return sorted(found, key=lambda row: (row.since, row.sk))


def of_parts(parts: Parts) -> Rows:
    """The rows of a package: the package that is ready for review, and its unapproved screenshots."""
    package = parts.package
    rows = {}
    if package.state == "READY_FOR_REVIEW":
        row = _row("package", int(package.id), package.key, package.title, package.author)
        since = package.submitted_at or package.created_at
        rows[row.sk] = _with(row, since=since, found=_found(parts), changed=package.changed)
    if package.state != "DELETED":
        for shot in parts.screenshots.values():
            if not shot.approved:
                row = _row("screenshot", int(shot.id), package.key, shot.title, package.author)
                rows[row.sk] = _with(row, since=shot.created_at)
    return rows


def update(writes: Transaction, before: Rows, after: Rows) -> None:
    """Add the writes that replace the rows of a package before its change."""
    for sk in before.keys() - after.keys():
        writes.delete(Waiting(QUEUE, sk))
    for sk, row in after.items():
        if sk not in before or before[sk].serialize() != row.serialize():
            writes.put(row)


def show_review(writes: Transaction, package: Package, review: Review, *, waited: bool) -> None:
    """Add the write that puts an unapproved review into the queue, or takes one out that waited before its change."""
    if not review.approved:
        writes.put(_of_review(package.key, review))
    elif waited:
        drop(writes, "review", int(review.id))


def put_report(writes: Transaction, report: AbuseReport) -> None:
    """Add the write that puts a report into the queue."""
    writes.put(_of_report(report))


def drop(writes: Transaction, thing: str, number: int) -> None:
    """Add the write that takes a thing out of the queue."""
    writes.delete(Waiting(QUEUE, _sk(thing, number)))


def changes_of(package: Package, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The attribute that remembers an edit since the last approval or the first submission; empty for a new draft.

    A field keeps its value of the beginning; one that returns to it is no change any more.
    """
    if not (package.approved_at or package.submitted_at):
        return {}
    changed = dict(package.changed or {})
    for name, value in fields.items():
        first = changed[name][0] if name in changed else _short(getattr(package, name))
        changed[name] = [first, _short(value)]
        if first == changed[name][1]:
            del changed[name]
    return {"changed": changed or None}


def inconsistencies() -> Iterator[Inconsistency]:
    """The things whose rows are missing, and the rows whose things do not wait."""
    expected, stored = _expected(), {row.sk for row in every()}
    for sk in sorted(expected.keys() ^ stored):
        message = "waits for moderators and is not in their queue" if sk in expected else "is in the queue needlessly"
        yield Inconsistency("moderation-queue", sk, message, partial(_mend, sk, expected.get(sk)))


def _expected() -> Rows:
    partitions: dict[str, list[ContentDbItem]] = {}
    reviews: list[Review] = []
    rows: Rows = {}
    for item in ContentDbItem.scan(consistent_read=True):
        if isinstance(item, Package | Counters | Release | Screenshot):
            partitions.setdefault(item.pk, []).append(item)
        elif isinstance(item, Review) and not item.approved:
            reviews.append(item)
        elif isinstance(item, AbuseReport) and not item.closed_at:
            rows[_sk("report", int(item.id))] = _of_report(item)
    keys = {}
    for parts in filter(None, map(gather, partitions.values())):
        keys[int(parts.package.id)] = parts.package.key
        rows |= of_parts(parts)
    for review in reviews:
        if int(review.package_id) in keys:
            rows[_sk("review", int(review.id))] = _of_review(keys[int(review.package_id)], review)
    return rows


def _mend(sk: str, row: Waiting | None) -> None:
    writes = Transaction()
    if row:
        writes.put(row)
    else:
        writes.delete(Waiting(QUEUE, sk))
    writes.commit()


def _of_review(package: str, review: Review) -> Waiting:
    row = _row("review", int(review.id), package, review.title, review.author)
    return _with(row, since=review.created_at)


def _of_report(report: AbuseReport) -> Waiting:
    row = _row("report", int(report.id), None, report.title, report.author)
    return _with(row, since=report.created_at)


def _row(thing: str, number: int, package: str | None, title: str, author: str) -> Waiting:
    return Waiting(QUEUE, _sk(thing, number), thing=thing, id=number, package=package, title=title, author=author)


def _with(row: Waiting, **values: Any) -> Waiting:
    row.assign(**values)
    return row


def _found(parts: Parts) -> dict[str, Any] | None:
    """What the check of the newest release found."""
    if not parts.releases:
        return None
    newest = parts.releases[max(parts.releases)]
    return {"release": int(newest.id), "error": newest.error, "warnings": list(newest.warnings or [])}


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[: _LONGEST - 1]}…"
    return value if value is None or isinstance(value, str | int | list | bool) else str(value)[:_LONGEST]


def _sk(thing: str, number: int) -> str:
    return f"{thing}#{number}"
