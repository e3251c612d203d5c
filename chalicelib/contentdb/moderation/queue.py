"""The approval queue: packages, screenshots, reviews and reports that wait, oldest first.

Releases need no approval of their own: their check approves them or stores the error, which the queue shows.
"""

from chalicelib.contentdb.store import waiting
from chalicelib.contentdb.store.moderation_tables import Waiting
from chalicelib.contentdb.store.permissions import at_least
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden
from chalicelib.web.slice import Pending

_RANKS = {"package": "APPROVER", "screenshot": "APPROVER", "review": "APPROVER", "report": "EDITOR"}


def list_for(caller: Caller | None) -> list[Waiting]:
    """What the caller can decide, oldest first; None is the administrator. Raises Forbidden."""
    if caller and not at_least(caller.account, "APPROVER"):
        raise Forbidden("You don't have permission to see the approval queue")
    return [row for row in waiting.every() if not caller or at_least(caller.account, _RANKS[row.thing])]


def pending(caller: Caller | None) -> list[Pending]:
    """What the caller can decide, for pages and commands of all services; nothing for others."""
    if caller and not at_least(caller.account, "APPROVER"):
        return []
    return [
        Pending(row.thing, _title(row), row.author, row.since, path_of(row), tuple(notes_of(row)))
        for row in list_for(caller)
    ]


def path_of(row: Waiting) -> str:
    """The path of the API for a waiting thing."""
    package = f"/api/packages/{row.package}/"
    paths = {
        "package": package,
        "screenshot": f"{package}screenshots/{int(row.id)}/",
        "review": f"{package}reviews/{int(row.id)}/",
    }
    return paths.get(row.thing, f"/api/reports/{int(row.id)}/")


def notes_of(row: Waiting) -> list[str]:
    """What the check of the newest release found, and what metadata changed, as lines."""
    found, changed = row.found or {}, row.changed or {}
    error = [f"the release failed: {found['error']}"] if found.get("error") else []
    warnings = [f"warning: {text}" for text in found.get("warnings", ())]
    return [*error, *warnings, *(f"changed {name}: {old!r} -> {new!r}" for name, (old, new) in changed.items())]


def _title(row: Waiting) -> str:
    return f"{row.package}: {row.title}" if row.package else str(row.title)
