"""`moonbase luadns history | revert`: the changes of a zone, and its earlier states."""

from typing import TYPE_CHECKING, Any

import click

from commands.luadns_opening import open_zone

if TYPE_CHECKING:
    from chalicelib.luadns.history import RecordState


@click.command()
@click.argument("zone")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="The number of changes.")
def history(zone: str, limit: int) -> list[dict[str, Any]]:
    """List the newest changes of ZONE with the records that each removed and added."""
    from chalicelib.luadns import history as stored

    _, found, _ = open_zone(zone)
    return [
        {
            "serial": int(change.serial),
            "at": change.at.isoformat(timespec="seconds"),
            "action": change.action,
            "removed": list(map(_line, difference.removed)),
            "added": list(map(_line, difference.added)),
        }
        for change, difference in stored.described(found, limit, None)
    ]


@click.command()
@click.argument("zone")
@click.option("--to", "serial", required=True, type=int, metavar="SERIAL", help="The serial of the earlier state.")
def revert(zone: str, serial: int) -> dict[str, Any]:
    """Restore the records that ZONE had at an earlier serial, as one new change.

    The records keep their ids; the name servers of the system stay.
    """
    from chalicelib.luadns import restore

    owner, found, _ = open_zone(zone)
    after, restored = restore.revert(owner, int(found.id), serial, None)
    return {"zone": after.name, "restored": len(restored), "serial": int(after.serial)}


def _line(state: "RecordState") -> str:
    return f"{state.name} {state.ttl} {state.type} {state.content}"
