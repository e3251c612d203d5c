"""Bulk changes of records. Each change is atomic."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.core import ids
from chalicelib.luadns import contents, names, records, store, versions
from chalicelib.luadns.changes import ZoneEdit, retry
from chalicelib.luadns.problems import Problem, invalid
from chalicelib.luadns.records import Draft
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Record, Zone

Values = tuple[str | None, str | None, int | None]  # type, content, ttl


@dataclass(frozen=True)
class Pattern:
    """Selects the records at a name whose other fields are equal; None matches any value."""

    name: str
    type: str | None = None
    content: str | None = None
    ttl: int | None = None

    @property
    def values(self) -> Values:
        """The values that a selected record has; None for any value. A content with its type stands for its meaning."""
        return self.type, _meaning(self.type, self.content) if self.content else None, self.ttl


def create_many(owner: Owner, zone_id: int, drafts: Sequence[Draft], if_match: str | None) -> tuple[Zone, list[Record]]:
    """Create records. Raises the same errors as `records.create`."""

    def decide(edit: ZoneEdit) -> list[Record]:
        wanted = records.validate(edit.zone, drafts, numbered=True)
        for index, draft in enumerate(wanted):
            records.reject_managed(edit.zone, draft.name, draft.type, draft.content, index)
        edit.load(draft.name for draft in wanted)
        return add_all(edit, dict(enumerate(wanted)))

    return _change(owner, zone_id, "record.create_many", if_match, decide)


def set_many(owner: Owner, zone_id: int, drafts: Sequence[Draft], if_match: str | None) -> tuple[Zone, list[Record]]:
    """Replace the record sets of every name and type among the drafts; other record sets stay."""

    def decide(edit: ZoneEdit) -> list[Record]:
        wanted = records.validate(edit.zone, drafts, numbered=True)
        edit.load(draft.name for draft in wanted)
        sets = {(draft.name.lower(), draft.type) for draft in wanted}
        rows = [row for name, type_ in sorted(sets) for row in edit.rows(name) if row.type == type_]
        existing = list(store.records(edit.zone, [row.id for row in rows]).values())
        return reconcile(edit, existing, dict(enumerate(wanted)))

    return _change(owner, zone_id, "record.set_many", if_match, decide)


def delete_many(
    owner: Owner, zone_id: int, patterns: Sequence[Pattern], if_match: str | None
) -> tuple[Zone, list[Record]]:
    """Delete the records that match a pattern and return them.

    Records that the system manages stay; a pattern that names their type raises Invalid.
    """

    def decide(edit: ZoneEdit) -> list[Record]:
        absolute = _absolute(edit.zone, patterns)
        edit.load(name for name, _ in absolute)
        for index, (name, pattern) in enumerate(absolute):
            if pattern.type:
                records.reject_managed(edit.zone, name, pattern.type, pattern.content, index)
        selected = _select(edit, absolute)
        deleted = [record for _, record in sorted(store.records(edit.zone, selected).items())]
        for record in deleted:
            edit.remove(record)
        return deleted

    return _change(owner, zone_id, "record.delete_many", if_match, decide)


def add_all(edit: ZoneEdit, wanted: Mapping[int, Draft], first: int | None = None) -> list[Record]:
    """Add the drafts, by their index in the request, to the zone; return the new records in their order.

    Their ids begin with `first`; by default they are reserved.
    """
    number = ids.reserve(records.SEQUENCE, len(wanted)) if wanted and first is None else first or 0
    added = []
    for place, (index, draft) in enumerate(wanted.items()):
        name, type_, content = draft.name, draft.type, draft.content
        added.append(edit.add(number + place, name, type_, content, draft.ttl_or_default, draft.external_id))
        edit.place(added[-1], index)
    return added


def reconcile(
    edit: ZoneEdit, existing: Iterable[Record], wanted: Mapping[int, Draft], first: int | None = None
) -> list[Record]:
    """Change the existing records into the wanted ones, by index in the request; return these in the drafts' order.

    The ids of new records begin with `first`; by default they are reserved.

    A record with an equivalent draft keeps its id. Records that the system manages may be in both if they are equal.
    """
    unmatched = {_identity(record): record for record in existing}
    kept: dict[int, Record] = {}
    new: dict[int, Draft] = {}
    for index, draft in wanted.items():
        record = unmatched.pop(_identity(draft), None)
        if record is None:
            records.reject_managed(edit.zone, draft.name, draft.type, draft.content, index)
            new[index] = draft
            continue
        kept[index] = record
        if records.is_kept(edit.zone, record, draft):
            continue
        values = records.merged_values(draft, record)
        if any(getattr(record, name) != value for name, value in values.items()):
            records.reject_managed(edit.zone, draft.name, draft.type, draft.content, index)
            edit.replace(record, **values)
            edit.place(record, index)
    for record in unmatched.values():
        records.reject_managed(edit.zone, record.name, record.type, record.content)
        edit.remove(record)
    kept.update(zip(new, add_all(edit, new, first), strict=True))
    return [kept[index] for index in wanted]


def _select(edit: ZoneEdit, patterns: Iterable[tuple[str, Pattern]]) -> set[int]:
    """The ids of the records that a pattern selects, except those that the system manages.

    The records at a name are read once for each combination of fields that its patterns have, so that thousands of
    patterns for thousands of records at one name take no product of both.
    """
    by_name: dict[str, set[Values]] = defaultdict(set)
    for name, pattern in patterns:
        by_name[name.lower()].add(pattern.values)
    selected = set()
    for name, wanted in by_name.items():
        masks = {(type_ is not None, content is not None, ttl is not None) for type_, content, ttl in wanted}
        for row in edit.rows(name):
            spelled = (row.type, row.content, row.ttl)
            meant = (row.type, _meaning(row.type, row.content), row.ttl)
            matches = any(_masked(meant if mask[0] else spelled, mask) in wanted for mask in masks)
            if matches and not records.is_managed(edit.zone, name, row.type, row.content):
                selected.add(row.id)
    return selected


def _meaning(type_: str | None, content: str) -> str:
    """A text that is equal for all spellings of the content, if the type is known and the content valid."""
    try:
        return contents.canonical(type_, content) if type_ else content
    except ValueError:
        return content


def _masked(values: Values, mask: tuple[bool, bool, bool]) -> Values:
    """The values with None for those outside of the mask."""
    type_, content, ttl = values
    return type_ if mask[0] else None, content if mask[1] else None, ttl if mask[2] else None


def _identity(record: Record | Draft) -> tuple[str, str, str]:
    """The key that is unique among the records of a zone."""
    known = record.canonical if isinstance(record, Draft) else None
    return record.name.lower(), record.type, known or contents.canonical(record.type, record.content)


def _change(
    owner: Owner, zone_id: int, action: str, if_match: str | None, decide: Callable[[ZoneEdit], list[Record]]
) -> tuple[Zone, list[Record]]:
    def attempt() -> tuple[Zone, list[Record]]:
        zone = store.zone(owner, zone_id)
        versions.require(if_match, zone)
        edit = ZoneEdit(zone)
        changed = decide(edit)
        edit.commit(owner, action, records=len(changed))
        return zone, changed

    return retry(zone_id, attempt)


def _absolute(zone: Zone, patterns: Sequence[Pattern]) -> list[tuple[str, Pattern]]:
    named: list[tuple[str, Pattern]] = []
    problems: list[Problem] = []
    for index, pattern in enumerate(patterns):
        try:
            named.append((names.record_name(pattern.name, zone.name), pattern))
        except ValueError as error:
            problems.append(Problem(f"{index}.name", str(error)))
    if problems:
        raise invalid(problems)
    return named
