"""Published events: recorded with their change, numbered once and in order, and passed to followers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from chalicelib.core import events, job_runner, jobs, registry
from chalicelib.core.caller import Caller
from chalicelib.core.declaration import Declaration
from chalicelib.core.errors import Conflict
from chalicelib.core.published import Event, EventFile, Follower
from chalicelib.core.registry import DeclarationError
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Claim, Credential, Job, PublishedEvent
from tests import aws_calls
from tests.worlds import both_worlds

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ALICE = Caller(
    Account("account#1", "account", id=1, username="Alice"), Credential("x", "credential", id=9), "192.0.2.7"
)
FILE = EventFile("say-1.0-1.rockspec", "ab" * 32, 300)


def publish(*names: str, by: Caller | None = ALICE, service: str = "toys", **more: Any) -> None:
    """Record one event per name, all in one transaction."""
    writes = Transaction()
    for name in names:
        events.record(writes, by, service=service, kind="toy", name=name, action="publish", **more)
    writes.commit()


class Reader:
    """A follower that notes the numbers and names of its batches, and stores a claim for each event."""

    def __init__(self, name: str = "reader") -> None:
        self.name = name
        self.batches: list[list[tuple[int, str]]] = []
        self.declaration = Declaration(name=f"test-{name}", followers=(Follower(name, self.follow, batch=3),))

    def follow(self, found: Sequence[Event], writes: Transaction) -> None:
        self.batches.append([(event.number, event.name) for event in found])
        for event in found:
            writes.create(Claim(f"{self.name}#{event.number}", "claim", holder=event.name))


@contextmanager
def following(*readers: Reader) -> Iterator[None]:
    with registry.including(*(reader.declaration for reader in readers)):
        yield


def run_jobs() -> None:
    while job_runner.run_due():
        pass


def names() -> list[tuple[int, str]]:
    return [(event.number, event.name) for event in events.numbered()]


def test_an_event_has_its_actor_key_address_and_files() -> None:
    with time_machine.travel(MOMENT, tick=False):
        publish("alice/say", version="1.0-1", files=[FILE], owners=[3, 1])
    assert events.unnumbered() == [
        Event(
            service="toys",
            kind="toy",
            name="alice/say",
            action="publish",
            at=MOMENT,
            version="1.0-1",
            files=(FILE,),
            actor="Alice",
            credential=9,
            address="192.0.2.7",
            accounts=(1, 3),
        )
    ]


def test_an_event_of_the_command_line_has_no_actor() -> None:
    publish("alice/say", by=None)
    (event,) = events.unnumbered()
    assert (event.actor, event.credential, event.address, event.accounts) == (None, None, None, ())


def test_the_public_fields_are_without_key_address_and_accounts() -> None:
    with time_machine.travel(MOMENT, tick=False):
        publish("alice/say", version="1.0-1", files=[FILE])
    events.number_new()
    (event,) = events.numbered()
    assert event.public() == {
        "service": "toys",
        "kind": "toy",
        "name": "alice/say",
        "action": "publish",
        "at": "2026-03-01T12:00:00.123456Z",
        "version": "1.0-1",
        "former_name": None,
        "listed": True,
        "files": [{"name": "say-1.0-1.rockspec", "sha256": "ab" * 32, "size": 300}],
        "actor": "Alice",
        "number": 1,
    }


def test_a_rejected_change_leaves_no_event() -> None:
    Claim("name#x", "claim", holder="1").save()
    writes = Transaction()
    writes.create(Claim("name#x", "claim", holder="2"), Conflict("taken"))
    events.record(writes, ALICE, service="toys", kind="toy", name="x", action="publish")
    with pytest.raises(Conflict):
        writes.commit()
    assert (events.unnumbered(), names()) == ([], [])


def test_an_event_costs_no_call(calls: list[str]) -> None:
    publish("a")
    assert calls == ["TransactWriteItems"]


def test_events_share_one_job_per_service() -> None:
    publish("a", "b")
    publish("c")
    publish("d", service="books")
    assert [job.sk for job in jobs.pending()] == ["number-events#books", "number-events#toys"]


def test_events_are_numbered_in_order_from_1_without_gaps() -> None:
    for group in (["a", "b"], ["c"]):
        publish(*group)
        events.number_new()
    events.number_new()
    assert [number for number, _ in names()] == [1, 2, 3]
    assert sorted(name for _, name in names()) == ["a", "b", "c"]
    assert events.unnumbered() == []


def test_more_events_than_one_transaction_takes_are_numbered_by_time() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        for number in range(95):
            publish(f"n{number}")
            clock.shift(1)
    events.number_new()
    assert names() == [(number + 1, f"n{number}") for number in range(95)]
    assert [event.name for event in events.numbered(93, 1)] == ["n93"]


def test_an_event_that_commits_late_gets_a_later_number() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        late = Transaction()
        events.record(late, ALICE, service="toys", kind="toy", name="late", action="publish")
        clock.shift(5)
        publish("early")
        events.number_new()
        late.commit()
        events.number_new()
    assert names() == [(1, "early"), (2, "late")]


def test_two_processes_number_each_event_once() -> None:
    publish("a", "b")
    with aws_calls.meanwhile(events.number_new, 0, "TransactWriteItems"):
        events.number_new()
    assert sorted(name for _, name in names()) == ["a", "b"]


def test_a_process_that_dies_while_it_numbers_loses_nothing() -> None:
    publish("a", "b")
    assert aws_calls.dies(events.number_new, 0, "TransactWriteItems")
    events.number_new()
    assert [number for number, _ in names()] == [1, 2]


def test_without_followers_events_are_numbered_every_hour() -> None:
    publish("a")
    job_runner.run_now("number-events")
    assert names() == [(1, "a")]


def test_every_follower_gets_every_event_once_and_in_order() -> None:
    readers = Reader("one"), Reader("other")
    with following(*readers):
        for number in range(7):
            publish(f"n{number}")
        run_jobs()
    expected = [(number + 1, f"n{number}") for number in range(7)]
    for reader in readers:
        assert [len(batch) for batch in reader.batches] == [3, 3, 1]
        assert [event for batch in reader.batches for event in batch] == expected


def test_a_new_follower_starts_with_the_first_event() -> None:
    publish("old")
    events.number_new()
    reader = Reader()
    with following(reader):
        publish("new")
        run_jobs()
    assert reader.batches == [[(1, "old"), (2, "new")]]


def test_a_follower_that_fails_gets_its_batch_again_and_delays_no_other() -> None:
    reader, tries = Reader(), []

    def fail(found: Sequence[Event], writes: Transaction) -> None:
        tries.append([event.name for event in found])
        if len(tries) == 1:
            raise RuntimeError("no luck")

    failing = Declaration(name="test-failing", followers=(Follower("failing", fail),))
    with time_machine.travel(MOMENT, tick=False) as clock, registry.including(reader.declaration, failing):
        publish("a")
        run_jobs()
        assert (reader.batches, tries) == ([[(1, "a")]], [["a"]])
        clock.shift(10)
        run_jobs()
    assert tries == [["a"], ["a"]]


def test_the_writes_of_a_follower_happen_once_when_two_runners_have_the_same_batch() -> None:
    reader = Reader()
    with following(reader):
        publish("a")
        events.number_new()
        with aws_calls.meanwhile(lambda: events.follow({"follower": "reader"}), 0, "TransactWriteItems"):
            events.follow({"follower": "reader"})
    assert Claim.find("reader#1", "claim") is not None
    assert reader.batches == [[(1, "a")], [(1, "a")]]


def test_a_late_job_of_a_follower_is_rescheduled_after_its_batch() -> None:
    for number in range(8):
        publish(f"n{number}")
    events.number_new()
    reader = Reader()
    with following(reader):
        with jobs.running(None, 0.0), pytest.raises(jobs.Reschedule):
            events.follow({"follower": "reader"})
        assert len(reader.batches) == 1
        events.follow({"follower": "reader"})
    assert [number for batch in reader.batches for number, _ in batch] == list(range(1, 9))


def test_a_job_of_a_follower_that_was_removed_does_nothing() -> None:
    events.follow({"follower": "gone"})
    assert list(Job.query("jobs")) == []


def test_two_followers_of_one_name_are_refused() -> None:
    second = Declaration(name="second", followers=Reader().declaration.followers)
    with pytest.raises(DeclarationError), registry.including(Reader().declaration, second):
        pass


def test_an_event_of_newer_code_is_read_without_its_unknown_fields() -> None:
    publish("a")
    (item,) = PublishedEvent.query("events-new")
    item.body = item.body[:-1] + ',"mood":"good"}'
    item.save()
    events.number_new()
    assert names() == [(1, "a")]
    (stored,) = PublishedEvent.query("events")
    assert '"mood":"good"' in stored.body
