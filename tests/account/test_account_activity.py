"""The activity log: operations by an account and on it, in pages."""

import re

import pytest

from chalicelib.core import accounts, audit
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from tests.account.person import Person, refused


def test_entries_have_actor_action_and_subject(root: Person, alice_client: Person) -> None:
    made = alice_client.post("/keys", {"service": "hel", "scope": "read"}).json
    root.patch("/members/alice", {"rank": "EDITOR"})
    found = alice_client.get("/activity").json
    times = [entry.pop("at") for entry in found["activity"]]
    assert found["activity"][:2] == [
        {
            "action": "account.rank",
            "subject": "account#2",
            "by": "Root",
            "credential": root.get("/me").json["session"],
            "detail": {"rank": "EDITOR"},
        },
        {
            "action": "hel.create",
            "subject": f"credential#{made['id']}",
            "by": "Alice",
            "credential": alice_client.get("/me").json["session"],
            "detail": {"scope": "read"},
        },
    ]
    assert (found["activity"][-1]["action"], found["activity"][-1]["by"]) == ("account.create", None)
    assert found["next"] is None
    assert times == sorted(times, reverse=True)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", times[0])


def test_pages_follow_each_other_without_a_gap(alice_client: Person, alice: Account) -> None:
    for number in range(6):
        writes = Transaction()
        writes.put(audit.entry(int(alice.id), "test", f"thing#{number}"))
        writes.commit()
    whole = [entry["subject"] for entry in alice_client.get("/activity").json["activity"]]
    pages, query = [], {"limit": "3"}
    while True:
        page = alice_client.get("/activity", query=query).json
        pages += [entry["subject"] for entry in page["activity"]]
        if page["next"] is None:
            break
        query = {"limit": "3", "before": page["next"]}
    assert pages == whole
    assert whole[:6] == [f"thing#{number}" for number in reversed(range(6))]


@pytest.mark.parametrize("cursor", ["x", "", "\0", "2026", "x" * 3000, "2026-03-01T12:00:00.000000+00:00#00000000"])
def test_an_invalid_cursor_is_rejected(alice_client: Person, cursor: str) -> None:
    reply = alice_client.get("/activity", query={"before": cursor})
    if cursor:
        refused(reply, 400, "before is not a cursor of this log.", "before")
    else:
        assert reply.status == 200


def test_an_account_sees_only_its_own_log(alice_client: Person, bob: Account) -> None:
    subjects = {entry["subject"] for entry in alice_client.get("/activity").json["activity"]}
    assert f"account#{int(bob.id)}" not in subjects


def test_the_name_of_a_deleted_actor_is_null(alice_client: Person, root: Person) -> None:
    root.patch("/members/alice", {"rank": "EDITOR"})
    accounts.named("Root").delete()
    assert alice_client.get("/activity").json["activity"][0]["by"] is None


def test_a_page_costs_three_calls(alice_client: Person, calls: list[str]) -> None:
    alice_client.get("/activity")
    calls.clear()
    alice_client.get("/activity")
    assert calls == ["UpdateItem", "GetItem", "Query"]
