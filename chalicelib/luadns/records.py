"""Records, one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from chalicelib import settings
from chalicelib.core import ids
from chalicelib.luadns import contents, engines, names, store, versions
from chalicelib.luadns.changes import Edit, retried
from chalicelib.luadns.problems import Problem, refusal, refuse
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Record, Zone, node_sk

SEQUENCE = "luadns-record"
_LONGEST_TTL = 2**31 - 1  # RFC 2181


@dataclass(frozen=True)
class Draft:
    """A record as a client wants it. `ttl` is in seconds, None for what it is already or the usual one."""

    name: str
    type: str
    content: str
    ttl: int | None = None
    external_id: str | None = None

    @property
    def lifetime(self) -> int:
        """The TTL of a new record."""
        return settings.current().luadns_ttl if self.ttl is None else self.ttl


def create(owner: Owner, zone_id: int, draft: Draft, if_match: str | None) -> tuple[Zone, Record]:
    """Make a record. Raises NotFound, Invalid, Forbidden, Stale or Busy, as the other changes do."""
    number = cache(lambda: ids.reserve(SEQUENCE))
    sks = [node_sk(zone_id, draft.name.lower())] if names.is_absolute(draft.name) else []

    def once() -> tuple[Zone, Record]:
        zone, found = store.read(owner, zone_id, sks)
        versions.require(if_match, zone)
        wanted = checked(zone, [draft])[0]
        refuse_managed(zone, wanted.name, wanted.type)
        edit = Edit(zone, {sk: found.get(sk) for sk in sks})
        record = edit.add(number(), wanted.name, wanted.type, wanted.content, wanted.lifetime, wanted.external_id)
        edit.commit(owner, "record.create", record=int(record.id))
        return zone, record

    return retried(zone_id, once)


def update(owner: Owner, zone_id: int, record_id: int, draft: Draft, if_match: str | None) -> tuple[Zone, Record]:
    """Give a record another name, type and content; a TTL or external id that is not given stays."""

    def once() -> tuple[Zone, Record]:
        zone, record = store.record(owner, zone_id, record_id)
        versions.require(if_match, zone, record)
        wanted = checked(zone, [draft])[0]
        if not (record.type == wanted.type == "SOA" and is_apex(zone, wanted.name)):
            refuse_managed(zone, record.name, record.type)
            refuse_managed(zone, wanted.name, wanted.type)
        edit = Edit(zone)
        edit.load([record.name, wanted.name])
        edit.replace(record, **values_of(wanted, record))
        edit.commit(owner, "record.update", record=record_id)
        return zone, record

    return retried(zone_id, once)


def delete(owner: Owner, zone_id: int, record_id: int, if_match: str | None) -> tuple[Zone, Record]:
    """Drop a record."""

    def once() -> tuple[Zone, Record]:
        zone, record = store.record(owner, zone_id, record_id)
        versions.require(if_match, zone, record)
        refuse_managed(zone, record.name, record.type)
        edit = Edit(zone)
        edit.remove(record)
        edit.commit(owner, "record.delete", record=record_id)
        return zone, record

    return retried(zone_id, once)


def shown_content(zone: Zone, record: Record) -> str:
    """A record's content; the serial in a SOA is the zone's."""
    return contents.with_serial(record.content, int(zone.serial)) if record.type == "SOA" else record.content


def in_order(records: Sequence[Record]) -> list[Record]:
    """SOA and NS first, then by type, name and id, as the real server lists them."""
    first = {"SOA": 0, "NS": 1}
    return sorted(records, key=lambda record: (first.get(record.type, 2), record.type, record.name, record.id))


def checked(zone: Zone, drafts: Sequence[Draft], *, numbered: bool = False) -> list[Draft]:
    """The drafts with absolute names. Raises Invalid with all that is wrong, `numbered` where they came as a list."""
    good: list[Draft] = []
    problems: list[Problem] = []
    for index, draft in enumerate(drafts):
        found = list(_problems(draft))
        try:
            good.append(replace(draft, name=names.record_name(draft.name, zone.name)))
        except ValueError as error:
            found.insert(0, Problem("name", str(error)))
        problems += [problem.within(index) if numbered else problem for problem in found]
    if problems:
        raise refusal(problems)
    return good


def values_of(wanted: Draft, record: Record) -> dict[str, Any]:
    """What a record has after it became as wanted."""
    return {
        "name": wanted.name,
        "type": wanted.type,
        "content": wanted.content,
        "ttl": record.ttl if wanted.ttl is None else wanted.ttl,
        "external_id": record.external_id if wanted.external_id is None else wanted.external_id or None,
    }


def is_apex(zone: Zone, name: str) -> bool:
    """Whether an absolute name is the zone's own."""
    return name.lower() == f"{zone.name}."


def is_managed(zone: Zone, name: str, type_: str) -> bool:
    """Whether a record is the system's: the SOA, and the NS records of the zone itself."""
    return type_ == "SOA" or (type_ == "NS" and is_apex(zone, name))


def refuse_managed(zone: Zone, name: str, type_: str) -> None:
    """Raises Invalid for what is the system's."""
    if is_managed(zone, name, type_):
        raise refuse("type", f"{type_} records of the zone itself are managed by the system")


def _problems(draft: Draft) -> list[Problem]:
    if draft.type not in contents.TYPES:
        return [Problem("type", f"unsupported type {draft.type[:20]}")]
    problems = []
    most = settings.current().luadns_max_content
    if len(draft.content.encode()) > most:
        problems.append(Problem("content", f"content has more than {most} bytes"))
    elif refused := _refusal(draft):
        problems.append(Problem("content", refused))
    if draft.ttl is not None and not 0 <= draft.ttl <= _LONGEST_TTL:
        problems.append(Problem("ttl", f"TTL must be between 0 and {_LONGEST_TTL}"))
    return problems


def _refusal(draft: Draft) -> str | None:
    try:
        contents.check(draft.type, draft.content)
    except ValueError as error:
        return str(error)
    return engines.current().refusal(draft.type, draft.content)
