"""Many records in one change, which happens as a whole or not at all."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chalicelib.core import ids
from chalicelib.luadns import contents, names, records, store, versions
from chalicelib.luadns.changes import Edit, Row, retried
from chalicelib.luadns.problems import Problem, refusal
from chalicelib.luadns.records import Draft
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Record, Zone

Place = tuple[str, str]  # a name in lower case, and a type


@dataclass(frozen=True)
class Pattern:
    """Which records to delete: all at a name whose other fields are as given; None is any."""

    name: str
    type: str | None = None
    content: str | None = None
    ttl: int | None = None

    def fits(self, row: Row) -> bool:
        """Whether a record at the name is meant."""
        given = (self.type, row.type), (self.content, row.content), (self.ttl, row.ttl)
        return all(wanted is None or wanted == has for wanted, has in given)


def create_many(owner: Owner, zone_id: int, drafts: Sequence[Draft], if_match: str | None) -> tuple[Zone, list[Record]]:
    """Make records."""

    def decide(edit: Edit) -> list[Record]:
        wanted = records.checked(edit.zone, drafts, numbered=True)
        for draft in wanted:
            records.refuse_managed(edit.zone, draft.name, draft.type)
        edit.load(draft.name for draft in wanted)
        return add_all(edit, wanted)

    return _change(owner, zone_id, "record.create_many", if_match, decide)


def set_many(owner: Owner, zone_id: int, drafts: Sequence[Draft], if_match: str | None) -> tuple[Zone, list[Record]]:
    """Make the records of every name and type that is among the drafts exactly those; the others stay."""

    def decide(edit: Edit) -> list[Record]:
        wanted = records.checked(edit.zone, drafts, numbered=True)
        edit.load(draft.name for draft in wanted)
        places = {(draft.name.lower(), draft.type) for draft in wanted}
        there = [row for name, type_ in sorted(places) for row in edit.rows(name) if row.type == type_]
        existing = list(store.records(edit.zone, [row.id for row in there]).values())
        return reconcile(edit, existing, wanted)

    return _change(owner, zone_id, "record.set_many", if_match, decide)


def delete_many(
    owner: Owner, zone_id: int, patterns: Sequence[Pattern], if_match: str | None
) -> tuple[Zone, list[Record]]:
    """Drop what fits a pattern; what the system manages is left alone, unless it is asked for by its type."""

    def decide(edit: Edit) -> list[Record]:
        absolute = _absolute(edit.zone, patterns)
        edit.load(name for name, _ in absolute)
        doomed: set[int] = set()
        for name, pattern in absolute:
            if pattern.type:
                records.refuse_managed(edit.zone, name, pattern.type)
            rows = [row for row in edit.rows(name) if not records.is_managed(edit.zone, name, row.type)]
            doomed.update(row.id for row in rows if pattern.fits(row))
        gone = [record for _, record in sorted(store.records(edit.zone, doomed).items())]
        for record in gone:
            edit.remove(record)
        return gone

    return _change(owner, zone_id, "record.delete_many", if_match, decide)


def add_all(edit: Edit, wanted: Sequence[Draft]) -> list[Record]:
    """Make all these records."""
    first = ids.reserve(records.SEQUENCE, len(wanted)) if wanted else 0
    return [
        edit.add(first + index, draft.name, draft.type, draft.content, draft.lifetime, draft.external_id)
        for index, draft in enumerate(wanted)
    ]


def reconcile(edit: Edit, existing: Iterable[Record], wanted: Sequence[Draft]) -> list[Record]:
    """Make the existing records those that are wanted, and return these in their order.

    A record that means the same keeps its id. What the system manages may be among both, if it is the same in both.
    """
    stock = {_meaning(record): record for record in existing}
    kept: dict[int, Record] = {}
    new: dict[int, Draft] = {}
    for index, draft in enumerate(wanted):
        record = stock.pop(_meaning(draft), None)
        if record is None:
            records.refuse_managed(edit.zone, draft.name, draft.type)
            new[index] = draft
            continue
        kept[index] = record
        values = records.values_of(draft, record)
        if any(getattr(record, name) != value for name, value in values.items()):
            records.refuse_managed(edit.zone, draft.name, draft.type)
            edit.replace(record, **values)
    for record in stock.values():
        records.refuse_managed(edit.zone, record.name, record.type)
        edit.remove(record)
    kept.update(zip(new, add_all(edit, list(new.values())), strict=True))
    return [kept[index] for index in range(len(wanted))]


def _meaning(record: Record | Draft) -> tuple[str, str, str]:
    """What two records of a zone must not have in common."""
    return record.name.lower(), record.type, contents.canonical(record.type, record.content)


def _change(
    owner: Owner, zone_id: int, action: str, if_match: str | None, decide: Callable[[Edit], list[Record]]
) -> tuple[Zone, list[Record]]:
    def once() -> tuple[Zone, list[Record]]:
        zone = store.zone(owner, zone_id)
        versions.require(if_match, zone)
        edit = Edit(zone)
        changed = decide(edit)
        edit.commit(owner, action, records=len(changed))
        return zone, changed

    return retried(zone_id, once)


def _absolute(zone: Zone, patterns: Sequence[Pattern]) -> list[tuple[str, Pattern]]:
    named: list[tuple[str, Pattern]] = []
    problems: list[Problem] = []
    for index, pattern in enumerate(patterns):
        try:
            named.append((names.record_name(pattern.name, zone.name), pattern))
        except ValueError as error:
            problems.append(Problem(f"{index}.name", str(error)))
    if problems:
        raise refusal(problems)
    return named
