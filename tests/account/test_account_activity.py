"""The activity log: operations by an account and on it, in pages."""

import re

import pytest

from chalicelib.core import audit
from chalicelib.core.identity import accounts
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
            "text": "Root set the rank of Alice to EDITOR",
            "action": "account.rank",
            "subject": "account#2",
            "account": "Alice",
            "by": "Root",
            "credential": root.get("/me").json["session"],
            "service": None,
            "key": None,
            "address": None,
            "detail": {"rank": "EDITOR"},
        },
        {
            "text": "Alice created a key without a comment of Alice for Hel",
            "action": "hel.create",
            "subject": f"credential#{made['id']}",
            "account": "Alice",
            "by": "Alice",
            "credential": alice_client.get("/me").json["session"],
            "service": "session",
            "key": "",
            "address": "203.0.113.7",
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


def test_the_name_of_a_deleted_actor_stays(alice_client: Person, root: Person) -> None:
    root.patch("/members/alice", {"rank": "EDITOR"})
    accounts.named("Root").delete()
    assert alice_client.get("/activity").json["activity"][0]["by"] == "Root"


def test_filters_select_entries(alice_client: Person) -> None:
    alice_client.post("/keys", {"service": "hel", "comment": "CI"})
    query = {"actor": "alice", "action": "hel", "subject": "ci", "since": "2026-01-01T00:00:00Z"}
    (entry,) = alice_client.get("/activity", query=query).json["activity"]
    assert entry["text"] == "Alice created the key 'CI' of Alice for Hel"
    assert alice_client.get("/activity", query={"until": "2026-01-01"}).json == {"activity": [], "next": None}


@pytest.mark.parametrize("moment", ["yesterday", "0000-00-00", "9999-12-31T23:59:59-23:59"])
def test_an_invalid_moment_is_rejected(alice_client: Person, moment: str) -> None:
    message = "since is not a moment such as 2026-03-01T12:00:00Z."
    refused(alice_client.get("/activity", query={"since": moment}), 400, message, "since")


def test_administrators_see_the_actions_of_all_accounts(alice_client: Person, root: Person) -> None:
    alice_client.post("/keys", {"service": "hel", "comment": "CI"})
    root.patch("/members/alice", {"rank": "EDITOR"})
    found = root.get("/activity/all").json
    assert [(entry["text"], entry["account"], entry["address"]) for entry in found["activity"][:2]] == [
        ("Root set the rank of Alice to EDITOR", "Alice", "203.0.113.7"),
        ("Alice created the key 'CI' of Alice for Hel", "Alice", "203.0.113.7"),
    ]
    assert {entry["account"] for entry in found["activity"]} == {"Alice", "Root"}
    of_alice = root.get("/activity/all", query={"account": "alice"}).json["activity"]
    assert of_alice == [entry for entry in found["activity"] if entry["account"] == "Alice"]
    refused(root.get("/activity/all", query={"account": "nobody"}), 404, "There is no account nobody.")


def test_others_do_not(alice_client: Person) -> None:
    refused(alice_client.get("/activity/all"), 403, "This is for administrators.")


def test_a_page_costs_three_calls(alice_client: Person, calls: list[str]) -> None:
    alice_client.get("/activity")
    calls.clear()
    alice_client.get("/activity")
    assert calls == ["UpdateItem", "GetItem", "Query"]
