"""Zones."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from chalicelib import settings
from chalicelib.core import audit, ids, jobs
from chalicelib.core.errors import Forbidden
from chalicelib.core.storage import Transaction
from chalicelib.luadns import bulk, engines, names, records, store, versions
from chalicelib.luadns.changes import Edit, retried
from chalicelib.luadns.problems import VALIDATION, Problem, refusal, refuse
from chalicelib.luadns.records import Draft
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import LuaDnsItem, Record, Zone, ZoneName, account_pk, name_pk, zone_sk

CLEAR = "luadns-clear"  # the job that deletes the items of a deleted zone

_SOA_TTL = 3600
_NS_TTL = 86400


def create(owner: Owner, name: str, template_id: int, drafts: Sequence[Draft]) -> tuple[Zone, list[Record]]:
    """Make a zone with its SOA and NS records, and others. Raises Invalid or Forbidden."""
    name = _checked(name, template_id)
    _refuse_taken(owner, name)
    most = settings.current().luadns_max_zones
    if LuaDnsItem.by_zone.count(account_pk(owner.account_id), consistent_read=True) >= most:
        raise Forbidden(f"An account has at most {most} zones.")
    number = ids.reserve("luadns-zone")

    def once() -> tuple[Zone, list[Record]]:
        edit = Edit(_new_zone(owner, number, name), new=True)
        made = bulk.add_all(edit, [*_managed(edit.zone), *_own(edit.zone, drafts)])
        writes = Transaction()
        claim = ZoneName(name_pk(name), "zone-name", account_id=owner.account_id, zone_id=number)
        writes.create(claim, _taken(name))
        edit.commit(owner, "zone.create", writes)
        return edit.zone, made

    return retried(number, once)


def update(
    owner: Owner, zone_id: int, name: str, drafts: Sequence[Draft] | None, if_match: str | None
) -> tuple[Zone, list[Record]]:
    """Make a zone's records those that are given, but for its SOA and NS; None leaves them as they are.

    The name must be the zone's own: its records would not follow it to another.
    """

    def once() -> tuple[Zone, list[Record]]:
        zone, existing = store.contents(owner, zone_id)
        versions.require(if_match, zone)
        if name.strip().lower().removesuffix(".") != zone.name:
            raise refuse("name", "the name of a zone cannot be changed")
        if drafts is None:
            return zone, existing
        managed = [record for record in existing if records.is_managed(zone, record.name, record.type)]
        others = [record for record in existing if not records.is_managed(zone, record.name, record.type)]
        edit = Edit(zone)
        wanted = _own(zone, drafts)
        edit.load([*(draft.name for draft in wanted), *(record.name for record in others)])
        after = bulk.reconcile(edit, others, wanted)
        edit.commit(owner, "zone.update", records=len(after))
        return zone, [*managed, *after]

    return retried(zone_id, once)


def delete(owner: Owner, zone_id: int, if_match: str | None) -> tuple[Zone, list[Record]]:
    """Drop a zone and all its records; returns what they were."""

    def once() -> tuple[Zone, list[Record]]:
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

    return retried(zone_id, once)


def clear(payload: Any) -> None:
    """Drop what lay beside a zone that is gone; nobody can reach it any more."""
    for prefix in (f"{zone_sk(payload['zone_id'])}#", f"node#{payload['zone_id']:010d}#"):
        items = LuaDnsItem.query(payload["pk"], LuaDnsItem.sk.startswith(prefix), consistent_read=True)
        with LuaDnsItem.batch_write() as batch:
            for item in items:
                batch.delete(item)


def _checked(text: str, template_id: int) -> str:
    problems = []
    name = ""
    try:
        name = names.zone_name(text)
    except ValueError as error:
        problems.append(Problem("name", str(error), VALIDATION))
    if template_id:
        problems.append(Problem("template_id", "unknown template", VALIDATION))
    if problems:
        raise refusal(problems)
    return name


def _refuse_taken(owner: Owner, name: str) -> None:
    """Raises Forbidden when the name is in use, or lies below somebody else's zone: that one's servers would follow."""
    labels = name.split(".")
    above = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    for claimed, claim in store.claims(above).items():
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
        created_at=at,
        updated_at=at,
    )


def _managed(zone: Zone) -> list[Draft]:
    """The records that every zone has: its SOA, and its name servers."""
    servers = engines.current().name_servers()
    soa = f"{servers[0]} {settings.current().luadns_hostmaster} {int(zone.serial)} 1200 120 604800 3600"
    apex = f"{zone.name}."
    return [Draft(apex, "SOA", soa, _SOA_TTL), *(Draft(apex, "NS", server, _NS_TTL) for server in servers)]


def _own(zone: Zone, drafts: Sequence[Draft]) -> list[Draft]:
    """The drafts, checked, without those that the system manages: clients send back all they got."""
    checked = records.checked(zone, drafts, numbered=True)
    return [draft for draft in checked if not records.is_managed(zone, draft.name, draft.type)]
