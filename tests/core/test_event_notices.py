"""Notifications about published events reach the owners of the work, and not the actor."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from chalicelib.contentdb.collections import curation
from chalicelib.contentdb.packages import registry as packages
from chalicelib.core import event_notices, events, job_runner
from chalicelib.core.caller import Caller
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.notifications import inbox, preferences
from chalicelib.core.published import Event
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Notification
from chalicelib.luarocks import ownership
from tests.aws_calls import dies
from tests.client import Client
from tests.contentdb.builders import draft
from tests.hel.builders import package as hel_package
from tests.luarocks.builders import rockspec
from tests.worlds import both_worlds

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def caller(account: Account) -> Caller:
    return Caller(account, credentials.create(account, "luarocks")[0])


def record(by: Caller | None, **more: Any) -> None:
    """Record an event and run the jobs that follow."""
    given = {"service": "luarocks", "kind": "version", "name": "alice/say", "action": "publish", "version": "1.0-1"}
    writes = Transaction()
    events.record(writes, by, **{**given, **more})
    writes.commit()
    run_jobs()


def run_jobs() -> None:
    while job_runner.run_due():
        pass


def notices(account: Account) -> list[tuple[str, str | None]]:
    """The subjects and links of an account's notifications about works."""
    return [(one.subject, one.link) for one in inbox.entries(account) if one.about.startswith("work.")]


@both_worlds
def test_a_co_owner_is_notified_of_an_upload_and_its_author_is_not(
    client: Client, key: str, alice: Account, bob: Account
) -> None:
    def upload(secret: str, version: str) -> None:
        files = {"rockspec_file": (f"say-{version}.rockspec", rockspec("say", version))}
        assert client.post(f"/api/1/{secret}/upload", files=files).status == 200

    upload(key, "1.0-1")
    ownership.add("alice", "say", bob, None)
    upload(credentials.create(bob, "luarocks")[1], "1.1-1")
    run_jobs()
    assert notices(alice) == [
        ("bob published alice/say 1.1-1.", "/modules/alice/say"),
        ("An administrator changed the module alice/say.", "/modules/alice/say"),
    ]
    assert notices(bob) == [("An administrator changed the module alice/say.", "/modules/alice/say")]


def test_maintainers_of_a_package_are_owners(alice: Account, bob: Account) -> None:
    draft("Alice/lamps")
    packages.set_maintainers("Alice", "lamps", ["bob"])
    run_jobs()
    assert notices(bob) == [("An administrator changed the package Alice/lamps.", "/packages/Alice/lamps")]


def test_former_owners_are_notified_of_a_transfer(client: Client, alice: Account, bob: Account) -> None:
    draft("Alice/lamps")
    packages.transfer("Alice", "lamps", bob)
    run_jobs()
    transferred = ("An administrator transferred the package Alice/lamps to bob/lamps.", "/packages/bob/lamps")
    assert (notices(alice)[0], notices(bob)) == (transferred, [transferred])


def test_former_owners_are_notified_of_a_transfer_in_hel(client: Client, alice: Account, bob: Account) -> None:
    bearer = {"Authorization": f"Bearer {credentials.create(alice, 'hel')[1]}"}
    assert client.post("/packages", json=hel_package(owners=["Alice", "bob"]), headers=bearer).status == 201
    assert client.request("PATCH", "/packages/thing", json={"owners": ["Alice"]}, headers=bearer).status == 204
    run_jobs()
    assert "Alice transferred the package thing." in [subject for subject, _ in notices(bob)]


def test_the_author_of_a_collection_is_notified(alice: Account, bob: Account) -> None:
    for author, name in (("Alice", "mine"), ("ContentDB", "featured")):
        curation.save(author, name, {"title": "Mine", "items": []})
    run_jobs()
    assert notices(alice) == [("An administrator published the collection Alice/mine.", None)]


def test_owners_by_name_are_found(alice: Account, bob: Account) -> None:
    record(caller(alice), service="hel", kind="package", name="say", usernames=["BOB", "alice", "nobody", "?"])
    assert (notices(alice), notices(bob)) == ([], [("Alice published say 1.0-1.", None)])


def test_every_account_is_notified_once(alice: Account, bob: Account) -> None:
    record(caller(alice), owners=[int(bob.id), int(bob.id)], usernames=["bob"])
    run_jobs()
    assert len(notices(bob)) == 1


def test_suspended_and_unknown_accounts_are_left_out(alice: Account, bob: Account) -> None:
    accounts.suspend(bob)
    record(caller(alice), owners=[int(bob.id), 99])
    assert notices(bob) == []
    assert Notification.count("inbox#99") == 0


def test_kinds_can_be_turned_off(alice: Account, bob: Account) -> None:
    preferences.choose(bob, {"work.published": "off"})
    record(caller(alice), owners=[int(bob.id)])
    record(caller(alice), owners=[int(bob.id)], action="delete")
    assert notices(bob) == [("Alice deleted alice/say 1.0-1.", None)]


def test_old_events_are_no_news(alice: Account, bob: Account) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        writes = Transaction()
        events.record(
            writes,
            caller(alice),
            service="luarocks",
            kind="version",
            name="a/b",
            action="publish",
            owners=[int(bob.id)],
        )
        writes.commit()
        clock.shift(timedelta(days=8))
        run_jobs()
        assert notices(bob) == []


def test_more_owners_than_fit_into_a_transaction_are_notified(alice: Account) -> None:
    numbers = [int(accounts.create(f"owner{number}", f"{number}@example.org").id) for number in range(90)]
    record(caller(alice), owners=numbers)
    assert [Notification.count(inbox.pk_of(number)) for number in numbers] == [1] * 90


@pytest.mark.parametrize("transactions", [1, 2, 3])
def test_a_job_that_is_killed_notifies_nobody_twice(alice: Account, transactions: int) -> None:
    numbers = [int(accounts.create(f"owner{number}", f"{number}@example.org").id) for number in range(90)]
    writes = Transaction()
    events.record(writes, caller(alice), service="a", kind="module", name="a/b", action="publish", owners=numbers)
    writes.commit()
    events.number_new()
    assert dies(lambda: events.follow({"follower": "notifications"}), transactions, of="TransactWriteItems") is (
        transactions < 3
    )
    events.follow({"follower": "notifications"})
    assert [Notification.count(inbox.pk_of(number)) for number in numbers] == [1] * 90


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "version", "version": "1.0-1"}, "bob published alice/say 1.0-1."),
        ({"kind": "package", "version": "1.0.0"}, "bob published alice/say 1.0.0."),
        ({"kind": "rock", "version": "1.0-1"}, "bob published a rock of alice/say 1.0-1."),
        ({"kind": "review"}, "bob published a review of alice/say."),
        ({"kind": "module", "action": "archive"}, "bob archived the module alice/say."),
        ({"kind": "module", "action": "transfer", "former_name": "carol/say"},
         "bob transferred the module carol/say to alice/say."),
        ({"kind": "package", "action": "change", "former_name": "alice/tell"},
         "bob renamed the package alice/tell to alice/say."),
        ({"kind": "package", "action": "restore", "actor": None}, "An administrator restored the package alice/say."),
    ],
)  # fmt: skip
def test_a_notification_is_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    given = {"service": "x", "name": "alice/say", "action": "publish", "at": MOMENT, "actor": "bob"}
    assert event_notices.sentence(Event(**{**given, **fields})) == sentence
