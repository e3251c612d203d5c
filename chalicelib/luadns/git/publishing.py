"""Publishes the plan of a build: each zone with one atomic change of the records that differ."""

from collections.abc import Sequence
from typing import Any

from chalicelib.luadns import transfer_access, zones
from chalicelib.luadns.git.plan import CHANGE, CREATE, KEEP, REMOVE, ZonePlan
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Zone

ACTION = "zone.build"


def publish(owner: Owner, plans: Sequence[ZonePlan]) -> None:
    """Make the zones as planned. Each may be repeated: a zone that is as planned does not change."""
    for plan in plans:
        if plan.action == REMOVE and plan.zone:
            zones.delete(owner, int(plan.zone.id), None)
        elif plan.source:
            zone = _published(owner, plan, plan.source.file)
            if plan.moves_transfers:
                transfer_access.replace(owner, int(zone.id), plan.transfers)


def _published(owner: Owner, plan: ZonePlan, file: str) -> Zone:
    zone = plan.zone
    if plan.action == CREATE:
        zone, _ = zones.create(owner, plan.name, 0, plan.drafts, source=file)
    elif plan.action == CHANGE and zone:
        zone, _ = zones.update(owner, int(zone.id), plan.name, plan.drafts, None, action=ACTION)
    assert zone is not None, "only a new zone does not exist yet"
    if plan.action in (CHANGE, KEEP) and zone.source != file:
        zone.update(actions=[Zone.source.set(file)], condition=Zone.pk.exists())
    return zone


def described(plan: ZonePlan) -> dict[str, Any]:
    """What a build does with a zone, as JSON with numbers of records."""
    return {
        "zone": plan.name,
        "file": plan.source.file if plan.source else None,
        "action": plan.action,
        "removed_count": len(plan.difference.removed),
        "added_count": len(plan.difference.added),
    }
