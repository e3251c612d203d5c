"""Topics of the forum: the validation of an import, and queries."""

import json
from typing import Any

import pytest

from chalicelib.contentdb.store import index
from chalicelib.contentdb.topics import file as topic_file
from chalicelib.contentdb.topics import forum
from chalicelib.core import blobs, registry
from chalicelib.core.errors import Invalid
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import change, draft, malformed, published, refusal

LAMPS = {
    "id": 7,
    "title": "[Mod] Lamps [1.0]",
    "author": "Alice A.",
    "type": "mod",
    "created_at": "2020-01-02T03:04:05.000006",
    "name": "lamps",
    "link": "https://example.org/lamps",
    "is_wip": False,
    "posts": 3,
    "views": 100,
}
SKY = {"id": 8, "title": "Sky", "author": "bob", "type": "GAME", "created_at": "2019-01-01", "name": "sky", "views": 5}
WIP = {
    "id": 3,
    "title": "Älter",
    "author": "bob",
    "type": "txp",
    "created_at": "2021-01-01T01:00:00+01:00",
    "is_wip": True,
}
NAMELESS = {"id": 9, "title": "A thing", "author": "carol", "type": "mod", "created_at": "2022-01-01", "views": 50}


def replace(*rows: Any) -> int:
    return forum.replace(json.dumps(rows).encode())


@pytest.fixture
def _four(client: Client) -> None:
    assert replace(LAMPS, SKY, WIP, NAMELESS) == 4


def ids(client: Client, query: str = "") -> list[int]:
    reply = client.get("/api/topics/", query=query)
    assert (reply.status, reply.header("cache-control")) == (200, "max-age=300")
    return [topic["id"] for topic in reply.json]


def test_without_an_import_there_are_no_topics(client: Client) -> None:
    assert client.get("/api/topics/").body == b"[]\n"


@pytest.mark.usefixtures("_four")
def test_topics_have_all_fields(client: Client) -> None:
    assert client.get("/api/topics/").json == [
        LAMPS,
        {**SKY, "type": "game", "created_at": "2019-01-01T00:00:00.000000", "link": None, "is_wip": False, "posts": 0},
        {
            **NAMELESS,
            "created_at": "2022-01-01T00:00:00.000000",
            "name": None,
            "link": None,
            "is_wip": False,
            "posts": 0,
        },
        {**WIP, "created_at": "2021-01-01T00:00:00.000000", "name": None, "link": None, "posts": 0, "views": 0},
    ]


@pytest.mark.usefixtures("_four")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [7, 8, 9, 3]),
        ("sort=name", [7, 8, 9, 3]),
        ("sort=views", [7, 9, 8, 3]),
        ("sort=created_at", [8, 7, 3, 9]),
        ("limit=2", [7, 8]),
        ("limit=0", [7, 8, 9, 3]),
        ("type=mod", [7, 9]),
        ("type=MOD&type=game", [7, 8, 9]),
        ("q=LAMPS", [7]),
        ("q=%C3%84lt", [3]),
        ("q=bob", [8, 3]),
        ("q=bob+sky", [8]),
        ("q=mod]+lamps", [7]),
        ("q=nothing", []),
        ("q=++", [7, 8, 9, 3]),
        ("q=bob&sort=created_at&limit=1&type=txp", [3]),
        ("unheard=of", [7, 8, 9, 3]),
    ],
)
def test_queries_filter_sort_and_limit(client: Client, query: str, found: list[int]) -> None:
    assert ids(client, query) == found


@pytest.mark.usefixtures("_four")
@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("type=book", refusal("Unknown type")),
        ("sort=posts", refusal("Unknown sort. Expected one of: name, views, created_at")),
        ("limit=-1", malformed("limit must be a whole number.")),
        ("limit=x", malformed("limit must be a whole number.")),
        ("q=" + "x" * 201, refusal("q is too long")),
    ],
)
def test_an_invalid_query_is_rejected(client: Client, query: str, error: dict[str, Any]) -> None:
    reply = client.get("/api/topics/", query=query)
    assert (reply.status, reply.json) == (400, error)


@pytest.mark.usefixtures("_four")
def test_topics_of_approved_packages_can_be_omitted(client: Client, alice: Account) -> None:
    published("Alice/lamps")
    change("Alice/lamps", forums=7)
    draft("Alice/sky", forums=8)
    assert ids(client, "show_added=yes") == ids(client) == [7, 8, 9, 3]
    assert ids(client, "show_added=no") == ids(client, "show_added=0") == [8, 9, 3]
    change("Alice/lamps", state="WIP")
    assert ids(client, "show_added=no") == [7, 8, 9, 3]


def test_an_import_replaces_all_topics(client: Client) -> None:
    replace(LAMPS, SKY)
    replace(NAMELESS)
    assert ids(client) == [9]
    assert len(list(blobs.list_blobs("contentdb/topics/"))) == 1
    replace(NAMELESS)  # the same bytes
    assert ids(client) == [9]
    assert (replace(), ids(client)) == (0, [])


@pytest.mark.usefixtures("_four")
def test_a_response_of_the_api_can_be_imported(client: Client) -> None:
    before = client.get("/api/topics/").body
    replace(LAMPS)
    assert forum.replace(before) == 4
    assert client.get("/api/topics/").body == before


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "The file is not JSON"),
        (b"\xff\xfe", "The file is not JSON"),
        (b"<html>", "The file is not JSON"),
        (b"[" * 1_000_000, "The file is not JSON"),
        (b"[NaN]", "The file is not JSON"),
        (b"{}", "The file must contain an array of topics"),
        (b'"text"', "The file must contain an array of topics"),
        (b"null", "The file must contain an array of topics"),
        (b"[" + b" " * topic_file.LARGEST + b"]", "The file is larger than 33554432 bytes"),
        (b"[[]]", "topic number 1: it must be an object"),
        (b"[null]", "topic number 1: it must be an object"),
    ],
    ids=range(11),
)
def test_a_file_that_is_not_a_list_of_topics_is_rejected(client: Client, content: bytes, error: str) -> None:
    replace(LAMPS)
    with pytest.raises(Invalid) as caught:
        forum.replace(content)
    assert caught.value.message.startswith(error)
    assert ids(client) == [7]
    assert len(list(blobs.list_blobs("contentdb/topics/"))) == 1


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"id": None}, "id is required"),
        ({"title": None}, "title is required"),
        ({"author": None}, "author is required"),
        ({"type": None}, "type is required"),
        ({"created_at": None}, "created_at is required"),
        ({"id": -1}, "id must be a whole number from 0 to 2147483647"),
        ({"id": 2**31}, "id must be a whole number from 0 to 2147483647"),
        ({"id": True}, "id must be a whole number from 0 to 2147483647"),
        ({"id": 1.0}, "id must be a whole number from 0 to 2147483647"),
        ({"id": "1"}, "id must be a whole number from 0 to 2147483647"),
        ({"views": 2**64}, "views must be a whole number from 0 to 2147483647"),
        ({"title": ""}, "title must be a text of at most 200 characters"),
        ({"title": " "}, "title must be a text of at most 200 characters"),
        ({"title": "x" * 201}, "title must be a text of at most 200 characters"),
        ({"author": ["Alice"]}, "author must be a text of at most 200 characters"),
        ({"type": "book"}, "type must be one of mod, game, txp"),
        ({"type": 1}, "type must be one of mod, game, txp"),
        ({"name": "Lamps"}, "name can only contain lower case letters (a-z), digits (0-9), and underscores (_)"),
        ({"is_wip": 1}, "is_wip must be true or false"),
        ({"link": "javascript:alert(1)"}, "link must start with http:// or https://"),
        ({"link": 'https://a.org/"onclick='}, "link must be a valid URL"),
        ({"created_at": "yesterday"}, "created_at must be a date such as 2026-03-05T12:00:00"),
        ({"created_at": 5}, "created_at must be a date such as 2026-03-05T12:00:00"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "created_at must be a date such as 2026-03-05T12:00:00"),
        ({"isWip": True}, "isWip is not a known field"),
        ({"id": 8}, "there is a topic 8 already"),
    ],
)
def test_one_invalid_topic_rejects_the_whole_file(client: Client, fields: dict[str, Any], error: str) -> None:
    with pytest.raises(Invalid) as caught:
        replace(SKY, {**LAMPS, **fields})
    assert caught.value.message == f"topic number 2: {error}"
    assert ids(client) == []
    assert list(blobs.list_blobs("contentdb/topics/")) == []


def test_the_error_contains_the_first_five_problems(client: Client) -> None:
    with pytest.raises(Invalid) as caught:
        replace(*[{}] * 100)
    problems = caught.value.message.split("; ")
    assert problems == [*(f"topic number {number}: id is required" for number in range(1, 6)), "and 95 more"]


def test_ten_thousand_topics_are_one_change_and_a_query_costs_one_call(client: Client, calls: list[str]) -> None:
    before = index.catalogue.snapshot().sequence
    assert replace(*({**LAMPS, "id": number, "title": f"Lamps {number}"} for number in range(10_000))) == 10_000
    assert index.catalogue.snapshot().sequence == before + 1
    assert len(ids(client, "q=lamps")) == 10_000
    for query in ("q=lamps", "q=777&sort=views", "show_added=no&limit=5"):
        calls.clear()
        ids(client, query)
        assert calls == ["Query"]


@pytest.mark.usefixtures("_four")
def test_topics_survive_a_rebuild(client: Client) -> None:
    registry.current().catalogues["contentdb"].rebuild()
    assert ids(client) == [7, 8, 9, 3]
