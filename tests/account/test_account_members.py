"""Administrators and moderators manage other accounts; one administrator always remains."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.account import members
from chalicelib.core import audit
from chalicelib.core.caller import Caller
from chalicelib.core.errors import CoreError
from chalicelib.core.identity import accounts, credentials, two_factor
from chalicelib.core.tables import Account
from tests import people
from tests.account.person import LogIn, Person, nothing_stored, refused
from tests.client import Client
from tests.luarocks.builders import rockspec
from tests.worlds import embedded_only

ADMINISTRATORS = "This is for administrators."
BELOW = "A moderator manages accounts below their own rank."
ANOTHER = "An administrator cannot do this to their own account: ask another one."


@pytest.fixture
def moderator(logged_in: LogIn) -> Person:
    """A client with a session of a moderator."""
    return logged_in(people.register("Mod", "mod@example.org", "moderately", "MODERATOR"))


def row(account: Account, **more: Any) -> dict[str, Any]:
    return {
        "id": account.id,
        "username": account.username,
        "email": account.email,
        "rank": account.rank,
        "suspended": False,
        "created_at": f"{account.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "two_factor": False,
        "luadns": False,
        **more,
    }


def test_an_administrator_sees_all_accounts(root: Person, alice: Account) -> None:
    reply = root.get("/members")
    assert (reply.status, reply.json) == (
        200,
        {"members": [row(accounts.named("Root"), rank="ADMIN"), row(alice)], "next": None},
    )
    assert root.get("/members/ALICE").json == {**row(alice), "keys": [], "sessions": [], "works": []}


def test_an_administrator_sees_keys_sessions_and_works(
    root: Person, alice_client: Person, alice: Account, client: Client
) -> None:
    made = alice_client.post("/keys", {"service": "luarocks", "comment": "CI"}).json
    files = {"rockspec_file": ("x.rockspec", rockspec())}
    assert client.post(f"/api/1/{made['key']}/upload", files=files).status == 200
    found = root.get("/members/alice").json
    assert [(key["id"], key["service"], key["comment"]) for key in found["keys"]] == [(made["id"], "luarocks", "CI")]
    assert [(one["address"], one["current"]) for one in found["sessions"]] == [(None, False)]
    assert found["works"] == [{"service": "luarocks", "name": "say", "path": "/modules/alice/say"}]
    assert "key" not in found["keys"][0]


def test_a_moderator_sees_no_keys_and_sessions(moderator: Person, alice_client: Person) -> None:
    alice_client.post("/keys", {"service": "hel"})
    found = moderator.get("/members/alice").json
    assert (found["keys"], found["sessions"], found["works"]) == (None, None, [])


def test_an_administrator_resets_a_password(root: Person, alice_client: Person, alice: Account) -> None:
    assert root.put("/members/alice/password", {"password": "down the hole"}).status == 204
    assert alice_client.get("/me").status == 401
    assert accounts.log_in("alice", "down the hole").id == alice.id
    assert root.get("/activity/all").json["activity"][0]["text"] == "Root changed the password of Alice"


def test_only_administrators_reset_passwords_and_not_their_own(root: Person, moderator: Person, alice: Account) -> None:
    new = {"password": "down the hole"}
    refused(moderator.put("/members/alice/password", new), 403, ADMINISTRATORS)
    own = "Change your own password in your settings, with the current one."
    refused(root.put("/members/root/password", new), 409, own)
    short = root.put("/members/alice/password", {"password": "short"})
    assert (short.status, short.json["field"]) == (400, "password")
    assert accounts.log_in("alice", "wonderland").id == alice.id


def test_a_moderator_sees_no_email_addresses(moderator: Person, alice: Account) -> None:
    assert [one["email"] for one in moderator.get("/members").json["members"]] == [None, None]
    assert moderator.get("/members/alice").json["email"] is None


@embedded_only
def test_the_list_of_members_is_paged(root: Person) -> None:
    for number in range(4):
        accounts.create(f"user{number}", f"{number}@example.org")
    pages, after = [], 0
    while after is not None:
        page = root.get("/members", query={"limit": "2", "after": str(after)}).json
        pages.append([one["username"] for one in page["members"]])
        after = page["next"]
    assert pages == [["Root", "user0"], ["user1", "user2"], ["user3"]]


@embedded_only
@pytest.mark.parametrize(
    ("query", "message", "field"),
    [
        ("limit=0", "limit must be from 1 to 100.", "limit"),
        ("limit=101", "limit must be from 1 to 100.", "limit"),
        ("limit=x", "limit must be a whole number.", "limit"),
        ("limit=", "limit must be a whole number.", "limit"),
        ("after=-1", "after must be a whole number.", "after"),
        ("after=9999999999999999999", f"after must be from 0 to {2**53}.", "after"),
        ("page=2", "There is no field 'page' here; there are: after, limit.", None),
    ],
)
def test_an_invalid_page_is_an_error(root: Person, query: str, message: str, field: str | None) -> None:
    refused(root.get("/members", query=query), 400, message, field)


@embedded_only
def test_members_and_visitors_cannot_manage_accounts(visitor: Person, alice_client: Person, bob: Account) -> None:
    requests: list[tuple[str, str]] = [
        ("GET", "/members"),
        ("GET", "/members/bob"),
        ("PATCH", "/members/bob"),
        ("DELETE", "/members/bob/sessions"),
        ("DELETE", "/members/bob/two-factor"),
        ("GET", "/invitations"),
        ("POST", "/invitations"),
        ("DELETE", "/invitations/1"),
    ]
    alice_client.get("/me")
    with nothing_stored():
        for method, path in requests:
            refused(alice_client.send(method, path, json={"rank": "ADMIN"}), 403, ADMINISTRATORS)
            refused(visitor.send(method, path, json={"rank": "ADMIN"}), 401, "Log in first.")


def test_a_rank_is_changed(root: Person, alice: Account) -> None:
    reply = root.patch("/members/alice", {"rank": "EDITOR"})
    assert (reply.status, reply.json) == (200, row(alice, rank="EDITOR"))
    assert accounts.named("alice").rank == "EDITOR"
    entry = next(audit.entries(int(alice.id)))
    written = (entry.action, entry.detail, entry.by_account_id)
    assert written == ("account.rank", {"rank": "EDITOR"}, accounts.named("Root").id)


def test_an_account_is_suspended_and_restored(client: Client, root: Person, alice_client: Person, key: str) -> None:
    assert root.patch("/members/alice", {"suspended": True}).json["suspended"] is True
    refused(alice_client.get("/me"), 403, "Your account has been suspended.")
    assert client.get(f"/api/1/{key}/status").status == 403
    assert root.patch("/members/alice", {"suspended": False}).json["suspended"] is False
    assert alice_client.get("/me").status == 200


def test_one_request_can_make_several_changes(root: Person, alice: Account) -> None:
    reply = root.patch("/members/alice", {"rank": "BOT", "suspended": True, "luadns": True})
    assert reply.json == row(alice, rank="BOT", suspended=True, luadns=True)
    actions = {entry.action for entry in audit.entries(int(alice.id))}
    assert actions == {"account.create", "account.rank", "account.suspend", "luadns.enable"}


def test_unchanged_values_are_not_written(root: Person, alice: Account) -> None:
    root.get("/me")
    with nothing_stored():
        assert root.patch("/members/alice", {"rank": "MEMBER", "suspended": False}).json == row(alice)


@embedded_only
@pytest.mark.parametrize(
    ("data", "message", "field"),
    [
        ({}, "Set at least one of rank, suspended and luadns.", None),
        ({"rank": "KING"}, f"rank must be one of: {', '.join(accounts.ranks())}.", "rank"),
        ({"rank": "EDITOR", "suspended": "yes"}, "suspended must be a JSON boolean.", "suspended"),
        ({"rank": "EDITOR", "email": "x@y"},
         "There is no field 'email' here; there are: rank, suspended, luadns.", None),
    ],
)  # fmt: skip
def test_an_invalid_change_is_an_error(
    root: Person, alice: Account, data: dict[str, Any], message: str, field: str | None
) -> None:
    root.get("/me")
    with nothing_stored():
        refused(root.patch("/members/alice", data), 400, message, field)


@pytest.mark.parametrize("name", ["unknown", "%3Cb%3E", "%00", "x" * 3000])
def test_an_unknown_user_is_not_found(root: Person, name: str) -> None:
    for reply in (root.get(f"/members/{name}"), root.patch(f"/members/{name}", {"suspended": True})):
        assert reply.status == 404


@pytest.mark.parametrize("change", [{"rank": "MEMBER"}, {"suspended": True}, {"rank": "MODERATOR", "luadns": True}])
def test_administrators_cannot_demote_or_suspend_themselves(
    root: Person, logged_in: LogIn, change: dict[str, Any]
) -> None:
    root.get("/me")
    with nothing_stored():
        refused(root.patch("/members/root", change), 409, ANOTHER)
    other = logged_in(accounts.create("Admin2", "admin2@example.org", rank="ADMIN"))
    assert other.patch("/members/root", change).status == 200
    refused(other.patch("/members/admin2", change), 409, ANOTHER)


@embedded_only
def test_two_administrators_cannot_demote_each_other_concurrently(aws: None) -> None:
    def demote(pair: list[Account], place: int) -> None:
        by = Caller(pair[place], credentials.create(pair[place], credentials.SESSION)[0])
        members.change(by, pair[1 - place].username, "MEMBER", None, None)

    with ThreadPoolExecutor(2) as pool:
        for number in range(10):
            pair = [accounts.create(f"a{number}-{n}", f"{number}-{n}@example.org", rank="ADMIN") for n in range(2)]
            errors = [done.exception() for done in [pool.submit(demote, pair, place) for place in range(2)]]
            assert all(error is None or isinstance(error, CoreError) for error in errors)
            assert sorted(accounts.get(int(one.id)).rank for one in pair) == ["ADMIN", "MEMBER"]


def test_a_former_administrator_cannot_demote_others(root: Person, aws: None) -> None:
    other = accounts.create("Admin2", "admin2@example.org", rank="ADMIN")
    caller = Caller(accounts.named("Root"), credentials.find(1))
    accounts.named("Root").update(actions=[Account.rank.set("MEMBER")])
    with pytest.raises(accounts.Forbidden, match="no administrator any more"):
        members.change(caller, "admin2", "MEMBER", None, None)
    assert accounts.get(int(other.id)).rank == "ADMIN"


@pytest.mark.parametrize("rank", ["BANNED", "MEMBER", "BOT"])
def test_a_moderator_manages_accounts_below_their_own_rank(moderator: Person, alice: Account, rank: str) -> None:
    assert moderator.patch("/members/alice", {"rank": rank, "suspended": True}).status == 200
    assert (accounts.named("alice").rank, accounts.named("alice").suspended) == (rank, True)


def test_moderators_manage_only_ranks_below_their_own(moderator: Person, root: Person, alice: Account) -> None:
    other = accounts.create("Mod2", "mod2@example.org", rank="MODERATOR")
    moderator.get("/me")
    with nothing_stored():
        for path, data in [
            ("/members/alice", {"rank": "MODERATOR"}),
            ("/members/alice", {"rank": "ADMIN"}),
            ("/members/root", {"suspended": True}),
            (f"/members/{other.username}", {"rank": "MEMBER"}),
            ("/members/mod", {"rank": "ADMIN"}),
        ]:
            refused(moderator.patch(path, data), 403, BELOW)
        refused(moderator.delete("/members/root/sessions"), 403, BELOW)
        refused(moderator.patch("/members/alice", {"luadns": True}), 403, ADMINISTRATORS)
        refused(moderator.delete("/members/alice/two-factor"), 403, ADMINISTRATORS)
        refused(moderator.post("/invitations", {"rank": "ADMIN"}), 403, ADMINISTRATORS)


def test_all_sessions_of_an_account_are_ended(root: Person, alice_client: Person, alice: Account) -> None:
    assert root.delete("/members/alice/sessions").status == 204
    refused(alice_client.get("/me"), 401, "Your session has ended: log in again.")
    assert root.get("/me").status == 200
    entry = next(audit.entries(int(alice.id)))
    assert (entry.action, entry.by_account_id) == ("session.end-all", accounts.named("Root").id)


def test_a_lost_second_factor_is_turned_off(root: Person, logged_in: LogIn, alice: Account) -> None:
    two_factor.enable(alice)
    person = logged_in(alice)
    assert root.delete("/members/alice/two-factor").status == 204
    assert accounts.named("alice").two_factor is None
    refused(person.get("/me"), 401, "Your session has ended: log in again.")
    refused(root.delete("/members/alice/two-factor"), 409, "Two-factor authentication is not enabled on this account")


def test_administrators_cannot_reset_their_own_second_factor(root: Person) -> None:
    refused(
        root.delete("/members/root/two-factor"),
        409,
        "Turn off your own second factor in your settings, with your password and a code.",
    )


def test_hel_shows_another_rank_after_its_next_refresh(client: Client, root: Person, alice: Account) -> None:
    from chalicelib.hel import users

    root.patch("/members/alice", {"rank": "ADMIN"})
    users.refresh()
    listed = client.get("/users").json["data"]["list"]
    assert {"nickname": "Alice", "groups": ["admins"]} in listed
    root.patch("/members/alice", {"rank": "MEMBER", "suspended": True})
    users.refresh()
    assert [one["nickname"] for one in client.get("/users").json["data"]["list"]] == ["Root"]


def test_a_list_of_any_length_costs_three_calls(root: Person, alice: Account, calls: list[str]) -> None:
    root.get("/members")
    calls.clear()
    root.get("/members")
    assert calls == ["UpdateItem", "GetItem", "Query"]
