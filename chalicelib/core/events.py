"""The published events: recorded in the transaction of each change, numbered afterwards, and passed to followers.

A transaction puts its event into an outbox, so it needs no number that all publishers share. One job moves the events
of the outbox into the numbered list. Followers then read that list from their own position on: no event is late, and
none is missed (docs/decisions/0042-published-events.md).
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import msgspec

from chalicelib.core import jobs, registry
from chalicelib.core.caller import Actor, Caller
from chalicelib.core.published import Event, EventAction, EventFile, Follower
from chalicelib.core.retries import retry
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Counter, EventPosition, PublishedEvent

NUMBER = "number-events"  # the job that numbers new events
FOLLOW = "follow-events"  # the job that passes numbered events to one follower
NUMBER_EVERY = 3600  # seconds; with followers it also runs after each event
_OUTBOX, _LOG = "events-new", "events"
_BATCH = 40  # events that one transaction numbers, with two writes each
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Event)


def record(
    writes: Transaction,
    by: Caller | Actor | None,
    *,
    service: str,
    kind: str,
    name: str,
    action: EventAction,
    version: str | None = None,
    former_name: str | None = None,
    listed: bool = True,
    files: Iterable[EventFile] = (),
    owners: Iterable[int] = (),
    usernames: Iterable[str] = (),
) -> None:
    """Add the event of a change to its transaction; see `published.Event`. `owners` are ids of accounts.

    `usernames` are owners whose ids the service does not store.

    `by` is None for an administrator at the command line. The caller of the transaction's `commit` repeats it if it is
    Contended, because a job can be numbering events at the same time.
    """
    at = datetime.now(UTC)
    actor = by.actor if isinstance(by, Caller) else by
    event = Event(
        service=service,
        kind=kind,
        name=name,
        action=action,
        at=at,
        version=version,
        former_name=former_name,
        listed=listed,
        files=tuple(files),
        actor=actor.username if actor else None,
        credential=actor.credential_id if actor else None,
        key=(actor.key or None) if actor else None,
        address=(actor.address or None) if actor else None,
        accounts=tuple(sorted({*map(int, owners), *([actor.account_id] if actor else [])})),
        owners=tuple(usernames),
    )
    sk = f"{at.isoformat(timespec='microseconds')}#{secrets.token_hex(4)}"
    writes.create(PublishedEvent(_OUTBOX, sk, body=_encode(event).decode()))
    if registry.current().followers:
        jobs.enqueue(writes, NUMBER, None, once=service)


def numbered(after: int = 0, limit: int | None = None) -> Iterator[Event]:
    """The numbered events after the one with the number `after`, in order: all, or at most `limit`."""
    after_key = PublishedEvent.sk > _sk(after)
    for item in PublishedEvent.query(_LOG, after_key, limit=limit, consistent_read=True):
        yield _event(item)


def every() -> Iterator[Event]:
    """All events: the numbered ones in order, and then those that have no number yet."""
    yield from numbered()
    yield from unnumbered()


def unnumbered() -> list[Event]:
    """The events that have no number yet, by time."""
    return [_event(item) for item in PublishedEvent.query(_OUTBOX, consistent_read=True)]


def number_new() -> None:
    """Give a number to each new event, and enqueue the jobs of the followers. Safe to repeat, and to run twice."""
    while retry(_number_batch, nullcontext, "Too many processes number events."):
        if jobs.time_left() <= 0:
            raise jobs.Reschedule(0, None)


def follow(payload: dict[str, Any]) -> None:
    """Pass the next events to the follower with the name in the payload. Raises jobs.Reschedule if there are more."""
    follower = registry.current().followers.get(payload["follower"])
    if follower is None:  # its slice was removed since the job was enqueued
        return
    while _follow_batch(follower):
        if jobs.time_left() <= 0:
            raise jobs.Reschedule(0, payload)


def _number_batch() -> bool:
    """Number some events; return whether there were any."""
    new = list(PublishedEvent.query(_OUTBOX, limit=_BATCH, consistent_read=True))
    if not new:
        return False
    head = Counter.find("counter#events", "counter")
    last = int(head.value) if head else 0
    writes = Transaction()
    writes.update(
        Counter("counter#events", "counter"),
        [Counter.kind.set(Counter), Counter.value.set(last + len(new))],
        Counter.value == last if head else Counter.pk.does_not_exist(),
    )
    for number, item in enumerate(new, last + 1):
        writes.delete(item, PublishedEvent.pk.exists())
        writes.create(PublishedEvent(_LOG, _sk(number), body=item.body))
    for name in registry.current().followers:
        jobs.enqueue(writes, FOLLOW, {"follower": name}, once=name)
    writes.commit()
    return True


def _follow_batch(follower: Follower) -> bool:
    """Pass one batch to a follower, and move its position in the same transaction; return whether there was one.

    If another runner did so first, its writes are dropped and nothing is lost.
    """
    position = EventPosition.find("event-positions", follower.name)
    last = int(position.last) if position else 0
    events = list(numbered(last, follower.batch))
    if not events:
        return False
    writes = Transaction()
    follower.follow(events, writes)
    writes.update(
        EventPosition("event-positions", follower.name),
        [EventPosition.kind.set(EventPosition), EventPosition.last.set(events[-1].number)],
        EventPosition.last == last if position else EventPosition.pk.does_not_exist(),
    )
    try:
        writes.commit()
    except Contended:
        return True
    return True


def _event(item: PublishedEvent) -> Event:
    event = _decoder.decode(item.body)
    return msgspec.structs.replace(event, number=int(item.sk)) if item.pk == _LOG else event


def _sk(number: int) -> str:
    return f"{number:012d}"
