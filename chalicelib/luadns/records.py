"""Rules for records, and changes of one record."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from chalicelib import settings
from chalicelib.core import ids
from chalicelib.luadns import contents, engines, names, store, versions
from chalicelib.luadns.changes import ZoneEdit, retry
from chalicelib.luadns.problems import Problem, invalid
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Record, Zone, node_sk, record_sk

SEQUENCE = "luadns-record"
# The records that ask the parent zone to delete its DS records (RFC 8078), as `contents.canonical` returns them.
_UNSIGNED = {"CDS": "0000000000", "CDNSKEY": "0000030000"}
_MAX_TTL = 2**31 - 1  # RFC 2181


class _Wrong(Exception):
    """Type or content of a draft is wrong."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


@dataclass(frozen=True)
class Draft:
    """A record as a client sends it. `ttl` is in seconds; None means the existing TTL or the default one.

    A validated draft has the `canonical` form of its content.
    """

    name: str
    type: str
    content: str
    ttl: int | None = None
    external_id: str | None = None
    canonical: str | None = None

    @property
    def ttl_or_default(self) -> int:
        """The TTL of a new record, in seconds."""
        return settings.current().luadns_ttl if self.ttl is None else self.ttl


def create(owner: Owner, zone_id: int, draft: Draft, if_match: str | None) -> tuple[Zone, Record]:
    """Create a record. All changes raise NotFound, Invalid, Forbidden, Stale or Busy."""
    number = cache(lambda: ids.reserve(SEQUENCE))
    sks = _known_nodes(zone_id, draft)

    def attempt() -> tuple[Zone, Record]:
        zone, found = store.zone_with_items(owner, zone_id, sks)
        versions.require(if_match, zone)
        wanted = validate(zone, [draft])[0]
        reject_managed(zone, wanted.name, wanted.type, wanted.content)
        edit = ZoneEdit(zone, {sk: found.get(sk) for sk in sks})
        record = edit.add(number(), wanted.name, wanted.type, wanted.content, wanted.ttl_or_default, wanted.external_id)
        edit.commit(owner, "record.create", record=int(record.id))
        return zone, record

    return retry(zone_id, attempt)


def update(owner: Owner, zone_id: int, record_id: int, draft: Draft, if_match: str | None) -> tuple[Zone, Record]:
    """Set a record's name, type and content; its TTL and external id stay if the draft has none."""
    sks = _known_nodes(zone_id, draft)

    def attempt() -> tuple[Zone, Record]:
        zone, found = store.zone_with_items(owner, zone_id, [record_sk(zone_id, record_id), *sks])
        record = found.get(record_sk(zone_id, record_id))
        if not isinstance(record, Record):
            raise store.not_found("Record")
        versions.require(if_match, zone, record)
        wanted = validate(zone, [draft])[0]
        if is_kept(zone, record, wanted):
            return zone, record
        if not (record.type == wanted.type == "SOA" and is_apex(zone, wanted.name)):
            reject_managed(zone, record.name, record.type, record.content)
            reject_managed(zone, wanted.name, wanted.type, wanted.content)
        edit = ZoneEdit(zone, {sk: found.get(sk) for sk in sks})
        edit.load([record.name, wanted.name])
        edit.replace(record, **merged_values(wanted, record))
        edit.commit(owner, "record.update", record=record_id)
        return zone, record

    return retry(zone_id, attempt)


def delete(owner: Owner, zone_id: int, record_id: int, if_match: str | None) -> tuple[Zone, Record]:
    """Delete a record and return it."""

    def attempt() -> tuple[Zone, Record]:
        zone, record = store.record(owner, zone_id, record_id)
        versions.require(if_match, zone, record)
        reject_managed(zone, record.name, record.type, record.content)
        edit = ZoneEdit(zone)
        edit.remove(record)
        edit.commit(owner, "record.delete", record=record_id)
        return zone, record

    return retry(zone_id, attempt)


def rendered_content(zone: Zone, record: Record) -> str:
    """Return a record's content; a SOA has the zone's current serial."""
    return contents.with_serial(record.content, int(zone.serial)) if record.type == "SOA" else record.content


def in_listing_order(records: Sequence[Record]) -> list[Record]:
    """Sort records as the real server lists them: SOA and NS first, then by type, name and id."""
    first = {"SOA": 0, "NS": 1}
    return sorted(records, key=lambda record: (first.get(record.type, 2), record.type, record.name, record.id))


def validate(zone: Zone, drafts: Sequence[Draft], *, numbered: bool = False) -> list[Draft]:
    """Return the drafts with absolute names. Raises Invalid with all problems; `numbered` prefixes the list index."""
    good: list[Draft] = []
    problems: list[Problem] = []
    for index, draft in enumerate(drafts):
        found, name, canonical = [], "", None
        try:
            name = names.record_name(draft.name, zone.name)
            _check_place(zone, name, draft.type)
        except ValueError as error:
            found.append(Problem("name", str(error)))
        try:
            canonical = _canonical(draft)
            if draft.type in _UNSIGNED and canonical != _UNSIGNED[draft.type] and is_apex(zone, name):
                found.append(Problem("content", f"the zone is not signed: its {draft.type} can only be the deletion"))
        except _Wrong as wrong:
            found.append(wrong.problem)
        if draft.ttl is not None and not 0 <= draft.ttl <= _MAX_TTL:
            found.append(Problem("ttl", f"TTL must be between 0 and {_MAX_TTL}"))
        good.append(replace(draft, name=name, canonical=canonical))
        problems += [problem.within(index) if numbered else problem for problem in found]
    if problems:
        raise invalid(problems)
    return good


def merged_values(wanted: Draft, record: Record) -> dict[str, Any]:
    """Return a record's attributes after an update to the draft."""
    return {
        "name": wanted.name,
        "type": wanted.type,
        "content": wanted.content,
        "ttl": record.ttl if wanted.ttl is None else wanted.ttl,
        "external_id": record.external_id if wanted.external_id is None else wanted.external_id or None,
    }


def is_apex(zone: Zone, name: str) -> bool:
    """Whether an absolute name is the zone's apex."""
    return name.lower() == f"{zone.name}."


def is_managed(zone: Zone, name: str, type_: str, content: str | None = None) -> bool:
    """Whether the system manages a record: the SOA, and the NS records of our name servers at the apex.

    Other NS records at the apex, of a second provider, are the user's. Without a content: whether it could.
    """
    if type_ != "NS" or not is_apex(zone, name):
        return type_ == "SOA"
    if content is None or zone.name_servers is None:
        return True
    return contents.canonical("NS", content) in {contents.canonical("NS", server) for server in zone.name_servers}


def is_kept(zone: Zone, record: Record, wanted: Draft) -> bool:
    """Whether a change of a managed NS record has no effect: the same server, whose TTL is the system's."""
    same = record.name.lower() == wanted.name.lower() and record.type == wanted.type == "NS"
    return (
        same
        and is_managed(zone, record.name, record.type, record.content)
        and (contents.canonical("NS", record.content) == contents.canonical("NS", wanted.content))
    )


def reject_managed(zone: Zone, name: str, type_: str, content: str | None = None, index: int | None = None) -> None:
    """Raise Invalid for a record that the system manages; `index` is its place in a bulk request."""
    if is_managed(zone, name, type_, content):
        problem = Problem("type", f"{type_} records of the zone itself are managed by the system")
        raise invalid([problem if index is None else problem.within(index)])


def _known_nodes(zone_id: int, draft: Draft) -> list[str]:
    """The sort key of a draft's node, to be read with its zone; none for a name that is relative to the zone."""
    return [node_sk(zone_id, draft.name.lower())] if names.is_absolute(draft.name) else []


def _check_place(zone: Zone, name: str, type_: str) -> None:
    """Raise ValueError for a type that other name servers refuse at this name, with the whole zone."""
    if type_ == "NS" and name.startswith("*."):
        raise ValueError("NS records cannot be at a wildcard")
    if type_ == "DNAME" and name.startswith("*."):
        raise ValueError("a DNAME record cannot be at a wildcard")
    if type_ == "DS" and is_apex(zone, name):
        raise ValueError("the DS records of a zone are in its parent zone")


def _canonical(draft: Draft) -> str:
    """The canonical content of a valid draft. Raises _Wrong."""
    if not contents.is_type(draft.type):
        raise _Wrong(Problem("type", f"unsupported type {draft.type[:20]}"))
    limit = settings.current().luadns_max_content
    if len(draft.content.encode()) > limit:
        raise _Wrong(Problem("content", f"content has more than {limit} bytes"))
    try:
        canonical = contents.canonical(draft.type, draft.content)
    except ValueError as error:
        raise _Wrong(Problem("content", str(error))) from None
    if reason := engines.current().rejection_reason(draft.type, draft.content):
        raise _Wrong(Problem("content", reason))
    return canonical
