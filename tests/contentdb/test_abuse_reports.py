"""Reports of abuse, from their author to the answer of an editor."""

from typing import Any

import pytest

from chalicelib.core.notifications import inbox
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import member, refusal, token
from tests.worlds import both_worlds

REPORTS = "/api/reports/"
SPAM = {
    "category": "spam",
    "url": "https://example.org/packages/bob/casino/",
    "title": "Casino is no package",
    "message": "It only has *links*.",
}


def report(client: Client, account: Account, **changes: Any) -> Reply:
    return client.post(REPORTS, json={**SPAM, **changes}, headers=token(account))


@both_worlds
def test_editors_get_a_report_and_its_author_the_answer(client: Client, alice: Account) -> None:
    editor, approver = member("erin", "EDITOR"), member("carol", "APPROVER")
    made = report(client, alice).json["report"]
    assert {name: made[name] for name in SPAM} == SPAM
    queued = client.get("/api/queue/", headers=token(editor)).json
    assert [(one["type"], one["id"], one["title"]) for one in queued] == [("report", 1, "Casino is no package")]
    assert client.get("/api/queue/", headers=token(approver)).json == []
    body = {"outcome": "content_removed", "reason": "Thank you."}
    closed = client.post(f"{REPORTS}1/close/", json=body, headers=token(editor)).json["report"]
    assert (closed["outcome"], closed["answer"], closed["closed_by"]) == ("content_removed", "Thank you.", "erin")
    assert client.get("/api/queue/", headers=token(editor)).json == []
    assert client.get(f"{REPORTS}1/", headers=token(alice)).json == closed
    notices = [(one.subject, one.text) for one in inbox.entries(alice) if one.about == "contentdb.report"]
    sentence = "Your report 'Casino is no package' is completed, and content was removed"
    assert notices == [(sentence, "Thank you.")]


def test_a_report_is_closed_once(client: Client, alice: Account) -> None:
    report(client, alice)
    headers, body = token(member("erin", "EDITOR")), {"outcome": "no_action"}
    replies = [client.post(f"{REPORTS}1/close/", json=body, headers=headers) for _ in range(2)]
    assert [reply.status for reply in replies] == [200, 409]
    assert replies[1].json == refusal("The report is closed already")


def test_others_cannot_see_a_report(client: Client, alice: Account, bob: Account) -> None:
    report(client, alice)
    for reply in (
        client.get(f"{REPORTS}1/", headers=token(bob)),
        client.get(f"{REPORTS}7/", headers=token(alice)),
        client.post(f"{REPORTS}1/close/", json={"outcome": "no_action"}, headers=token(bob)),
    ):
        assert (reply.status, reply.json) == (404, refusal("Report not found"))
    own = client.post(f"{REPORTS}1/close/", json={"outcome": "no_action"}, headers=token(alice))
    assert (own.status, own.json) == (403, refusal("You don't have permission to close reports"))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"category": "fun"},
            "category must be one of: account_deletion, copyright, user_conduct, spam, illegal_harmful, review, "
            "appeal, other",
        ),
        ({"title": "Spam"}, "title must have 10 to 300 characters"),
        ({"title": "Casino is\nno package"}, "title must be one line, without control characters"),
        ({"message": None}, "message must be a str"),
        ({"url": 7}, "url must be a str"),
        ({"image": "x"}, "image is not a known field"),
    ],
)
def test_a_bad_report_is_refused(client: Client, alice: Account, changes: dict[str, Any], error: str) -> None:
    reply = report(client, alice, **changes)
    assert (reply.status, reply.json) == (400, refusal(error))


def test_reports_are_limited(client: Client) -> None:
    dave = member("dave", "NEW_MEMBER")
    assert [report(client, dave).status for _ in range(3)] == [200, 200, 429]
