"""Users: the list, single users, changes, and the permissions."""

import time
from typing import Any

import pyotp
import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import audit
from chalicelib.core.identity import accounts, credentials, two_factor
from chalicelib.core.tables import Account
from chalicelib.hel import users
from tests.client import Client, Reply
from tests.hel.builders import refusal, success


def as_user(account: Account) -> dict[str, str]:
    """The header of a new session."""
    return {"Cookie": "auth_tkt=" + credentials.create(account, credentials.SESSION)[1]}


def list_users(client: Client, **query: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/users", query=query).json["data"]["list"]
    return found


def patch(client: Client, nick: str, headers: dict[str, str], changes: object) -> Reply:
    return client.request("PATCH", f"/users/{nick}", headers=headers, json=changes)


def denied(permission: str, *, logged_in: bool) -> dict[str, Any]:
    return refusal(403, f"Unauthorized: {permission} failed permission check", logged_in=logged_in)


@pytest.fixture
def session(alice: Account) -> dict[str, str]:
    return as_user(alice)


def test_the_list_of_users_is_public_and_in_order(client: Client, alice: Account, admin: object) -> None:
    users.refresh()
    reply = client.get("/users")
    page = {
        "offset": 0,
        "total": 2,
        "sent": 2,
        "truncated": False,
        "list": [{"nickname": "Alice", "groups": []}, {"nickname": "Root", "groups": ["admins"]}],
    }
    assert (reply.status, reply.json) == (200, success(page))


def test_users_are_listed_in_pages_of_twenty(client: Client) -> None:
    for number in range(21):
        accounts.create(f"user{number:02}", f"{number}@example.org")
    users.refresh()
    pages = [client.get("/users", query={"offset": offset}).json["data"] for offset in ("0", "20", "-1", "x")]
    assert [(page["offset"], page["sent"], page["total"], page["truncated"]) for page in pages] == [
        (0, 20, 21, True),
        (20, 1, 21, True),
        (0, 20, 21, True),
        (0, 20, 21, True),
    ]


def test_groups_filter_together_and_exactly(
    client: Client, alice: Account, bob: Account, admin: dict[str, str]
) -> None:
    patch(client, "alice", admin, {"groups": ["red", "blue"]})
    patch(client, "bob", admin, {"groups": ["red"]})
    assert [one["nickname"] for one in list_users(client, groups="red")] == ["Alice", "bob"]
    assert [one["nickname"] for one in list_users(client, groups=["red", "blue"])] == ["Alice"]
    assert list_users(client, groups="Red") == list_users(client, groups="re") == []


def test_unknown_parameters_are_ignored(client: Client, alice: Account) -> None:
    users.refresh()
    assert len(list_users(client, spam="1")) == 1


def test_a_registered_user_is_listed_at_once(client: Client) -> None:
    data = {"action": "register", "nickname": "carol", "email": "carol@example.org", "password": "looking glass"}
    assert client.post("/auth", json=data).status == 200
    assert list_users(client) == [{"nickname": "carol", "groups": []}]


def test_changes_of_accounts_elsewhere_reach_the_list(client: Client, alice: Account, bob: Account) -> None:
    users.refresh()
    accounts.suspend(alice)
    bob.update(actions=[Account.rank.set("BANNED")])
    accounts.create("carol", "carol@example.org")
    users.refresh()
    assert list_users(client) == [{"nickname": "bob", "groups": ["banned"]}, {"nickname": "carol", "groups": []}]
    sequence = users.catalogue.snapshot().sequence
    users.refresh()
    assert users.catalogue.snapshot().sequence == sequence


def test_the_list_can_be_rebuilt(client: Client, alice: Account, admin: dict[str, str]) -> None:
    patch(client, "alice", admin, {"groups": ["red"]})
    users.refresh()
    before = list_users(client)
    assert before == [{"nickname": "Alice", "groups": ["red"]}, {"nickname": "Root", "groups": ["admins"]}]
    users.catalogue.rebuild()
    assert list_users(client) == before


def test_users_can_read_themselves_and_administrators_can_read_all(
    client: Client, session: dict[str, str], admin: dict[str, str]
) -> None:
    for headers, nick in ((session, "Alice"), (session, "ALICE"), (admin, "alice")):
        reply = client.get(f"/users/{nick}", headers=headers)
        assert (reply.status, reply.json) == (200, success({"nickname": "Alice", "groups": []}, logged_in=True))


@pytest.mark.parametrize("nick", ["bob", "missing", "a%20b", "x" * 3000])
def test_others_get_the_same_error_for_existing_and_unknown_users(
    client: Client, session: dict[str, str], bob: Account, nick: str
) -> None:
    for headers, logged_in in (({}, False), (session, True)):
        reply = client.get(f"/users/{nick}", headers=headers)
        assert (reply.status, reply.json) == (403, denied("get_user", logged_in=logged_in))


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("nick", ["missing", "a%20b"])
def test_administrators_get_404_for_a_missing_user(
    client: Client, admin: dict[str, str], method: str, nick: str
) -> None:
    reply = client.request(method, f"/users/{nick}", headers=admin, json={})
    assert (reply.status, reply.json) == (404, {**refusal(404, "", logged_in=True), "message": None})


def test_a_banned_user_cannot_read_or_change_itself(client: Client, alice: Account, session: dict[str, str]) -> None:
    alice.update(actions=[Account.rank.set("BANNED")])
    assert client.get("/users/alice", headers=session).json == denied("get_user", logged_in=True)
    assert patch(client, "alice", session, {"password": "x"}).json == denied("update_user", logged_in=True)


def test_a_new_password_is_valid_in_all_services(client: Client, session: dict[str, str]) -> None:
    reply = patch(client, "alice", session, {"password": " white rabbit ", "current_password": "wonderland"})
    assert (reply.status, reply.body) == (204, b"")
    assert accounts.log_in("alice", "white rabbit").username == "Alice"
    log_in = {"action": "log-in", "nickname": "alice"}
    assert client.post("/auth", json={**log_in, "password": "wonderland"}).status == 400
    assert client.post("/auth", json={**log_in, "password": " white rabbit "}).status == 200


def test_a_new_password_ends_all_other_sessions(client: Client, alice: Account, session: dict[str, str]) -> None:
    other = as_user(alice)
    changes = {"password": "white rabbit", "current_password": "wonderland"}
    assert patch(client, "alice", session, changes).status == 204
    assert client.get("/profile", headers=other).json["data"] == {}
    assert client.get("/profile", headers=session).json["data"] == {"nickname": "Alice"}


def test_a_stolen_session_cannot_change_the_password(client: Client, alice: Account, session: dict[str, str]) -> None:
    secret = two_factor.enable(alice).secret
    session = as_user(accounts.named("alice"))
    new = {"password": "white rabbit"}
    missing = 'To change your password, send the current one as "current_password", too.'
    assert patch(client, "alice", session, new).json == refusal(400, missing, logged_in=True)
    wrong = patch(client, "alice", session, {**new, "current_password": "guess"})
    assert wrong.json == refusal(403, "This is not your password.", logged_in=True)
    proof = {**new, "current_password": "wonderland"}
    without = patch(client, "alice", session, proof)
    code_missing = "This account uses two-factor authentication: send a current code too."
    assert without.json == refusal(403, code_missing, logged_in=True)
    invalid = patch(client, "alice", session, {**proof, "code": "000000"})
    assert invalid.json == refusal(403, "Invalid verification code", logged_in=True)
    assert accounts.log_in("alice", "wonderland")
    assert patch(client, "alice", session, {**proof, "code": pyotp.TOTP(secret).now()}).status == 204
    assert accounts.log_in("alice", "white rabbit")


def test_an_administrator_with_two_factor_needs_a_recent_code(
    client: Client, alice: Account, admin: dict[str, str]
) -> None:
    root = accounts.named("root")
    secret = two_factor.enable(root).secret
    admin = as_user(accounts.named("root"))
    code_missing = "This account uses two-factor authentication: send a current code too."
    for change in ({"groups": ["red"]}, {"password": "white rabbit"}):
        assert patch(client, "alice", admin, change).json == refusal(403, code_missing, logged_in=True)
    assert client.request("DELETE", "/users/alice", headers=admin).status == 403
    with_code = {**admin, "X-TFA-Code": pyotp.TOTP(secret).now()}
    assert patch(client, "alice", with_code, {"groups": ["red"]}).status == 204
    assert patch(client, "alice", admin, {"password": "white rabbit"}).status == 204  # for 15 minutes
    with time_machine.travel(time.time() + 901):
        assert patch(client, "alice", admin, {"groups": []}).status == 403


@pytest.mark.parametrize("header", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}])
def test_another_sites_requests_are_rejected(
    client: Client, session: dict[str, str], header: dict[str, str], key: dict[str, str]
) -> None:
    expected = refusal(403, "This request was made by another site.")
    changes = {"password": "white rabbit", "current_password": "wonderland"}
    assert patch(client, "alice", {**session, **header}, changes).json == expected
    log_in = {"action": "log-in", "nickname": "alice", "password": "wonderland"}
    for method in ("POST", "GET"):
        reply = client.request(method, "/auth", headers={**header, "Origin": "https://evil.example"}, json=log_in)
        assert (reply.status, reply.json["message"]) == (403, "This request was made by another site.")
        assert reply.headers.get("set-cookie") is None
    assert client.get("/users", headers={**session, **header}).status == 200
    assert client.request("DELETE", "/packages/none", headers={**key, **header}).status == 403
    with settings.override(hel_origins=("https://hel.example.org",)):
        trusted = {**session, **header, "Origin": "https://hel.example.org"}
        assert patch(client, "alice", trusted, changes).status == 204


def test_a_password_set_by_an_administrator_ends_all_sessions_of_the_user(
    client: Client, alice: Account, session: dict[str, str], admin: dict[str, str]
) -> None:
    assert patch(client, "alice", admin, {"password": "white rabbit"}).status == 204
    assert client.get("/profile", headers=session).json["data"] == {}
    assert accounts.log_in("alice", "white rabbit")
    entry = next(entry for entry in audit.entries(int(alice.id)) if entry.action == "account.password")
    assert entry.by_account_id == accounts.named("Root").id


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"password": ""}, "Password isn't specified."),
        ({"password": "  "}, "Password isn't specified."),
        *(({"password": value}, 'Wrong value for param "password" given: expected str!') for value in (None, 5, [])),
        *(({"nickname": value}, 'Wrong value for param "nickname" given: expected str!') for value in (None, 5)),
        *(
            ({"groups": value}, 'Wrong value for param "groups" given: expected list of strs!')
            for value in (None, "admins", [5], [None], {})
        ),
        ({"password": "x" * 1025}, "A password has at most 1024 characters."),
    ],
)
def test_a_rejected_change_is_an_error(
    client: Client, session: dict[str, str], changes: dict[str, Any], message: str
) -> None:
    reply = patch(client, "alice", session, changes)
    assert (reply.status, reply.json) == (400, refusal(400, message, logged_in=True))
    assert accounts.log_in("alice", "wonderland")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"null"])
def test_a_body_that_is_not_an_object_is_a_bad_request(client: Client, session: dict[str, str], body: bytes) -> None:
    reply = client.request("PATCH", "/users/alice", headers=session, body=body)
    assert (reply.status, reply.json) == (400, refusal(400, "Bad request.", logged_in=True))


@pytest.mark.parametrize("changes", [{"groups": ["admins"]}, {"groups": ["x"], "password": "new"}, {"nickname": "eve"}])
def test_users_cannot_change_their_own_groups_or_nickname(
    client: Client, session: dict[str, str], changes: dict[str, Any]
) -> None:
    reply = patch(client, "alice", session, changes)
    assert (reply.status, reply.json) == (403, denied("update_user", logged_in=True))
    assert (accounts.named("alice").rank, accounts.named("alice").username) == ("MEMBER", "Alice")
    assert accounts.log_in("alice", "wonderland")


def test_unchanged_values_are_accepted_because_the_web_interface_sends_all(
    client: Client, session: dict[str, str]
) -> None:
    changes = {"nickname": "Alice", "groups": [], "email": "new@example.org", "password": "white rabbit"}
    changes["current_password"] = "wonderland"
    assert patch(client, "alice", session, changes).status == 204
    assert accounts.named("alice").email == "alice@example.org"


def test_an_administrator_changes_the_groups_of_users(client: Client, alice: Account, admin: dict[str, str]) -> None:
    for groups, rank in ((["admins", "red"], "ADMIN"), (["banned"], "BANNED"), (["red", "red"], "MEMBER")):
        assert patch(client, "alice", admin, {"groups": groups}).status == 204
        expected = {"nickname": "Alice", "groups": list(dict.fromkeys(groups))}
        assert client.get("/users/alice", headers=admin).json["data"] == expected
        assert expected in list_users(client)
        assert accounts.named("alice").rank == rank
    ranks = [entry.detail["rank"] for entry in audit.entries(int(alice.id)) if entry.action == "account.rank"]
    assert sorted(ranks) == ["ADMIN", "BANNED", "MEMBER"]


def test_groups_do_not_change_other_ranks(client: Client, alice: Account, admin: dict[str, str]) -> None:
    alice.update(actions=[Account.rank.set("MODERATOR")])
    patch(client, "alice", admin, {"groups": ["red"]})
    assert accounts.named("alice").rank == "MODERATOR"


def test_group_admins_is_the_rank_admin(client: Client, session: dict[str, str], admin: dict[str, str]) -> None:
    patch(client, "alice", admin, {"groups": ["admins"]})
    assert client.get("/users/root", headers=session).status == 200


@pytest.mark.parametrize("groups", [["admins", "banned"], ["x" * 101], [str(n) for n in range(21)]])
def test_invalid_groups_are_rejected(client: Client, alice: Account, admin: dict[str, str], groups: list[str]) -> None:
    assert patch(client, "alice", admin, {"groups": groups}).status == 400
    assert accounts.named("alice").rank == "MEMBER"


def test_a_nickname_cannot_be_changed(client: Client, alice: Account, admin: dict[str, str]) -> None:
    reply = patch(client, "alice", admin, {"nickname": "eve"})
    expected = refusal(
        409, "A nickname cannot be changed: packages, files and keys of the account refer to it.", logged_in=True
    )
    assert (reply.status, reply.json) == (409, expected)


NEW = {"nickname": "carol", "email": "carol@example.org", "password": "looking glass"}


def test_an_administrator_creates_users(client: Client, admin: dict[str, str]) -> None:
    reply = client.post("/users", headers=admin, json={**NEW, "activation_phrase": "x", "activation_till": "y"})
    assert (reply.status, reply.json) == (201, success("", status=201, logged_in=True))
    assert accounts.log_in("carol", "looking glass").username == "carol"
    assert {"nickname": "carol", "groups": []} in list_users(client)


@pytest.mark.parametrize(
    "changes",
    [{"nickname": "ALICE"}, {"email": "alice@example.org"}, {"nickname": "a b"}, {"nickname": ""}, {"password": ""},
     {"email": "x"}, {"nickname": 5}, {"password": None}],
)  # fmt: skip
def test_every_error_of_a_new_user_is_the_same(
    client: Client, alice: Account, admin: dict[str, str], changes: dict[str, Any]
) -> None:
    for data in ({**NEW, **changes}, [], {}):
        reply = client.post("/users", headers=admin, json=data)
        expected = refusal(400, "This user data you provided contained an error.", logged_in=True)
        assert (reply.status, reply.json) == (400, expected)
    assert sorted(account.username for account in accounts.list_accounts()) == ["Alice", "Root"]


def test_only_administrators_create_and_delete_users(client: Client, session: dict[str, str]) -> None:
    for headers, logged_in in (({}, False), (session, True)):
        assert client.post("/users", headers=headers, json=NEW).json == denied("create_user", logged_in=logged_in)
        reply = client.request("DELETE", "/users/alice", headers=headers)
        assert (reply.status, reply.json) == (403, denied("delete_user", logged_in=logged_in))
    assert [account.username for account in accounts.list_accounts()] == ["Alice"]


def test_a_deleted_user_is_not_found_and_the_name_stays_reserved(
    client: Client, session: dict[str, str], admin: dict[str, str]
) -> None:
    users.refresh()
    reply = client.request("DELETE", "/users/ALICE", headers=admin)
    assert (reply.status, reply.body) == (204, b"")
    assert [one["nickname"] for one in list_users(client)] == ["Root"]
    assert client.get("/users/alice", headers=admin).status == 404
    assert client.get("/profile", headers=session).json["data"] == {}
    assert client.post("/auth", json={"action": "log-in", **NEW, "nickname": "alice"}).status == 400
    used = client.post("/auth", json={"action": "register", **NEW, "nickname": "alice"})
    assert used.json == refusal(400, "This nickname is already in use.")


def test_administrators_cannot_demote_or_suspend_themselves(client: Client, admin: dict[str, str]) -> None:
    expected = refusal(409, "An administrator cannot do this to their own account: ask another one.", logged_in=True)
    assert patch(client, "root", admin, {"groups": []}).json == expected
    assert patch(client, "root", admin, {"groups": ["banned"]}).json == expected
    assert client.request("DELETE", "/users/root", headers=admin).json == expected
    assert (accounts.named("root").rank, accounts.named("root").suspended) == ("ADMIN", False)
    assert (
        patch(client, "root", admin, {"groups": [], "password": "white rabbit", "current_password": "toor"}).json
        == expected
    )
    assert accounts.log_in("root", "toor")
    other = as_user(accounts.create("Root2", "root2@example.org", rank="ADMIN"))
    assert patch(client, "root", other, {"groups": []}).status == 204
    assert accounts.named("root").rank == "MEMBER"


def test_keys_cannot_change_users(client: Client, alice: Account, key: dict[str, str]) -> None:
    alice.update(actions=[Account.rank.set("ADMIN")])
    expected = refusal(403, "A key may not change users: log in.", logged_in=True)
    assert client.get("/users/alice", headers=key).status == 200
    assert patch(client, "alice", key, {"password": "new"}).json == expected
    assert client.post("/users", headers=key, json=NEW).json == expected
    assert client.request("DELETE", "/users/alice", headers=key).json == expected


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_wrong_method_is_not_found(client: Client, admin: dict[str, str], method: str) -> None:
    reply = client.request(method, "/users/alice", headers=admin)
    assert (reply.status, reply.json) == (404, refusal(404, "", logged_in=True))
