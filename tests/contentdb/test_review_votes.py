"""Votes on reviews, and the order of reviews by votes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine

from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import Review, ReviewVote
from chalicelib.core import audit, job_runner
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import member, published, refusal, token
from tests.contentdb.test_reviews import REVIEWS, write


@pytest.fixture
def bobs(client: Client, alice: Account, bob: Account) -> dict[str, str]:
    """The header of Bob's token; Bob has written the only review."""
    published("Alice/lamps")
    headers = token(bob)
    write(client, headers)
    return headers


def vote(client: Client, headers: dict[str, str], is_helpful: Any, number: int = 1) -> Reply:
    return client.request("PUT", f"{REVIEWS}{number}/votes/", json={"is_helpful": is_helpful}, headers=headers)


def shown(client: Client, number: int = 1) -> tuple[int, int]:
    votes = client.get(f"{REVIEWS}{number}/").json["votes"]
    return votes["helpful"], votes["unhelpful"]


def test_each_account_has_one_vote_and_can_change_it(
    client: Client, bobs: dict[str, str], bearer: dict[str, str]
) -> None:
    carol = token(member("carol"))
    for headers, is_helpful, votes in (
        (bearer, True, (1, 0)),
        (bearer, True, (1, 0)),
        (carol, False, (1, 1)),
        (bearer, False, (0, 2)),
        (bearer, None, (0, 1)),
        (bearer, None, (0, 1)),
        (carol, True, (1, 0)),
    ):
        reply = vote(client, headers, is_helpful)
        expected = {"success": True, "votes": {"helpful": votes[0], "unhelpful": votes[1]}}
        assert (reply.status, reply.json, shown(client)) == (200, expected, votes)
    assert [(item.sk, item.is_helpful) for item in ReviewVote.query("review-votes#1")] == [("3", True)]


def test_authors_cannot_vote_on_their_own_reviews(client: Client, bobs: dict[str, str]) -> None:
    for is_helpful in (True, False, None):
        reply = vote(client, bobs, is_helpful)
        assert (reply.status, reply.json) == (403, refusal("You can't vote on your own reviews!"))
    assert shown(client) == (0, 0)


def test_votes_require_an_account_token_and_a_rank(client: Client, alice: Account, bobs: dict[str, str]) -> None:
    for headers, status, error in (
        ({}, 401, "Authentication needed"),
        (token(member("carol", "NOT_JOINED")), 403, "You don't have permission to vote on reviews"),
        (token(alice, scope="package:Alice/lamps"), 403, "This key may not do that: its scope is package:Alice/lamps."),
    ):
        reply = vote(client, headers, True)
        assert (reply.status, reply.json, shown(client)) == (status, refusal(error), (0, 0))


@pytest.mark.parametrize("body", [{}, {"is_helpful": "yes"}, {"is_helpful": 1}, {"helpful": True}, []])
def test_an_invalid_vote_is_rejected(client: Client, bobs: dict[str, str], bearer: dict[str, str], body: Any) -> None:
    assert client.request("PUT", f"{REVIEWS}1/votes/", json=body, headers=bearer).status == 400
    assert shown(client) == (0, 0)


def test_a_vote_on_an_unapproved_review_is_404(client: Client, bobs: dict[str, str], bearer: dict[str, str]) -> None:
    write(client, token(member("carol", "NEW_MEMBER")), comment="See https://spam.example now")
    reply = vote(client, bearer, True, 2)
    assert (reply.status, reply.json) == (404, refusal("Review not found"))


def test_reviews_are_sorted_by_helpfulness_then_by_date(
    client: Client, bobs: dict[str, str], bearer: dict[str, str]
) -> None:
    for name in ("carol", "dora"):
        write(client, token(member(name)))
    assert [review["thread"]["id"] for review in client.get(REVIEWS).json] == [3, 2, 1]
    vote(client, bearer, True, 1)
    vote(client, bearer, False, 3)
    assert [review["thread"]["id"] for review in client.get(REVIEWS).json] == [1, 2, 3]
    assert [review["thread"]["id"] for review in client.get("/api/reviews/").json["items"]] == [3, 2, 1]


def test_an_edit_keeps_the_votes_and_a_vote_changes_no_list(
    client: Client, bobs: dict[str, str], bearer: dict[str, str]
) -> None:
    sequence = index.catalogue.snapshot().sequence
    vote(client, bearer, True)
    assert index.catalogue.snapshot().sequence == sequence
    write(client, bobs, rating=1)
    assert shown(client) == (1, 0)


def test_the_votes_of_a_deleted_review_are_deleted(
    client: Client, bobs: dict[str, str], bearer: dict[str, str]
) -> None:
    vote(client, bearer, True)
    client.request("DELETE", REVIEWS, headers=bobs)
    job_runner.run_due()
    assert list(ReviewVote.query("review-votes#1")) == []
    write(client, bobs)
    assert shown(client, 2) == (0, 0)


def test_concurrent_votes_are_all_counted(client: Client, bobs: dict[str, str]) -> None:
    voters = [token(member(f"voter{number}")) for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        statuses = list(threads.map(lambda headers: vote(client, headers, True).status, voters))
    assert statuses == [200] * 4
    review = Review.get("reviews#1", "2")
    assert int(review.helpful) == 4 == len(list(ReviewVote.query("review-votes#1")))


def test_votes_are_rate_limited(client: Client, bobs: dict[str, str], bearer: dict[str, str]) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        for number in range(30):
            assert vote(client, bearer, number % 2 == 0).status == 200
        assert vote(client, bearer, True).status == 429
    assert shown(client) == (0, 1)


def test_votes_are_in_the_audit_log(client: Client, bobs: dict[str, str], bearer: dict[str, str]) -> None:
    vote(client, bearer, True)
    entry = next(audit.entries(int(accounts.named("Alice").id)))
    assert (entry.action, entry.detail) == ("review.vote", {"review": 1, "is_helpful": True})


def test_a_vote_costs_eight_calls(
    client: Client, bobs: dict[str, str], bearer: dict[str, str], calls: list[str]
) -> None:
    vote(client, bearer, True)
    calls.clear()
    assert vote(client, bearer, False).status == 200
    credential = ["UpdateItem", "GetItem"]
    assert calls == [
        *("Query", *credential, "Query", "UpdateItem", "Query", "GetItem", "GetItem", "TransactWriteItems"),
    ]
