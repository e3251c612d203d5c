"""Creation, replacement and deletion of zones."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chalicelib import settings
from chalicelib.core import audit, blobs, ids, jobs
from chalicelib.core.errors import Forbidden
from chalicelib.core.storage import Transaction
from chalicelib.luadns import bulk, engines, names, records, store, versions
from chalicelib.luadns.changes import ZoneEdit, retry
from chalicelib.luadns.history import Difference
from chalicelib.luadns.language import templates
from chalicelib.luadns.language.templates import ZoneTemplate
from chalicelib.luadns.problems import VALIDATION, Problem, invalid, invalid_field
from chalicelib.luadns.records import Draft
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import (
    LuaDnsItem,
    Record,
    Zone,
    ZoneChange,
    ZoneName,
    account_pk,
    changes_prefix,
    name_pk,
    nodes_prefix,
    zone_sk,
)

MOVE_SERVERS = "zone.move-servers"  # the action of a change by `move_servers`
CLEAR = "luadns-clear"  # the job that deletes the items of a deleted zone

_SOA_TTL = 3600
_UNRESERVED = 2**31  # the first id in a preview, above those of all records
_NS_TTL = 86400


def create(
    owner: Owner, name: str, template_id: int, drafts: Sequence[Draft], *, source: str | None = None
) -> tuple[Zone, list[Record]]:
    """Create a zone with its SOA, its NS records, the template's records and the drafts.

    A zone that is built from the file `source` can have NS records at its apex besides those of the system. Raises
    Invalid, Forbidden or Busy.
    """
    name, template = _validate(name, template_id)
    if template:
        drafts = [*drafts, *templates.records_of(template, name)]
    _require_available(owner, name)
    limit = settings.current().luadns_max_zones
    if LuaDnsItem.by_zone.count(account_pk(owner.account_id), consistent_read=True) >= limit:
        raise Forbidden(f"An account has at most {limit} zones.")
    number = ids.reserve("luadns-zone")

    def attempt() -> tuple[Zone, list[Record]]:
        edit = ZoneEdit(_new_zone(owner, number, name), new=True)
        edit.zone.source, edit.zone.template_id = source, template_id
        records = _fill(edit, _unmanaged(edit.zone, drafts, any_server=source is None))
        writes = Transaction()
        claim = ZoneName(name_pk(name), "zone-name", account_id=owner.account_id, zone_id=number)
        writes.create(claim, _taken(name))
        edit.commit(owner, "zone.create", writes)
        return edit.zone, records

    return retry(number, attempt)


def update(
    owner: Owner,
    zone_id: int,
    name: str,
    drafts: Sequence[Draft] | None,
    if_match: str | None,
    *,
    keep_servers: bool = False,
    action: str = "zone.update",
) -> tuple[Zone, list[Record]]:
    """Replace all records of a zone except the SOA and NS records that the system manages; None changes nothing.

    `keep_servers` keeps the other NS records at the apex, too. A zone cannot be renamed: the name must be its current
    one. Raises the same errors as `records.create`.
    """

    def attempt() -> tuple[Zone, list[Record]]:
        zone, existing = store.contents(owner, zone_id)
        versions.require(if_match, zone)
        if name.strip().lower().removesuffix(".") != zone.name:
            raise invalid_field("name", "the name of a zone cannot be changed")
        if drafts is None:
            return zone, existing
        kept = {int(record.id) for record in existing if _stays(zone, record, any_server=keep_servers)}
        managed = [record for record in existing if record.id in kept]
        others = [record for record in existing if record.id not in kept]
        edit = ZoneEdit(zone)
        wanted = _unmanaged(zone, drafts)
        edit.load([*(draft.name for draft in wanted.values()), *(record.name for record in others)])
        after = bulk.reconcile(edit, others, wanted)
        edit.commit(owner, action, records=len(after))
        return zone, [*managed, *after]

    return retry(zone_id, attempt)


def preview(owner: Owner, name: str, zone_id: int | None, drafts: Sequence[Draft]) -> tuple[list[Draft], Difference]:
    """Return the drafts of a build without repetitions, and the difference that it makes to a zone; None: a new one.

    Nothing is written. Raises the errors of `update` and `create`.
    """
    if zone_id is None:
        _require_available(owner, name)
        edit = ZoneEdit(_new_zone(owner, 0, name), new=True)
        wanted = _distinct(edit.zone, drafts)
        _fill(edit, wanted, _UNRESERVED)
    else:
        zone, existing = store.contents(owner, zone_id)
        edit, wanted = ZoneEdit(zone), _distinct(zone, drafts)
        others = [record for record in existing if not _stays(zone, record, any_server=False)]
        edit.load([*(draft.name for draft in wanted.values()), *(record.name for record in others)])
        bulk.reconcile(edit, others, wanted, _UNRESERVED)
    edit.check()
    return list(wanted.values()), edit.difference()


def move_servers(owner: Owner, zone_id: int) -> bool:
    """Give a zone the current name servers of the settings: its NS records, and the first one in its SOA.

    Returns whether the zone has changed. NS records of the user stay.
    """

    def attempt() -> bool:
        zone, existing = store.contents(owner, zone_id)
        servers = list(engines.current().name_servers())
        if zone.name_servers == servers:
            return False
        edit = ZoneEdit(zone)
        edit.load([f"{zone.name}."])
        own = {
            record.content: record
            for record in existing
            if record.type == "NS" and records.is_managed(zone, record.name, "NS", record.content)
        }
        for content in own.keys() - set(servers):
            edit.remove(own[content])
        theirs = {record.content for record in existing if record.type == "NS" and records.is_apex(zone, record.name)}
        missing = [server for server in servers if server not in theirs]
        bulk.add_all(
            edit, {index: Draft(f"{zone.name}.", "NS", server, _NS_TTL) for index, server in enumerate(missing)}
        )
        soa = next(record for record in existing if record.type == "SOA")
        primary, _, rest = soa.content.partition(" ")
        edit.replace(soa, content=f"{servers[0] if primary in own else primary} {rest}")
        zone.name_servers = servers
        edit.commit(owner, MOVE_SERVERS)
        return True

    return retry(zone_id, attempt)


def delete(owner: Owner, zone_id: int, if_match: str | None) -> tuple[Zone, list[Record]]:
    """Delete a zone and all its records, and return them."""

    def attempt() -> tuple[Zone, list[Record]]:
        zone, existing = store.contents(owner, zone_id)
        versions.require(if_match, zone)
        writes = Transaction()
        writes.delete(zone, (Zone.serial == zone.serial) & Zone.journal.does_not_exist())
        writes.delete(ZoneName(name_pk(zone.name), "zone-name"))
        writes.put(audit.entry(owner.account_id, "zone.delete", f"zone#{zone_id}", owner.caller, zone=zone.name))
        jobs.enqueue(writes, CLEAR, {"pk": zone.pk, "zone_id": zone_id})
        engines.current().zone_deleted(writes, zone)
        writes.commit()
        return zone, existing

    return retry(zone_id, attempt)


def clear(payload: Any) -> None:
    """The job CLEAR: delete records, nodes and changes of a deleted zone, which no request can read any more."""
    zone_id = payload["zone_id"]
    for prefix in (f"{zone_sk(zone_id)}#", nodes_prefix(zone_id), changes_prefix(zone_id)):
        items = LuaDnsItem.query(payload["pk"], LuaDnsItem.sk.startswith(prefix), consistent_read=True)
        with LuaDnsItem.batch_write() as batch:
            for item in items:
                if isinstance(item, ZoneChange) and item.blob:
                    blobs.delete(item.blob)
                batch.delete(item)


def _validate(text: str, template_id: int) -> tuple[str, ZoneTemplate | None]:
    """The normalized name, and the template; None for the id 0. Raises Invalid."""
    problems = []
    name, template = "", templates.find(template_id)
    try:
        name = names.zone_name(text)
    except ValueError as error:
        problems.append(Problem("name", str(error), VALIDATION))
    if template_id and not template:
        problems.append(Problem("template_id", "unknown template", VALIDATION))
    if problems:
        raise invalid(problems)
    return name, template


def _require_available(owner: Owner, name: str) -> None:
    """Raise Forbidden if the name is in use, or below a zone of another account, whose names it would take over."""
    labels = name.split(".")
    ancestors = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    for claimed, claim in store.claims(ancestors).items():
        if claimed == name or claim.account_id != owner.account_id:
            raise _taken(name)


def _taken(name: str) -> Forbidden:
    return Forbidden(f"Zone '{name}' is taken already.")


def _new_zone(owner: Owner, number: int, name: str) -> Zone:
    at = datetime.now(UTC)
    return Zone(
        account_pk(owner.account_id),
        zone_sk(number),
        listed=number,
        id=number,
        account_id=owner.account_id,
        name=name,
        serial=int(time.time()),
        records_count=0,
        name_servers=list(engines.current().name_servers()),
        created_at=at,
        updated_at=at,
    )


def _managed(zone: Zone) -> list[Draft]:
    """The records of every new zone: its SOA and its name servers."""
    servers = engines.current().name_servers()
    soa = f"{servers[0]} {settings.current().luadns_hostmaster} {int(zone.serial)} 1200 120 604800 3600"
    apex = f"{zone.name}."
    return [Draft(apex, "SOA", soa, _SOA_TTL), *(Draft(apex, "NS", server, _NS_TTL) for server in servers)]


def _fill(edit: ZoneEdit, wanted: Mapping[int, Draft], first: int | None = None) -> list[Record]:
    """Add the records of every new zone and the drafts; return them. See `bulk.add_all`."""
    managed = _managed(edit.zone)
    return bulk.add_all(edit, {**dict(enumerate(managed, -len(managed))), **wanted}, first)


def _distinct(zone: Zone, drafts: Sequence[Draft]) -> dict[int, Draft]:
    """The valid drafts by index, the first of equal ones, without those that the system manages."""
    found: dict[tuple[str, str, str | None], tuple[int, Draft]] = {}
    for index, draft in _unmanaged(zone, drafts).items():
        found.setdefault((draft.name.lower(), draft.type, draft.canonical), (index, draft))
    return dict(found.values())


def _unmanaged(zone: Zone, drafts: Sequence[Draft], *, any_server: bool = False) -> dict[int, Draft]:
    """The valid drafts by index, without those that the system manages: clients send back all that they have read.

    With `any_server` also without other NS records at the apex: those of a new zone are of the provider before.
    """
    validated = enumerate(records.validate(zone, drafts, numbered=True))
    return {index: draft for index, draft in validated if not _stays(zone, draft, any_server=any_server)}


def _stays(zone: Zone, record: Record | Draft, *, any_server: bool) -> bool:
    """Whether a replacement does not concern a record, because the system manages it, or could (`any_server`)."""
    return records.is_managed(zone, record.name, record.type, None if any_server else record.content)
