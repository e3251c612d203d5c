"""Comments on a package's approval and on reviews."""

import pytest

from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.store.moderation_tables import Comment
from chalicelib.core import job_runner
from chalicelib.core.notifications import inbox
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import draft, member, published, refusal, token
from tests.worlds import both_worlds

LAMPS = "/api/packages/Alice/lamps/"
APPROVAL = f"{LAMPS}comments/"


@pytest.fixture(autouse=True)
def _draft(alice: Account) -> None:
    draft("Alice/lamps")


@pytest.fixture
def review(client: Client, alice: Account, bob: Account) -> str:
    """The path of Bob's review of an approved package of Alice's."""
    published("Alice/doors")
    body = {"title": "Good doors", "comment": "They open well.", "rating": 5}
    reply = client.request("PUT", "/api/packages/Alice/doors/reviews/", json=body, headers=token(bob))
    return f"/api/packages/Alice/doors/reviews/{reply.json['review']['thread']['id']}/"


def say(client: Client, path: str, account: Account, text: str = "I *agree*.") -> Reply:
    return client.post(path, json={"comment": text}, headers=token(account))


def close(client: Client, path: str, account: Account, closed: bool = True) -> Reply:
    return client.request("PUT", path, json={"closed": closed}, headers=token(account))


def said(client: Client, path: str, account: Account | None = None) -> list[tuple[str, str]]:
    reply = client.get(path, headers=token(account) if account else {})
    assert reply.status == 200, reply.body
    return [(one["author"], one["comment"]) for one in reply.json["comments"]]


def told(account: Account) -> list[str]:
    """The subjects of an account's notifications about comments, newest first."""
    return [one.subject for one in inbox.entries(account) if one.about == "contentdb.comment"]


def test_author_and_approvers_talk_about_an_approval(client: Client, alice: Account) -> None:
    carol = member("carol", "APPROVER")
    assert say(client, APPROVAL, carol, "Where is\r\nthe **licence**?").status == 200
    reply = say(client, APPROVAL, alice, "In the root.")
    assert reply.json["comment"] == {
        "id": 2,
        "author": "Alice",
        "comment": "In the root.",
        "step": None,
        "created_at": reply.json["comment"]["created_at"],
    }
    assert said(client, APPROVAL, alice) == [("carol", "Where is\nthe **licence**?"), ("Alice", "In the root.")]
    assert told(alice) == ["carol commented on the approval of Alice/lamps"]
    assert told(carol) == ["Alice commented on the approval of Alice/lamps"]


def test_an_approval_is_private(client: Client, alice: Account, bob: Account) -> None:
    say(client, APPROVAL, alice)
    hidden = (404, refusal("There is no conversation here that you can see"))
    for reply in (client.get(APPROVAL, headers=token(bob)), say(client, APPROVAL, bob), close(client, APPROVAL, bob)):
        assert (reply.status, reply.json) == hidden
    assert client.get(APPROVAL).status == 401
    registry.set_maintainers("Alice", "lamps", ["bob"])
    assert said(client, APPROVAL, bob) == [("Alice", "I *agree*.")]


def test_everybody_reads_and_members_write_comments_on_a_review(
    client: Client, alice: Account, bob: Account, review: str
) -> None:
    dave = member("dave", "NEW_MEMBER")
    assert say(client, f"{review}comments/", dave, "Mine creak.").status == 200
    assert say(client, f"{review}comments/", alice, "Oil them.").status == 200
    assert said(client, f"{review}comments/") == [("dave", "Mine creak."), ("Alice", "Oil them.")]
    sentence = "commented on a review of Alice/doors"
    assert (told(alice), told(bob)) == ([f"dave {sentence}"], [f"Alice {sentence}", f"dave {sentence}"])
    assert told(dave) == [f"Alice {sentence}"]


@pytest.mark.parametrize("who", ["Alice", "bob", "carol"])
def test_either_side_and_approvers_close_a_conversation(
    client: Client, alice: Account, bob: Account, review: str, who: str
) -> None:
    accounts = {"Alice": alice, "bob": bob, "carol": member("carol", "APPROVER")}
    path = f"{review}comments/"
    dave = member("dave")
    assert close(client, path, dave).json == refusal("You don't have permission to close this conversation")
    assert close(client, path, accounts[who]).json == {"success": True, "closed": True}
    reply = say(client, path, dave)
    assert (reply.status, reply.json) == (403, refusal("This conversation is closed"))
    assert client.get(path).json == {"closed": True, "closed_by": who, "comments": []}
    assert say(client, path, member("erin", "MODERATOR")).status == 200
    assert close(client, path, accounts[who], closed=False).status == 200
    assert say(client, path, dave).status == 200


@both_worlds
def test_authors_and_moderators_delete_comments(client: Client, alice: Account, bob: Account, review: str) -> None:
    path = f"{review}comments/"
    numbers = [say(client, path, account).json["comment"]["id"] for account in (alice, bob)]
    carol, erin = member("carol", "APPROVER"), member("erin", "MODERATOR")
    assert client.request("DELETE", f"{path}{numbers[1]}/", headers=token(alice)).status == 403
    assert client.request("DELETE", f"{path}{numbers[1]}/", headers=token(carol)).status == 403
    assert client.request("DELETE", f"{path}{numbers[1]}/", headers=token(erin)).status == 200
    assert client.request("DELETE", f"{path}{numbers[0]}/", headers=token(alice)).status == 200
    assert client.request("DELETE", f"{path}{numbers[0]}/", headers=token(alice)).json == refusal("Comment not found")
    assert said(client, path) == []


def test_the_game_shows_the_number_of_comments(client: Client, alice: Account, review: str) -> None:
    say(client, f"{review}comments/", alice)
    shown = client.get("/api/packages/Alice/doors/for-client/reviews/", query="formspec_version=7").json["body"]
    assert "<u>1 comment, 0 helpful, 0 unhelpful</u>" in shown


@both_worlds
def test_a_deleted_review_takes_its_comments_with_it(client: Client, alice: Account, bob: Account, review: str) -> None:
    say(client, f"{review}comments/", alice)
    assert client.request("DELETE", review, headers=token(bob)).status == 200
    while job_runner.run_due():
        pass
    assert client.get(f"{review}comments/").status == 404
    assert [item for item in Comment.scan() if isinstance(item, Comment)] == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "comment must be a str"),
        ({"comment": "x"}, "comment must have 2 to 2000 characters"),
        ({"comment": "x" * 2001}, "comment must have 2 to 2000 characters"),
        ({"comment": "a\0b"}, "comment must not have control characters"),
        ({"comment": "yes", "private": True}, "private is not a known field"),
    ],
)
def test_a_bad_comment_is_refused(client: Client, alice: Account, body: dict[str, object], error: str) -> None:
    reply = client.post(APPROVAL, json=body, headers=token(alice))
    assert (reply.status, reply.json) == (400, refusal(error))
    assert said(client, APPROVAL, alice) == []


def test_comments_are_limited_per_minute(client: Client) -> None:
    dave = member("dave", "NEW_MEMBER")
    draft("dave/walls")
    path = "/api/packages/dave/walls/comments/"
    assert [say(client, path, dave).status for _ in range(5)] == [200, 200, 200, 200, 429]
