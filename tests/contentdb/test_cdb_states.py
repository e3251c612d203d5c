"""The states of a package between draft and approved, and the permissions for each change of state."""

import pytest
import time_machine

from chalicelib.contentdb.collections import curation
from chalicelib.contentdb.packages import states
from chalicelib.contentdb.store.parts import load_parts
from chalicelib.contentdb.store.permissions import PackageAction, may, may_delete_release
from chalicelib.contentdb.store.tables import Package, Release
from chalicelib.core import audit
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import change, draft, member, published, refusal, release, screenshot, token
from tests.worlds import both_worlds

LAMPS = "/api/packages/Alice/lamps/"
READY = {"ai_disclosure": "NONE"}
NO_DISCLOSURE = "You need to set ai_disclosure to one of NONE, ASSISTED, GENERATED, by an edit or .cdb.json"
NO_GAMES = (
    "You need to set the supported games: supported_games in the .conf of a release (`*` means all), "
    "or game_support by an edit"
)


@pytest.fixture(autouse=True)
def _lamps(alice: Account) -> None:
    draft("Alice/lamps", **READY)
    change("Alice/lamps", supports_all_games=True)
    release("Alice/lamps")
    screenshot("Alice/lamps", approved=False)


def step(client: Client, name: str, headers: dict[str, str]) -> Reply:
    return client.post(f"{LAMPS}{name}/", headers=headers)


@both_worlds
def test_a_package_goes_from_draft_to_the_list_and_back(client: Client, bearer: dict[str, str]) -> None:
    approver = token(member("carol", "APPROVER"))
    for name, headers, state in (
        ("submit", bearer, "READY_FOR_REVIEW"),
        ("request-changes", approver, "CHANGES_NEEDED"),
        ("submit", bearer, "READY_FOR_REVIEW"),
        ("approve", approver, "APPROVED"),
        ("request-changes", approver, "CHANGES_NEEDED"),
        ("submit", bearer, "READY_FOR_REVIEW"),
        ("approve", approver, "APPROVED"),
        ("unapprove", bearer, "WIP"),
    ):
        reply = step(client, name, headers)
        assert (reply.status, reply.json) == (200, {"success": True, "state": state})
        assert client.get(LAMPS).json["state"] == state
        assert len(client.get("/api/packages/").json) == (state == "APPROVED")


@both_worlds
def test_a_deleted_package_can_be_restored_completely(client: Client, bearer: dict[str, str]) -> None:
    before = client.get(LAMPS).json
    reply = client.request("DELETE", LAMPS, headers=bearer)
    assert (reply.status, reply.json) == (200, {"success": True, "state": "DELETED"})
    assert client.get(LAMPS).status == 404
    assert client.request("DELETE", LAMPS, headers=bearer).status == 404
    reply = step(client, "restore", bearer)
    assert (reply.status, reply.json) == (200, {"success": True, "state": "READY_FOR_REVIEW"})
    assert client.get(LAMPS).json == {**before, "state": "READY_FOR_REVIEW"}


@pytest.mark.parametrize("path", ["Alice/nothing", "collection%23ContentDB/featured", "reference/tags"])
def test_other_items_cannot_be_restored(client: Client, bearer: dict[str, str], path: str) -> None:
    curation.set_packages("ContentDB", "featured", [])
    reply = client.post(f"/api/packages/{path}/restore/", headers=bearer)
    assert (reply.status, reply.json) == (404, refusal("There is no such package."))


def test_an_approval_approves_the_screenshots_and_keeps_its_first_date(client: Client) -> None:
    with time_machine.travel("2026-03-04T05:06:07Z", tick=False):
        states.apply("approve", "Alice", "lamps")
    assert [shot.approved for shot in load_parts(1).screenshots.values()] == [True]
    states.apply("unapprove", "Alice", "lamps")
    states.apply("approve", "Alice", "lamps")
    shown = client.get(LAMPS).json
    assert (shown["approved_at"], len(shown["screenshots"])) == ("2026-03-04T05:06:07.000000", 1)


@pytest.mark.parametrize(
    ("name", "state"),
    [("approve", "WIP"), ("restore", "READY_FOR_REVIEW"), ("unapprove", "WIP"), ("request-changes", "WIP")],
)
def test_an_impossible_step_is_a_conflict_and_a_repeated_one_changes_nothing(
    client: Client, name: str, state: str
) -> None:
    change("Alice/lamps", state=state)
    reply = step(client, name, token(member("root", "ADMIN")))
    target = states.TRANSITIONS[name].target
    if target == state:
        assert (reply.status, reply.json) == (200, {"success": True, "state": state})
    else:
        assert (reply.status, reply.json) == (409, refusal(f"A package that is {state} cannot become {target}"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("submit", "submit"),
        ("approve", "approve"),
        ("request-changes", "request changes"),
        ("unapprove", "unapprove"),
        ("restore", "restore"),
    ],
)
def test_other_accounts_cannot_change_the_state(client: Client, bob: Account, name: str, words: str) -> None:
    reply = step(client, name, token(bob))
    assert (reply.status, reply.json) == (403, refusal(f"You don't have permission to {words} this package"))
    assert client.request("DELETE", LAMPS, headers=token(bob)).status == 403


def test_a_token_for_another_package_cannot_change_the_state(client: Client, alice: Account) -> None:
    reply = step(client, "submit", token(alice, scope="package:Alice/doors"))
    assert (reply.status, reply.json) == (403, refusal("API token does not have access to the package"))


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"ai_disclosure": None}, NO_DISCLOSURE),
        ({"supports_all_games": False}, NO_GAMES),
        (
            {"depends": ["moon", "nowhere", "bob/none", "Alice/moon"]},
            "The following hard dependencies need to be added to ContentDB first: nowhere, bob/none",
        ),
        ({"forums": 77}, "Another package uses this forum topic"),
    ],
)
def test_a_package_with_a_problem_cannot_be_submitted(
    client: Client, bearer: dict[str, str], attributes: dict[str, object], problem: str
) -> None:
    published("Alice/moon", type="GAME", forums=77)
    change("Alice/moon", provides=["moon"])
    change("Alice/lamps", **attributes)
    reply = step(client, "submit", bearer)
    assert (reply.status, reply.json) == (403, refusal(problem))


def test_two_games_cannot_have_the_same_name(client: Client, bob: Account) -> None:
    published("Alice/moon", type="GAME")
    draft("bob/moon", type="GAME", **READY)
    release("bob/moon")
    screenshot("bob/moon")
    reply = client.post("/api/packages/bob/moon/submit/", headers=token(bob))
    assert (reply.status, reply.json) == (403, refusal("A game already exists with this name"))


def test_the_error_of_an_incomplete_draft_lists_all_problems(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/doors")
    release("Alice/doors", state="FAILED")
    reply = client.post("/api/packages/Alice/doors/submit/", headers=bearer)
    assert reply.json["error"] == (
        "You need to create a release before this package can be approved; You need to add at least one screenshot; "
        f"{NO_DISCLOSURE}; {NO_GAMES}"
    )


def test_an_approval_of_an_incomplete_draft_names_what_is_missing(client: Client) -> None:
    change("Alice/lamps", ai_disclosure=None)
    reply = step(client, "approve", token(member("root", "ADMIN")))
    error = f"A package that is WIP cannot become APPROVED; {NO_DISCLOSURE}"
    assert (reply.status, reply.json) == (409, refusal(error))


def test_an_approval_by_the_command_line_returns_problems_as_warnings() -> None:
    change("Alice/lamps", ai_disclosure=None)
    package, warnings = states.apply("approve", "Alice", "lamps")
    step_left_out = "Through the API, a package that is WIP cannot become APPROVED"
    assert (package.state, warnings) == ("APPROVED", [step_left_out, NO_DISCLOSURE])


def test_changes_of_state_are_in_the_audit_log(client: Client, alice: Account, bearer: dict[str, str]) -> None:
    step(client, "submit", bearer)
    states.apply("approve", "Alice", "lamps")
    assert [entry.action for entry in audit.entries(int(alice.id))][:2] == ["package.approve", "package.submit"]


ALL_RANKS = [*accounts.ranks()]


def _from(rank: str) -> list[str]:
    return ALL_RANKS[ALL_RANKS.index(rank) :]


@pytest.mark.parametrize(
    ("action", "state", "stranger", "maintainer", "author"),
    [
        (PackageAction.EDIT, "APPROVED", _from("EDITOR"), _from("NEW_MEMBER"), _from("NEW_MEMBER")),
        (PackageAction.CHANGE_NAME, "WIP", _from("EDITOR"), _from("NEW_MEMBER"), _from("NEW_MEMBER")),
        (PackageAction.CHANGE_NAME, "APPROVED", [], [], []),
        (PackageAction.MAKE_RELEASE, "APPROVED", _from("EDITOR"), _from("NEW_MEMBER"), _from("NEW_MEMBER")),
        (PackageAction.APPROVE_RELEASE, "APPROVED", _from("APPROVER"), _from("NEW_MEMBER"), _from("NEW_MEMBER")),
        (PackageAction.ADD_SCREENSHOTS, "WIP", _from("EDITOR"), _from("NEW_MEMBER"), _from("NEW_MEMBER")),
        (PackageAction.APPROVE_SCREENSHOT, "WIP", _from("APPROVER"), _from("NEW_MEMBER"), _from("NEW_MEMBER")),
        (
            PackageAction.APPROVE_SCREENSHOT,
            "APPROVED",
            _from("APPROVER"),
            _from("TRUSTED_MEMBER"),
            _from("TRUSTED_MEMBER"),
        ),
        (PackageAction.APPROVE, "WIP", _from("APPROVER"), _from("APPROVER"), _from("APPROVER")),
        (PackageAction.CHANGE_AUTHOR, "WIP", _from("APPROVER"), _from("APPROVER"), _from("APPROVER")),
        (PackageAction.UNAPPROVE, "APPROVED", _from("APPROVER"), _from("APPROVER"), _from("NEW_MEMBER")),
        (PackageAction.DELETE, "APPROVED", _from("EDITOR"), _from("EDITOR"), _from("NEW_MEMBER")),
        (PackageAction.EDIT_MAINTAINERS, "WIP", _from("EDITOR"), _from("EDITOR"), _from("NEW_MEMBER")),
        (PackageAction.EDIT_ALIASES, "WIP", ["ADMIN"], ["ADMIN"], ["ADMIN"]),
    ],
)
def test_each_action_requires_a_rank(
    action: PackageAction, state: str, stranger: list[str], maintainer: list[str], author: list[str]
) -> None:
    package = Package("p", "package", author="Alice", maintainers=["bob"], state=state)
    for username, allowed in (("carol", stranger), ("bob", maintainer), ("Alice", author)):
        ranks = [rank for rank in ALL_RANKS if may(Account("a", "a", username=username, rank=rank), action, package)]
        assert ranks == allowed


@pytest.mark.parametrize(
    ("state", "release_state", "newest", "author", "admin"),
    [
        ("APPROVED", "APPROVED", 3, False, True),
        ("APPROVED", "APPROVED", 4, True, True),
        ("APPROVED", "FAILED", 3, True, True),
        ("APPROVED", "PROCESSING", 3, True, True),
        ("WIP", "APPROVED", 3, True, True),
    ],
)
def test_authors_cannot_delete_the_newest_release_of_an_approved_package(
    state: str, release_state: str, newest: int, author: bool, admin: bool
) -> None:
    package = Package("p", "package", author="Alice", maintainers=[], state=state)
    made = Release("p", "release#3", id=3, state=release_state)
    for username, rank, allowed in (("Alice", "MEMBER", author), ("root", "ADMIN", admin), ("bob", "APPROVER", False)):
        assert may_delete_release(Account("a", "a", username=username, rank=rank), package, made, newest) is allowed
