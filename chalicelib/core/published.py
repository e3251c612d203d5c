"""The published event: a change of a work, as the log, feeds, webhooks and notifications see it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from chalicelib.core.storage import Transaction

EventAction = Literal["publish", "change", "archive", "restore", "transfer", "delete"]


class EventFile(msgspec.Struct, frozen=True):
    """A file that an event published, with the hash and the size in bytes of its stored content."""

    name: str
    sha256: str
    size: int


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of a published work.

    `kind` is the service's noun for the work, such as `version`. `name` is the work's full name within the service;
    a work with another name before has `former_name`. A work that lists do not show, such as a draft or a private
    collection, is not `listed`. `actor` is a username, None for the command line; `credential` and `key` are the id and
    the comment of the actor's key. `accounts` are the ids of the accounts that the work belongs to, and of the actor.
    `owners` are usernames of owners whose ids the service does not store. `number` is the position in the order of all
    events, from 1 on; 0 before the event has one.
    """

    service: str
    kind: str
    name: str
    action: EventAction
    at: datetime
    version: str | None = None
    former_name: str | None = None
    listed: bool = True
    files: tuple[EventFile, ...] = ()
    actor: str | None = None
    credential: int | None = None
    key: str | None = None
    address: str | None = None
    accounts: tuple[int, ...] = ()
    owners: tuple[str, ...] = ()
    number: int = 0

    def public(self) -> dict[str, Any]:
        """The fields that may leave the server: all but the credential, the address and the accounts. JSON values."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name not in _PRIVATE}
        found: dict[str, Any] = msgspec.to_builtins({**fields, "files": [*self.files]})
        return found


_PRIVATE = ("credential", "key", "address", "accounts", "owners")


@dataclass(frozen=True)
class Follower:
    """A function that gets every event, in order.

    `follow(events, writes)` gets at most `batch` events, and a transaction to which it adds its own writes. The
    transaction also moves the follower's position, so those writes happen exactly once. Whatever else the function does
    may be repeated with the same events. A new follower starts with the first event ever.
    """

    name: str
    follow: Callable[[Sequence[Event], Transaction], None]
    batch: int = 20
