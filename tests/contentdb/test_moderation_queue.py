"""The approval queue: what waits for moderators, and the decisions that end it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from chalicelib.contentdb.moderation import queue
from chalicelib.contentdb.packages import registry, states
from chalicelib.contentdb.reviews import lifecycle
from chalicelib.contentdb.store import waiting
from chalicelib.contentdb.store.moderation_tables import QUEUE, Waiting
from chalicelib.core.caller import Caller
from chalicelib.core.identity import credentials
from chalicelib.core.notifications import inbox
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from chalicelib.web import queues
from tests.client import Client, Reply
from tests.contentdb.builders import change, draft, member, published, refusal, release, screenshot, token
from tests.worlds import both_worlds

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LAMPS = "/api/packages/Alice/lamps/"


@pytest.fixture
def carol(alice: Account) -> Account:
    """An approver, next to a package of Alice's that could be approved."""
    draft("Alice/lamps", ai_disclosure="NONE")
    change("Alice/lamps", supports_all_games=True)
    release("Alice/lamps")
    screenshot("Alice/lamps")
    return member("carol", "APPROVER")


def post(client: Client, path: str, account: Account, body: Any = None) -> Reply:
    return client.post(path, json=body, headers=token(account)) if body else client.post(path, headers=token(account))


def queued(client: Client, account: Account) -> list[dict[str, Any]]:
    reply = client.get("/api/queue/", headers=token(account))
    assert reply.status == 200, reply.body
    found: list[dict[str, Any]] = reply.json
    return found


def things(client: Client, account: Account) -> list[tuple[str, str]]:
    return [(row["type"], row["package"]) for row in queued(client, account)]


def told(account: Account) -> list[tuple[str, str | None]]:
    """The subjects and texts of an account's notifications about moderation, newest first."""
    return [(one.subject, one.text) for one in inbox.entries(account) if one.about.startswith("contentdb.")]


def test_a_submitted_package_waits_with_what_its_check_found(client: Client, alice: Account, carol: Account) -> None:
    with time_machine.travel(MOMENT, tick=False):
        assert queued(client, carol) == []
        assert post(client, f"{LAMPS}submit/", alice).status == 200
        found = queued(client, carol)
    base = found[0].pop("url").removesuffix("/api/packages/Alice/lamps/")
    assert base.startswith("http")
    assert found == [
        {
            "type": "package",
            "id": 1,
            "package": "Alice/lamps",
            "title": "Lamps",
            "author": "Alice",
            "since": "2026-03-01T12:00:00.000000",
            "check": {"release": 1, "error": None, "warnings": []},
            "changed": {},
        }
    ]


def test_what_waits_longest_is_first(client: Client, alice: Account, bob: Account, carol: Account) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        for name in ("doors", "walls"):
            published(f"Alice/{name}")
        screenshot("Alice/walls", approved=False)
        clock.shift(timedelta(hours=1))
        states.apply("submit", "Alice", "lamps")
        clock.shift(timedelta(hours=1))
        bob.rank = "NEW_MEMBER"
        given = {"title": "See this", "comment": "See https://example.org", "rating": 5}
        caller = Caller(bob, credentials.create(bob, "contentdb")[0])
        lifecycle.write(caller, "Alice", "doors", lifecycle.NewReview(**given, language="en"))
        assert things(client, carol) == [
            ("screenshot", "Alice/walls"),
            ("package", "Alice/lamps"),
            ("review", "Alice/doors"),
        ]


@pytest.mark.parametrize(
    ("step", "state", "verb"),
    [
        ("approve", "APPROVED", "approved"),
        ("request-changes", "CHANGES_NEEDED", "asked for changes of"),
        ("unapprove", "WIP", "made a draft of"),
    ],
)
def test_a_verdict_ends_the_wait_and_tells_why(
    client: Client, alice: Account, bob: Account, carol: Account, step: str, state: str, verb: str
) -> None:
    registry.set_maintainers("Alice", "lamps", ["bob"])
    post(client, f"{LAMPS}submit/", alice)
    reply = post(client, f"{LAMPS}{step}/", carol, {"reason": "It *glows*."})
    assert (reply.status, reply.json) == (200, {"success": True, "state": state})
    assert queued(client, carol) == []
    assert told(alice) == told(bob) == [(f"carol {verb} Alice/lamps", "It *glows*.")]
    assert told(carol) == []
    comments = client.get(f"{LAMPS}comments/", headers=token(alice)).json["comments"]
    assert [(one["author"], one["comment"], one["step"]) for one in comments] == [("carol", "It *glows*.", step)]


def test_metadata_that_changed_since_the_approval_is_listed(client: Client, alice: Account, carol: Account) -> None:
    states.apply("submit", "Alice", "lamps")
    states.apply("approve", "Alice", "lamps")
    for title in ("Torches", "Lanterns"):
        assert client.request("PUT", LAMPS, json={"title": title, "license": "MIT"}, headers=token(alice)).status == 200
    states.apply("request-changes", "Alice", "lamps")
    states.apply("submit", "Alice", "lamps")
    assert queued(client, carol)[0]["changed"] == {"title": ["Lamps", "Lanterns"]}
    assert [one.details for one in queue.pending(None)] == [("changed title: 'Lamps' -> 'Lanterns'",)]
    client.request("PUT", LAMPS, json={"title": "Lamps"}, headers=token(alice))
    assert queued(client, carol)[0]["changed"] == {}
    states.apply("approve", "Alice", "lamps")
    states.apply("request-changes", "Alice", "lamps")
    states.apply("submit", "Alice", "lamps")
    assert queued(client, carol)[0]["changed"] == {}


def test_a_refused_screenshot_is_gone_and_its_author_knows_why(client: Client, alice: Account, carol: Account) -> None:
    published("Alice/doors")
    number = screenshot("Alice/doors", approved=False)
    path = f"/api/packages/Alice/doors/screenshots/{number}/"
    assert post(client, f"{path}refuse/", carol, {"reason": ""}).json == refusal(
        "reason must have 2 to 2000 characters"
    )
    assert things(client, carol) == [("screenshot", "Alice/doors")]
    assert post(client, f"{path}refuse/", carol, {"reason": "Too dark."}).status == 200
    assert (client.get(path).status, queued(client, carol)) == (404, [])
    assert told(alice)[0] == ("carol refused a screenshot of Alice/doors", "Too dark.")


def test_a_refused_review_is_gone_and_its_author_knows_why(client: Client, alice: Account, carol: Account) -> None:
    published("Alice/doors")
    dave = member("dave", "NEW_MEMBER")
    given = {"title": "Links", "comment": "See https://example.org", "rating": 5}
    reply = client.request("PUT", "/api/packages/Alice/doors/reviews/", json=given, headers=token(dave))
    path = f"/api/packages/Alice/doors/reviews/{reply.json['review']['thread']['id']}/"
    assert things(client, carol) == [("review", "Alice/doors")]
    assert post(client, f"{path}refuse/", alice, {"reason": "No!"}).status == 403
    assert post(client, f"{path}refuse/", carol, {"reason": "No links."}).status == 200
    assert (client.get(path, headers=token(dave)).status, queued(client, carol)) == (404, [])
    assert told(dave) == [("carol refused your review of Alice/doors", "No links.")]


def test_what_is_approved_cannot_be_refused(client: Client, alice: Account, bob: Account, carol: Account) -> None:
    published("Alice/doors")
    given = {"title": "Good", "comment": "I like them.", "rating": 5}
    reply = client.request("PUT", "/api/packages/Alice/doors/reviews/", json=given, headers=token(bob))
    review = f"/api/packages/Alice/doors/reviews/{reply.json['review']['thread']['id']}/refuse/"
    shot = f"/api/packages/Alice/doors/screenshots/{screenshot('Alice/doors')}/refuse/"
    assert [post(client, path, carol, {"reason": "No."}).status for path in (review, shot)] == [409, 409]


def test_only_approvers_see_the_queue(client: Client, alice: Account) -> None:
    reply = client.get("/api/queue/", headers=token(alice))
    assert (reply.status, reply.json) == (403, refusal("You don't have permission to see the approval queue"))
    assert client.get("/api/queue/").status == 401
    assert queue.pending(Caller(alice, credentials.create(alice, "contentdb")[0])) == []


@both_worlds
def test_a_package_that_is_deleted_waits_no_more(client: Client, alice: Account, carol: Account) -> None:
    states.apply("submit", "Alice", "lamps")
    states.apply("delete", "Alice", "lamps")
    assert queued(client, carol) == []
    states.apply("restore", "Alice", "lamps")
    assert things(client, carol) == [("package", "Alice/lamps")]


def test_the_queue_is_one_query(client: Client, alice: Account, carol: Account, calls: list[str]) -> None:
    states.apply("submit", "Alice", "lamps")
    headers = token(carol)
    client.get("/api/queue/", headers=headers)
    calls.clear()
    assert client.get("/api/queue/", headers=headers).status == 200
    of_request = [*calls]
    calls.clear()
    queues.of(None)
    assert (calls, of_request.count("Query"), len(of_request)) == (["Query"], 1, 3)  # the others are of the token


def test_fsck_mends_the_queue(client: Client, alice: Account, carol: Account) -> None:
    states.apply("submit", "Alice", "lamps")
    Waiting(QUEUE, "package#1").delete()
    writes = Transaction()
    writes.put(Waiting(QUEUE, "review#9", thing="review", id=9, title="x", author="x", since=MOMENT))
    writes.commit()
    found = list(waiting.inconsistencies())
    assert [(each.subject, each.message) for each in found] == [
        ("package#1", "waits for moderators and is not in their queue"),
        ("review#9", "is in the queue needlessly"),
    ]
    for each in found:
        assert each.fix
        each.fix()
    assert list(waiting.inconsistencies()) == []
    assert things(client, carol) == [("package", "Alice/lamps")]
