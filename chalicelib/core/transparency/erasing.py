"""Erases an actor: the entries stay valid, but their commitments can no longer be opened."""

import msgspec

from chalicelib.core.published import Event
from chalicelib.core.tables import PublishedEvent
from chalicelib.core.transparency.tables import LogOpening


def erase(username: str) -> int:
    """Delete the openings of all entries of an actor, and the actor from the published events; return their number.

    Safe to repeat. The openings go last, because they lead to the events.
    """
    openings = list(LogOpening.by_listing.query(f"log-openings#{username.lower()}"))
    for opening in openings:
        number = int(opening.id) + 1
        if event := PublishedEvent.find("events", f"{number:012d}"):
            found = msgspec.json.decode(event.body, type=Event)
            erased = msgspec.structs.replace(found, actor=None, credential=None, key=None, address=None)
            event.update(event.assign(body=msgspec.json.encode(erased).decode()))
        opening.delete()
    return len(openings)
