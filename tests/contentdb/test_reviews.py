"""Reviews of one package: permissions, validation, responses, and the package's score."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from chalicelib.contentdb.packages import registry, states
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.reviews import lifecycle
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import Counters, Review
from chalicelib.core import audit
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import NO_SUCH_PAGE, NOT_JSON, draft, member, published, refusal, token

LAMPS = "/api/packages/Alice/lamps/"
REVIEWS = f"{LAMPS}reviews/"
GOOD = {"title": "Really good", "comment": "This is a *really* good mod!", "rating": 5}


@pytest.fixture(autouse=True)
def _lamps(alice: Account) -> None:
    published("Alice/lamps")


@pytest.fixture
def bobs(bob: Account) -> dict[str, str]:
    """The header of Bob's token."""
    return token(bob)


def write(client: Client, headers: dict[str, str], path: str = REVIEWS, **fields: Any) -> Reply:
    return client.request("PUT", path, json={**GOOD, **fields}, headers=headers)


def stored() -> list[tuple[str, int, str, bool]]:
    """Return the author, rating, title and approval of each stored review."""
    found = sorted(Review.scan(Review.kind == Review), key=lambda review: review.id)
    return [(review.author, int(review.rating), review.title, review.approved) for review in found]


def sums() -> tuple[int, int, int, float]:
    """Return the package's stored counters of reviews, which the catalogue must also contain."""
    counters = Counters.get("package#1", "counters")
    numbers = (int(counters.positive), int(counters.neutral), int(counters.negative))
    entry = index.catalogue.snapshot().entries["Alice/lamps"].value
    assert (entry.reviews, entry.score_reviews) == (numbers, counters.score_reviews)
    return (*numbers, float(counters.score_reviews))


def test_a_review_has_the_documented_fields(client: Client, bobs: dict[str, str]) -> None:
    with time_machine.travel("2021-11-24T16:18:33.764084Z", tick=False):
        reply = write(client, bobs)
    shown = {
        "user": {"username": "bob", "display_name": "bob"},
        "created_at": "2021-11-24T16:18:33.764084",
        "is_positive": True,
        "rating": 5,
        "title": "Really good",
        "comment": "This is a *really* good mod!",
        "votes": {"helpful": 0, "unhelpful": 0},
        "thread": {"id": 1, "url": "http://moonbase.test/api/packages/Alice/lamps/reviews/1/"},
    }
    assert (reply.status, reply.json) == (200, {"success": True, "review": shown, "approved": True})
    for path in (REVIEWS, REVIEWS.rstrip("/")):
        reply = client.get(path)
        assert (reply.status, reply.json, reply.header("Access-Control-Allow-Origin")) == (200, [shown], "*")
    reply = client.get("/api/packages/Alice/lamps/reviews/1/")
    assert (reply.status, reply.json) == (200, shown)


def test_a_package_without_reviews_has_an_empty_list(client: Client) -> None:
    assert client.get(REVIEWS).body == b"[]\n"


@pytest.mark.parametrize(
    ("rating", "is_positive", "counted"),
    [(5, True, (1, 0, 0, 150.0)), (3, False, (0, 1, 0, 0.0)), (1, False, (0, 0, 1, -150.0))],
)
def test_a_rating_changes_the_packages_score_immediately(
    client: Client, bobs: dict[str, str], rating: int, is_positive: bool, counted: tuple[int, int, int, float]
) -> None:
    assert write(client, bobs, rating=rating).json["review"]["is_positive"] is is_positive
    assert sums() == counted
    assert client.get(LAMPS).json["score"] == counted[3]


def test_reviews_change_the_order_of_packages_immediately(client: Client, bobs: dict[str, str]) -> None:
    for name in ("apples", "doors"):
        published(f"Alice/{name}")
    write(client, bobs, "/api/packages/Alice/doors/reviews/", rating=1)
    write(client, bobs, rating=5)
    for query, found in (("", ["lamps", "apples", "doors"]), ("sort=reviews", ["lamps", "doors"])):
        assert [package["name"] for package in client.get("/api/packages/", query=query).json] == found


def test_a_second_review_replaces_the_first(client: Client, bobs: dict[str, str]) -> None:
    with time_machine.travel("2026-01-02T00:00:00Z", tick=False):
        write(client, bobs)
    reply = write(client, bobs, rating=1, title="Not so good", comment="It fell\r\n\r\nfrom the wall.  ")
    review = reply.json["review"]
    assert (review["thread"]["id"], review["created_at"]) == (1, "2026-01-02T00:00:00.000000")
    assert review["comment"] == "It fell\n\nfrom the wall."
    assert (stored(), sums()) == ([("bob", 1, "Not so good", True)], (0, 0, 1, -150.0))
    assert [entry.value.title for entry in review_index.catalogue.snapshot().entries.values()] == ["Not so good"]


def test_each_account_has_one_review_per_package(client: Client, bobs: dict[str, str]) -> None:
    published("Alice/doors")
    write(client, bobs)
    write(client, bobs, "/api/packages/Alice/doors/reviews/", title="Doors")
    write(client, token(member("carol")), title="Carol's", rating=3)
    write(client, bobs, title="Again")
    assert stored() == [("bob", 5, "Again", True), ("bob", 5, "Doors", True), ("carol", 3, "Carol's", True)]
    assert [review["title"] for review in client.get(REVIEWS).json] == ["Carol's", "Again"]


def test_a_review_can_be_deleted_and_rewritten(client: Client, bobs: dict[str, str]) -> None:
    write(client, bobs)
    reply = client.request("DELETE", REVIEWS, headers=bobs)
    assert (reply.status, reply.json, stored(), sums()) == (200, {"success": True}, [], (0, 0, 0, 0.0))
    reply = client.request("DELETE", REVIEWS, headers=bobs)
    assert (reply.status, reply.json) == (404, refusal("Review not found"))
    assert write(client, bobs, rating=3).json["review"]["thread"]["id"] == 2
    assert (client.get("/api/reviews/").json["total"], sums()) == (1, (0, 1, 0, 0.0))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"title": None}, "title is required"),
        ({"comment": None}, "comment is required"),
        ({"rating": None}, "rating is required"),
        ({"title": "no"}, "title must have 3 to 100 characters"),
        ({"title": "a  " + " " * 97 + "  "}, "title must have 3 to 100 characters"),
        ({"title": "x" * 101}, "title must have 3 to 100 characters"),
        ({"title": "a\nb\nc"}, "title must be one line, without control characters"),
        ({"title": "user\u202egnp"}, "title must be one line, without control characters"),
        ({"title": 333}, "title must be a str"),
        ({"comment": "too short"}, "comment must have 10 to 2000 characters"),
        ({"comment": "x" * 2001}, "comment must have 10 to 2000 characters"),
        ({"comment": "with a \0 in it"}, "comment must not have control characters"),
        ({"comment": ["This is a list"]}, "comment must be a str"),
        ({"rating": 4}, "rating must be 1, 3 or 5"),
        ({"rating": "5"}, "rating must be 1, 3 or 5"),
        ({"rating": True}, "rating must be 1, 3 or 5"),
        ({"rating": 5.0}, "rating must be 1, 3 or 5"),
        ({"language": "klingon"}, "Unknown language klingon"),
        ({"language": 1}, "language must be a str"),
        ({"approved": True}, "approved is not a known field"),
        ({"id": 1}, "id is not a known field"),
    ],
)
def test_an_invalid_review_is_rejected_and_nothing_is_stored(
    client: Client, bobs: dict[str, str], fields: dict[str, Any], error: str
) -> None:
    reply = write(client, bobs, **fields)
    assert (reply.status, reply.json, stored(), sums()) == (400, refusal(error), [], (0, 0, 0, 0.0))


@pytest.mark.parametrize(("body", "answer"), [(b"{", NOT_JSON), (b'{"title": "\\ud800"}', NOT_JSON), (b"", NOT_JSON)])
def test_an_invalid_body_is_rejected(client: Client, bobs: dict[str, str], body: bytes, answer: Any) -> None:
    reply = client.request("PUT", REVIEWS, body=body, headers=bobs)
    assert (reply.status, reply.json) == (400, answer)
    reply = client.request("PUT", REVIEWS, json=[GOOD], headers=bobs)
    assert (reply.status, reply.json) == (400, refusal("Expected the body to be a JSON object"))
    assert client.request("PUT", REVIEWS, body=b"[" * 65537, headers=bobs).status == 413


@pytest.mark.parametrize("length", [3, 100])
def test_lengths_are_in_characters(client: Client, bobs: dict[str, str], length: int) -> None:
    reply = write(client, bobs, title="\N{SPARKLES}" * length, comment="\N{SPARKLES}" * length * 20)
    assert (reply.status, reply.json["review"]["title"]) == (200, "\N{SPARKLES}" * length)


def test_authors_and_maintainers_cannot_review_their_own_package(
    client: Client, bearer: dict[str, str], bobs: dict[str, str]
) -> None:
    registry.set_maintainers("Alice", "lamps", ["bob"])
    for headers in (bearer, bobs):
        reply = write(client, headers)
        assert (reply.status, reply.json) == (403, refusal("You can't review your own package!"))
    assert write(client, token(member("carol", "EDITOR"))).status == 200
    assert stored() == [("carol", 5, "Really good", True)]


def test_drafts_cannot_be_reviewed(client: Client, bobs: dict[str, str]) -> None:
    draft("Alice/doors")
    reply = write(client, bobs, "/api/packages/Alice/doors/reviews/")
    assert (reply.status, reply.json) == (403, refusal("You can't review a package that is not approved"))


def test_reviews_require_an_account_token_a_rank_and_a_package(
    client: Client, bob: Account, bobs: dict[str, str]
) -> None:
    for headers, status, answer in (
        ({}, 401, refusal("Authentication needed")),
        (token(member("carol", "NOT_JOINED")), 403, refusal("You don't have permission to write reviews")),
        (token(member("dora", "BANNED")), 403, refusal("Your account has been banned")),
        (token(bob, scope="read"), 403, refusal("This key may not do that: its scope is read.")),
        (
            token(bob, scope="package:Alice/lamps"),
            403,
            refusal("This key may not do that: its scope is package:Alice/lamps."),
        ),
    ):
        reply = write(client, headers)
        assert (reply.status, reply.json) == (status, answer)
    for path in ("/api/packages/Alice/nothing/reviews/", "/api/packages/nobody/lamps/reviews/"):
        for reply in (write(client, bobs, path), client.get(path), client.request("DELETE", path, headers=bobs)):
            assert (reply.status, reply.json) == (404, NO_SUCH_PAGE)
    assert stored() == []


@pytest.mark.parametrize(
    ("comment", "held"),
    [
        ("See [this](https://spam.example) now", True),
        ("See https://spam.example now", True),
        ("![A picture](https://spam.example/x.png)", True),
        ("<a href='//spam.example'>Buy things</a>", True),
        ("[a link to mail](mailto:a@spam.example)", True),
        ("As good as @Alice/doors by @Alice", False),
        ("# A heading\n\nand some **text**", False),
        ("<b>\nA block of HTML: https://spam.example", True),
        ("Buy things at WWW.spam.example", True),
        ("No more crashes: it works // for me", False),
    ],
)
def test_reviews_with_links_by_new_members_need_approval(client: Client, comment: str, held: bool) -> None:
    headers = token(member("carol", "NEW_MEMBER"))
    assert write(client, headers, comment=comment).json["approved"] is not held
    assert len(client.get(REVIEWS).json) == client.get("/api/reviews/").json["total"] == (not held)
    assert sums() == ((0, 0, 0, 0.0) if held else (1, 0, 0, 150.0))
    assert write(client, token(member("dora", "MEMBER")), comment=comment).json["approved"] is True


def test_an_unapproved_review_is_visible_to_its_author_and_approvers(client: Client, bobs: dict[str, str]) -> None:
    author, approver = token(member("carol", "NEW_MEMBER")), token(member("dora", "APPROVER"))
    shown = write(client, author, comment="See https://spam.example now").json["review"]
    for headers, status, answer in (
        ({}, 404, refusal("Review not found")),
        (bobs, 404, refusal("Review not found")),
        (author, 200, shown),
        (approver, 200, shown),
    ):
        reply = client.get(f"{REVIEWS}1/", headers=headers)
        assert (reply.status, reply.json) == (status, answer)
    for headers, status in (({}, 401), (bobs, 403), (author, 403)):
        assert client.get("/api/reviews/", query="approved=no", headers=headers).status == status
    unapproved = client.get("/api/reviews/", query="approved=no", headers=approver).json
    assert [review["thread"]["id"] for review in unapproved["items"]] == [1]
    assert client.get("/api/reviews/", query="approved=yes", headers=approver).json["total"] == 0


def test_an_approved_review_is_listed_and_counts(client: Client, bobs: dict[str, str]) -> None:
    author, approver = token(member("carol", "NEW_MEMBER")), token(member("dora", "APPROVER"))
    write(client, author, comment="See https://spam.example now")
    reply = client.post(f"{REVIEWS}1/approve/", headers=bobs)
    assert (reply.status, reply.json) == (403, refusal("You don't have permission to approve reviews"))
    for _ in range(2):
        reply = client.post(f"{REVIEWS}1/approve/", headers=approver)
        assert (reply.status, reply.json, sums()) == (200, {"success": True}, (1, 0, 0, 150.0))
    assert [review["thread"]["id"] for review in client.get(REVIEWS).json] == [1]
    write(client, author, comment="See https://spam2.example now")  # another link needs another approval
    assert (client.get(REVIEWS).json, sums()) == ([], (0, 0, 0, 0.0))
    write(client, author)
    assert sums() == (1, 0, 0, 150.0)


def test_moderators_can_delete_any_review_and_others_their_own(client: Client, bobs: dict[str, str]) -> None:
    carol = token(member("carol"))
    write(client, bobs)
    write(client, carol, rating=1)
    reply = client.request("DELETE", f"{REVIEWS}1/", headers=carol)
    assert (reply.status, reply.json) == (403, refusal("You don't have permission to delete this review"))
    assert client.request("DELETE", f"{REVIEWS}1/", headers=token(member("dora", "EDITOR"))).status == 403
    assert client.request("DELETE", f"{REVIEWS}2/", headers=carol).json == {"success": True}
    assert client.request("DELETE", f"{REVIEWS}1/", headers=token(member("emma", "MODERATOR"))).status == 200
    assert (stored(), sums(), client.get("/api/reviews/").json["total"]) == ([], (0, 0, 0, 0.0), 0)


@pytest.mark.parametrize("number", ["2", "0", "9" * 15, "9" * 16])
def test_an_unknown_review_is_not_found(client: Client, bobs: dict[str, str], number: str) -> None:
    write(client, bobs)
    headers = token(member("root", "ADMIN"))
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "approve/"), ("PUT", "votes/")):
        reply = client.request(method, f"{REVIEWS}{number}/{path}", headers=headers, json={"is_helpful": True})
        assert (reply.status, reply.json) == (404, refusal("Review not found"))
    assert stored() == [("bob", 5, "Really good", True)]


@pytest.mark.parametrize("number", ["x", "-1", "1.0", "%D9%A1", "bob"])
def test_a_review_id_that_is_not_a_number_is_404(client: Client, bobs: dict[str, str], number: str) -> None:
    write(client, bobs)
    headers = token(member("root", "ADMIN"))
    for method, path in (("DELETE", ""), ("POST", "approve/"), ("PUT", "votes/")):
        reply = client.request(method, f"{REVIEWS}{number}/{path}", headers=headers, json={"is_helpful": True})
        assert (reply.status, reply.json) == (404, NO_SUCH_PAGE)
    assert client.get(f"{REVIEWS}{number}/").status == 404


def test_a_review_is_available_below_its_own_package_only(client: Client, bobs: dict[str, str]) -> None:
    published("Alice/doors")
    write(client, bobs)
    headers = token(member("root", "ADMIN"))
    assert client.get("/api/packages/Alice/doors/reviews/1/").status == 404
    assert client.request("DELETE", "/api/packages/Alice/doors/reviews/1/", headers=headers).status == 404
    assert len(stored()) == 1


def test_reviews_are_deleted_and_restored_with_their_package(client: Client, bobs: dict[str, str]) -> None:
    write(client, bobs)
    states.apply("delete", "Alice", "lamps")
    assert (client.get(REVIEWS).status, client.get("/api/reviews/").json["total"]) == (404, 0)
    states.apply("restore", "Alice", "lamps")
    assert (len(client.get(REVIEWS).json), client.get("/api/reviews/").json["total"]) == (1, 1)
    assert sums() == (1, 0, 0, 150.0)


def test_reviews_of_a_renamed_package_have_its_new_name(client: Client, bobs: dict[str, str]) -> None:
    write(client, bobs)
    states.apply("unapprove", "Alice", "lamps")
    headers = token(accounts.named("Alice"))
    assert client.request("PUT", LAMPS, json={"name": "lights"}, headers=headers).status == 200
    registry.set_aliases("Alice", "lights", ["Alice/lamps"])
    [review] = client.get("/api/packages/Alice/lights/reviews/").json
    assert review["thread"]["url"] == "http://moonbase.test/api/packages/Alice/lights/reviews/1/"
    assert client.get("/api/reviews/").json["items"][0]["package"] == {
        "author": "Alice",
        "name": "lights",
        "type": "mod",
    }
    moved = client.get(REVIEWS)
    assert (moved.status, moved.header("Location")) == (302, "http://moonbase.test/api/packages/Alice/lights/reviews/")


def test_a_suspended_account_cannot_write_and_its_reviews_remain(client: Client, bobs: dict[str, str]) -> None:
    write(client, bobs)
    accounts.suspend(accounts.named("bob"))
    assert write(client, bobs, rating=1).status == 403
    assert (len(client.get(REVIEWS).json), sums()) == (1, (1, 0, 0, 150.0))


def test_concurrent_reviews_are_all_counted_once_per_account(client: Client) -> None:
    headers = [token(member(name)) for name in ("carol", "dora", "emma")]
    with ThreadPoolExecutor(6) as threads:
        statuses = list(threads.map(lambda each: write(client, each).status, headers * 2))
    assert statuses == [200] * 6
    assert (len(stored()), sums()) == (3, (3, 0, 0, 450.0))
    assert client.get("/api/reviews/").json["total"] == 3


@pytest.mark.parametrize(("rank", "most"), [("MEMBER", 3), ("TRUSTED_MEMBER", 15)])
def test_reviews_are_rate_limited(client: Client, rank: str, most: int) -> None:
    headers = token(member("carol", rank))
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        for _ in range(most):
            assert write(client, headers).status == 200
        reply = write(client, headers, title="Once more")
        wanted = "Too many requests, please wait before trying again"
        assert (reply.status, reply.json, reply.header("Retry-After")) == (429, refusal(wanted), "300")
    assert stored() == [("carol", 5, "Really good", True)]


def test_rejected_reviews_do_not_count_and_administrators_have_no_limit(client: Client, bearer: dict[str, str]) -> None:
    admin = token(member("root", "ADMIN"))
    for _ in range(5):
        assert write(client, bearer).status == 403
        assert write(client, admin).status == 200


def test_changes_of_reviews_are_in_the_audit_log(client: Client, bob: Account, bobs: dict[str, str]) -> None:
    write(client, bobs)
    client.request("DELETE", REVIEWS, headers=bobs)
    entries = list(audit.entries(int(bob.id)))[:2]
    assert [(entry.action, entry.detail["review"]) for entry in entries] == [("review.delete", 1), ("review.write", 1)]
    assert entries[0].detail["package"] == "Alice/lamps"


def test_the_command_line_can_approve_and_delete(client: Client) -> None:
    write(client, token(member("carol", "NEW_MEMBER")), comment="See https://spam.example now")
    assert lifecycle.approve("Alice", "lamps", 1).approved is True
    lifecycle.delete("Alice", "lamps", 1)
    assert stored() == []


@pytest.mark.parametrize(
    "comment",
    [
        "<script>alert(1)</script>",
        "[a](javascript:alert(1)) [b](data:text/html;base64,x)",
        "<b>" * 600,
        "[" * 2000,
        "![" * 1000,
        "> " * 1000,
        "- " * 1000,
        "*" * 2000,
        "<" * 2000,
        "`" * 1999 + "a",
        "</big><action name=x>\\",
        "@a/" * 660,
    ],
)
def test_hostile_texts_are_stored_unchanged_and_shown_safely(
    client: Client, bobs: dict[str, str], comment: str
) -> None:
    comment = comment.ljust(10, "x")
    assert write(client, bobs, comment=comment).status == 200
    assert client.get(REVIEWS).json[0]["comment"] == comment.strip()
    reply = client.get(f"{LAMPS}for-client/reviews/", query="formspec_version=7")
    assert reply.status == 200
    assert not any(url.lower().startswith(("javascript", "data")) for url in reply.json["links"].values())
