"""Restores the records that a zone had at an earlier serial."""

from chalicelib.luadns import history, store, versions
from chalicelib.luadns.changes import ZoneEdit, retry
from chalicelib.luadns.history import Difference
from chalicelib.luadns.problems import invalid_field
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Record, Zone
from chalicelib.luadns.zones import MOVE_SERVERS


def revert(owner: Owner, zone_id: int, serial: int, if_match: str | None) -> tuple[Zone, list[Record]]:
    """Restore the records at `serial` as one new change; return the zone and the records that it has added or changed.

    The records keep their ids. The name servers of the system stay as they are now. Raises Invalid if the history does
    not reach back to the serial, and the errors of `records.create`.
    """

    def attempt() -> tuple[Zone, list[Record]]:
        zone = store.zone(owner, zone_id)
        versions.require(if_match, zone)
        changes = history.between(zone, serial)
        if changes is None:
            raise invalid_field("serial", f"the history of the zone does not reach back to the serial {serial}")
        differences = [history.difference_of(change) for change in changes if change.action != MOVE_SERVERS]
        edit = ZoneEdit(zone)
        restored = _undo(edit, history.combined(differences))
        edit.commit(owner, "zone.revert", to=serial)
        return zone, restored

    return retry(zone_id, attempt)


def _undo(edit: ZoneEdit, difference: Difference) -> list[Record]:
    """Make the opposite of a difference a pending change; return the records that it adds or changes."""
    wanted = {state.id: state for state in difference.removed}
    existing = store.records(edit.zone, [state.id for state in difference.added])
    edit.load([state.name for states in difference for state in states])
    for number, record in existing.items():
        if number not in wanted:
            edit.remove(record)
    return [_restore(edit, existing, state) for _, state in sorted(wanted.items())]


def _restore(edit: ZoneEdit, existing: dict[int, Record], state: history.RecordState) -> Record:
    if record := existing.get(state.id):
        edit.replace(record, **state._asdict())
        return record
    return edit.add(*state)
