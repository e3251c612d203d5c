"""The query of the audit log: by account, actor, action, subject and time, in pages, with names."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from chalicelib.core import activity, audit
from chalicelib.core.activity import ActivityFilter
from chalicelib.core.caller import Caller
from chalicelib.core.declaration import Declaration
from chalicelib.core.errors import Invalid
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.registry import DeclarationError, including
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, AuditEntry
from tests.worlds import both_worlds

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
START = datetime(2026, 3, 1, tzinfo=UTC)
TOYS = Declaration(name="toys", phrases={"test.toy": "{actor} made the toy {toy} for {account}"})


@pytest.fixture(autouse=True)
def _toys() -> Iterator[None]:
    with including(TOYS):
        yield


@pytest.fixture
def alice(aws: None) -> Account:
    """An account with the id 1."""
    return accounts.create("Alice", "alice@example.org")


@pytest.fixture
def caller(alice: Account) -> Caller:
    """Alice with a key for LuaRocks, from an address."""
    return Caller(alice, credentials.create(alice, "luarocks", comment="CI")[0], "192.0.2.7")


def write(*entries: AuditEntry) -> None:
    writes = Transaction()
    for entry in entries:
        writes.put(entry)
    writes.commit()


def of_server(**wanted: Any) -> list[str]:
    """The subjects of the test actions in the server's log."""
    found = activity.find(ActivityFilter(**wanted), limit=100).entries
    return [entry.subject for entry in found if entry.action.startswith("test")]


def described(account_id: int | None = None, reader: Account | None = None) -> list[activity.Described]:
    return activity.describe(activity.find(ActivityFilter(), account_id).entries, reader)


def test_an_entry_is_described_with_names(caller: Caller) -> None:
    write(audit.entry(1, "rockspec.publish", "alice/hello", caller, version="1.0-1"))
    newest = described()[0]
    assert newest.text == "Alice published alice/hello 1.0-1 with the key 'CI'"
    assert (newest.account, newest.actor, newest.service, newest.key, newest.address) == (
        "Alice",
        "Alice",
        "luarocks",
        "CI",
        "192.0.2.7",
    )


def test_keys_are_described_by_their_comments(caller: Caller) -> None:
    credentials.create(caller.account, "hel", by=caller)
    credentials.revoke(caller.credential)
    assert [found.text for found in described()[:2]] == [
        "the command line revoked the key 'CI' of Alice for LuaRocks",
        "Alice created a key without a comment of Alice for Hel with the key 'CI'",
    ]


def test_an_entry_of_older_code_is_described_by_reads(caller: Caller) -> None:
    AuditEntry(
        "audit#1",
        "2025-03-01T12:00:00.000000+00:00#00000000",
        at=datetime(2025, 3, 1, 12, tzinfo=UTC),
        action="luarocks.revoke",
        subject=f"credential#{int(caller.credential.id)}",
        by_account_id=1,
        credential_id=caller.credential.id,
    ).save()
    oldest = described(1)[-1]
    assert oldest.text == "Alice revoked the key 'CI' of Alice for LuaRocks with the key 'CI'"
    assert (oldest.actor, oldest.service, oldest.key, oldest.address) == ("Alice", "luarocks", "CI", None)


def test_an_action_without_a_phrase_and_a_deleted_actor_are_readable(caller: Caller) -> None:
    write(audit.entry(1, "test.unknown", "thing#7"))
    AuditEntry("audit#1", "2025", at=START, action="test.toy", subject="toy#7", by_account_id=99).save()
    texts = [found.text for found in described(1)]
    assert texts[0] == "the command line: test.unknown 7"
    assert texts[-1] == "a deleted account made the toy 7 for Alice"


def test_lists_and_flags_in_details_are_words(alice: Account) -> None:
    write(audit.entry(1, "test.toy", "toy#7", toy=["a", "b"]))
    write(audit.entry(1, "test.toy", "toy#7", toy=True))
    assert [found.text for found in described()[:2]] == [
        "the command line made the toy yes for Alice",
        "the command line made the toy a, b for Alice",
    ]


def test_the_key_and_the_address_of_another_actor_are_hidden_from_a_reader(caller: Caller) -> None:
    bob = accounts.create("bob", "bob@example.org")
    write(*audit.entries_for([1, int(bob.id)], "test.toy", "ball", caller))
    (for_bob,) = [found for found in described(int(bob.id), bob) if found.entry.action == "test.toy"]
    assert (for_bob.text, for_bob.key, for_bob.address) == ("Alice made the toy ball for bob", None, None)
    (for_alice,) = [found for found in described(1, caller.account) if found.entry.action == "test.toy"]
    assert (for_alice.key, for_alice.address) == ("CI", "192.0.2.7")


def test_an_action_in_several_logs_is_once_in_the_server_s(caller: Caller) -> None:
    bob = accounts.create("bob", "bob@example.org")
    write(*audit.entries_for([int(bob.id), 1], "test.toy", "ball", caller))
    assert of_server() == ["ball"]
    for number in (1, int(bob.id)):
        assert "ball" in [entry.subject for entry in audit.entries(number)]


@pytest.fixture
def week(caller: Caller) -> None:
    """One action a day: of Alice on even days, of the command line on odd days."""
    with time_machine.travel(START, tick=False) as clock:
        for day in range(6):
            action = "test.toy" if day < 4 else "testing.toy"
            write(
                audit.entry(1, action, f"Ball {day}", None if day % 2 else caller, of="rubber" if day == 5 else "wood")
            )
            clock.shift(timedelta(days=1))


@pytest.mark.usefixtures("week")
@pytest.mark.parametrize(
    ("wanted", "days"),
    [
        ({}, [5, 4, 3, 2, 1, 0]),
        ({"actor": "ALICE"}, [4, 2, 0]),
        ({"actor": "nobody"}, []),
        ({"action": "test"}, [3, 2, 1, 0]),
        ({"action": "testing.toy"}, [5, 4]),
        ({"action": "tes"}, []),
        ({"subject": "ball 3"}, [3]),
        ({"subject": "RUBBER"}, [5]),
        ({"since": START + timedelta(days=2), "until": START + timedelta(days=4)}, [3, 2]),
        ({"since": START + timedelta(days=9), "until": START}, []),
        ({"actor": "alice", "since": START + timedelta(seconds=1)}, [4, 2]),
    ],
)
@pytest.mark.parametrize("of_account", [False, True])
def test_filters_select_entries(wanted: dict[str, Any], days: list[int], of_account: bool) -> None:
    found = activity.find(ActivityFilter(**wanted), 1 if of_account else None, limit=100).entries
    assert [entry.subject for entry in found if entry.subject.startswith("Ball")] == [f"Ball {day}" for day in days]


@pytest.mark.usefixtures("week")
@pytest.mark.parametrize("account_id", [None, 1])
@pytest.mark.parametrize("wanted", [{}, {"subject": "ball"}, {"since": START, "until": START + timedelta(days=5)}])
def test_pages_follow_each_other_without_a_gap(
    account_id: int | None, wanted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [entry.sk for entry in activity.find(ActivityFilter(**wanted), account_id, limit=100).entries]
    assert len(whole) >= 5
    monkeypatch.setattr(activity, "MOST_EXAMINED", 3)
    pages, before = [], None
    while True:
        page = activity.find(ActivityFilter(**wanted), account_id, before, limit=2)
        pages += [entry.sk for entry in page.entries]
        if page.next is None:
            break
        before = page.next
    assert pages == whole
    assert [found.entry.sk for found in activity.everything(ActivityFilter(**wanted), account_id)] == whole


@pytest.mark.usefixtures("week")
def test_a_filtered_page_examines_a_number_of_entries_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "MOST_EXAMINED", 3)
    page = activity.find(ActivityFilter(subject="ball 0"))
    assert (page.entries, page.next is None) == ([], False)


@pytest.mark.parametrize(("account_id", "cursor"), [(None, "x"), (None, "²"), (None, "9" * 40), (1, "x"), (1, "7")])
def test_a_cursor_of_another_log_is_rejected(account_id: int | None, cursor: str) -> None:
    with pytest.raises(Invalid, match="before is not a cursor of this log"):
        activity.find(ActivityFilter(), account_id, cursor)


def test_a_page_of_the_server_s_log_costs_one_call(week: None, calls: list[str]) -> None:
    calls.clear()
    page = activity.find(ActivityFilter())
    assert (len(page.entries), calls) == (8, ["Query"])
    calls.clear()
    activity.describe(page.entries)
    assert calls == ["GetItem"]


def test_two_phrases_of_one_action_are_refused() -> None:
    other = Declaration(name="other", phrases={"test.toy": "{actor} broke the toy {toy}"})
    with pytest.raises(DeclarationError, match="two phrases, one by other"), including(other):
        pass
