"""What waits for a moderator in all services, for a page and a command."""

from chalicelib.core.caller import Caller
from chalicelib.web.slice import Pending, offered


def of(caller: Caller | None) -> dict[str, list[Pending]]:
    """What waits, by the titles of the services, oldest first; None is the administrator at the command line."""
    found = {each.title: each.pending(caller) for each in offered() if each.pending}
    return {title: pending for title, pending in found.items() if pending}
