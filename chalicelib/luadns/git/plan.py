"""The plan of a build: what it would change in which zone. Nothing is written."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chalicelib import settings
from chalicelib.core.errors import CoreError, Forbidden, Invalid
from chalicelib.luadns import secondaries, store, transfer_access, zones
from chalicelib.luadns.git.sources import ZoneSource
from chalicelib.luadns.history import Difference
from chalicelib.luadns.language import evaluation
from chalicelib.luadns.language.evaluation import Fault, Faulty, Statement, Statements
from chalicelib.luadns.problems import Problem
from chalicelib.luadns.records import Draft
from chalicelib.luadns.secondaries import Secondary
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Zone

_MOST_FAULTS = 100
CREATE, CHANGE, KEEP, REMOVE, GONE = "create", "change", "unchanged", "remove", "file removed"


class Choices(NamedTuple):
    """What a build may do besides: delete zones whose file was removed, and take over zones that exist."""

    prune: bool = False
    adopt: bool = False


@dataclass(frozen=True)
class ZonePlan:
    """What a build does with a zone. `zone` is None for a new one, `source` for one without a file."""

    name: str
    action: str
    zone: Zone | None
    source: ZoneSource | None
    drafts: Sequence[Draft] = ()
    transfers: Sequence[Secondary] = ()
    difference: Difference = field(default_factory=lambda: Difference([], []))

    @property
    def moves_transfers(self) -> bool:
        """Whether the secondaries of the zone change."""
        return self.source is not None and list(self.transfers) != (secondaries.of_zone(self.zone) if self.zone else [])


def make(
    owner: Owner,
    sources: Sequence[ZoneSource],
    choices: Choices,
    only: Callable[[str], bool] = lambda name: True,
    seconds: float = math.inf,
) -> list[ZonePlan]:
    """Return the plans of all zones, by name; `only` selects zones.

    Raises Faulty with all faults, also if the files take longer than `seconds`; Busy.
    """
    existing = {zone.name: zone for zone in store.zones(owner)}
    plans, faults = _all_planned(owner, [source for source in sources if only(source.zone)], existing, choices, seconds)
    new = sum(plan.action == CREATE for plan in plans)
    if new and len(existing) + new > settings.current().luadns_max_zones:
        faults.append(Fault(None, None, f"An account has at most {settings.current().luadns_max_zones} zones."))
    if faults:
        raise Faulty(*list(dict.fromkeys(faults))[:_MOST_FAULTS])
    made = {source.zone for source in sources}
    gone = (zone for name, zone in existing.items() if zone.source and name not in made and only(name))
    plans += [ZonePlan(zone.name, REMOVE if choices.prune else GONE, zone, None) for zone in gone]
    return sorted(plans, key=lambda plan: plan.name)


def _all_planned(
    owner: Owner, sources: Sequence[ZoneSource], existing: Mapping[str, Zone], choices: Choices, seconds: float
) -> tuple[list[ZonePlan], list[Fault]]:
    """The plans of the zones without faults, and the faults of the others, until the time is over."""
    ends_at = time.monotonic() + seconds
    plans: list[ZonePlan] = []
    faults: list[Fault] = []
    for source in sources:
        if time.monotonic() > ends_at:
            late = f"was not reached: all zones together may take {seconds:g} seconds"
            return plans, [*faults, Fault(source.file, None, late)]
        try:
            plans.append(_planned(owner, source, existing.get(source.zone), choices))
        except Faulty as error:
            faults += error.faults
    return plans, faults


def _planned(owner: Owner, source: ZoneSource, zone: Zone | None, choices: Choices) -> ZonePlan:
    found = _statements(source)
    drafts = [
        statement.draft if statement.draft.ttl is not None else _with_ttl(statement.draft)
        for statement in found.records
    ]
    try:
        wanted, difference = zones.preview(owner, source.zone, int(zone.id) if zone else None, drafts)
    except Invalid as error:
        raise Faulty(*_located(source.file, error, found.records)) from None
    except Forbidden as error:
        raise Faulty(Fault(source.file, None, error.message)) from None
    changed = bool(difference.removed or difference.added)
    action = CREATE if zone is None else CHANGE if changed else KEEP
    plan = ZonePlan(source.zone, action, zone, source, wanted, _transfers(source.file, found), difference)
    if zone and not zone.source and (changed or plan.moves_transfers) and not choices.adopt:
        raise Faulty(
            Fault(
                source.file,
                None,
                f"the zone {zone.name} exists and was not built from a repository: export it and start from its "
                "records, or build once with adopt to replace them",
            )
        )
    return plan


def _statements(source: ZoneSource) -> Statements:
    if not source.is_bind:
        return evaluation.evaluate(source.zone, source.chunks)
    from chalicelib.luadns import zonefile

    try:
        text = source.chunks[0][1].decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Faulty(Fault(source.file, None, "a zone file is UTF-8 text")) from None
    try:
        entries = zonefile.parse(text, source.zone)
    except Invalid as error:
        raise Faulty(*_located(source.file, error, [])) from None
    kept = [entry for entry in entries if not zonefile.is_managed_name(source.zone, entry.draft)]
    return Statements([Statement(entry.line, entry.draft) for entry in kept], [])


def _with_ttl(draft: Draft) -> Draft:
    """The draft with the default TTL: a record that has another one now gets it."""
    return Draft(draft.name, draft.type, draft.content, settings.current().luadns_ttl)


def _transfers(file: str, found: Statements) -> list[Secondary]:
    """The secondaries that `slave` names. Raises Faulty."""
    lines = dict(found.secondaries)
    try:
        return transfer_access.validate([Secondary(address) for address in lines])
    except Invalid as error:
        rows = [Statement(line, Draft(address, "", "")) for address, line in lines.items()]
        raise Faulty(*_located(file, error, rows)) from None


def _located(file: str, error: CoreError, statements: Sequence[Statement]) -> list[Fault]:
    """The problems of an error with the lines of their statements."""
    found = []
    for problem in error.detail.get("problems", [Problem(None, error.message)]):
        index, _, field_ = (problem.field or "").partition(".")
        if index.isdecimal() and int(index) < len(statements):
            statement = statements[int(index)]
            subject = f"{statement.draft.name or '@'} {statement.draft.type}".strip()
            found.append(Fault(file, statement.line, f"{subject}: {problem.message}"))
        elif index.startswith("line "):
            found.append(Fault(file, int(index.removeprefix("line ")), problem.message))
        else:
            found.append(Fault(file, None, f"{field_ or index}: {problem.message}".removeprefix(": ")))
    return found
