"""The search parameters: matches, counts and errors."""

from typing import Any

import pytest

from tests.client import Client
from tests.hel.builders import Create, list_packages, package, refusal


def version(url: str, path: str, changes: str = "", **depends: tuple[str, str]) -> dict[str, Any]:
    return {
        "files": {url: {"path": path}},
        "depends": {name: {"version": range_, "type": kind} for name, (range_, kind) in depends.items()},
        "changes": changes,
    }


PACKAGES = [
    package(
        "red",
        description="The Many colours",
        short_description="A 'long' red",
        owners=["alice", "Bob"],
        authors=["Ann Onymous", "Tom"],
        license="GPL v3",
        tags=["colour", "warm tone"],
        versions={
            "1.9.0": version("http://x.org/old", "/bin/old", "Opened", other=("^1", "required")),
            "1.10.0": version("http://x.org/red", "/bin/red.lua", "Closed", other=("^2", "optional")),
        },
        screenshots={"http://x.org/1.png": "In the Dark"},
    ),
    package(
        "dark-red",
        description="Nothing",
        short_description="",
        owners=["alice"],
        authors=["Tom Two"],
        license="MIT",
        tags=["colour"],
        versions={"1.0.0-rc.1": version("http://x.org/dark", "lib/dark.lua")},
        screenshots={},
    ),
    package(
        "empty",
        description="No versions",
        short_description="",
        owners=["carol"],
        authors=[],
        license="",
        tags=[],
        versions={},
        screenshots={},
    ),
]
RED, DARK, EMPTY = "red", "dark-red", "empty"


@pytest.fixture
def found(client: Client, create: Create) -> Any:
    """Returns the packages that match a query."""
    for one in PACKAGES:
        assert create(one).status == 201
    return lambda query: listed_by(client, query)


def listed_by(client: Client, query: str) -> list[str]:
    reply = client.get("/packages", query=query)
    assert reply.status == 200, reply.json
    return [one["name"] for one in reply.json["data"]["list"]]


def test_q_searches_all_texts_in_any_letter_case(found: Any) -> None:
    for query, names in {
        "q=RED": [RED, DARK],
        "q=many": [RED],
        "q=LONG": [RED],
        "q=bob": [RED],
        "q=onymous": [RED],
        "q=mit": [DARK],
        "q=warm": [RED],
        "q=dark": [RED, DARK],
        "q=opened": [RED],
        "q=closed": [RED],
        "q=required": [],
        "q=x.org": [],
        "q=nowhere": [],
    }.items():
        assert found(query) == names, query


def test_all_phrases_must_match(found: Any) -> None:
    for query, names in {
        "q=red+many": [RED],
        "q=red+nowhere": [],
        "q=%22many+colours%22": [RED],
        "q=%22colours+many%22": [],
        "q=%22many%22+%22warm%22": [RED],
        "q=%27warm+tone%27": [RED],
        "q=war%22m+to%22ne": [RED],
        "q=%22warm+tone": [RED],
        "q=%22onymous+tom%22": [],
        "q=%20": [RED, DARK, EMPTY],
        "q=%22%22": [RED, DARK, EMPTY],
    }.items():
        assert found(query) == names, query


def test_single_fields_are_searched_case_sensitively(found: Any) -> None:
    for query, names in {
        "name=red": [RED, DARK],
        "name=red+dark": [DARK],
        "name=Red": [],
        "description=Many": [RED],
        "description=many": [],
        "description=%22Many+colours%22": [RED],
        "short_description=long": [RED],
        "authors=Tom": [RED, DARK],
        "authors=Tom+Ann": [RED],
        "authors=%22Ann+Onymous%22": [RED],
        "authors=tom": [],
        "screen_desc=Dark": [RED],
        "screen_desc=dark": [],
        "license=GPL+v3": [RED],
        "license=v3+GPL": [],
        "license=mit": [],
    }.items():
        assert found(query) == names, query


def test_whole_values_are_compared_exactly(found: Any) -> None:
    for query, names in {
        "owners=alice": [RED, DARK],
        "owners=alice&owners=Bob": [RED],
        "owners=BOB": [RED],
        "owners=bo": [],
        "tags=colour": [RED, DARK],
        "tags=colour&tags=warm+tone": [RED],
        "tags=col": [],
        "screen_url=http://x.org/1.png": [RED],
        "screen_url=http://x.org/": [],
    }.items():
        assert found(query) == names, query


def test_files_and_dependencies_of_the_latest_version_are_compared(found: Any) -> None:
    for query, names in {
        "file_url=http://x.org/red": [RED],
        "file_url=http://x.org/old": [],
        "file_url=http://x.org/dark": [DARK],
        "file_dir=/bin": [RED],
        "file_dir=bin/": [RED],
        "file_dir=/lib": [DARK],
        "file_name=red.lua": [RED],
        "file_name=old": [],
        "file_name=red.lua&file_name=dark.lua": [],
        "dependency=other": [RED],
        "dependency=nowhere": [],
        "dependency=other:^9": [RED],
        "dependency=other:^2:optional": [RED],
        "dependency=other:^1:required": [],
        "dependency=other:^2:required": [],
        "dependency=other:^2:optional:x": [RED],
        "dependency=other:^2:required:x": [],
    }.items():
        assert found(query) == names, query


def test_all_parameters_must_match(found: Any) -> None:
    assert found("owners=alice&license=MIT") == [DARK]
    assert found("owners=carol&license=MIT") == []


def test_matches_are_counted_and_paged(client: Client, found: Any) -> None:
    data = client.get("/packages", query="tags=colour&offset=1").json["data"]
    assert [one["name"] for one in data.pop("list")] == [DARK]
    assert data == {"offset": 1, "total": 2, "sent": 1, "truncated": False}


def test_an_unknown_parameter_is_rejected(client: Client) -> None:
    for query, name in {
        "spam=1": "spam",
        "q=x&order=name": "order",
        "Q=x": "Q",
        "Limit=5": "Limit",
        "__init__=x": "__init__",
        "=x": "",
    }.items():
        reply = client.get("/packages", query=query)
        assert (reply.status, reply.json) == (400, refusal(400, f"No such search param: {name}."))


def test_a_parameter_without_a_value_is_rejected(client: Client) -> None:
    for name in ("q", "name", "license", "tags", "owners", "dependency", "file_url"):
        reply = client.get("/packages", query=f"{name}=")
        assert (reply.status, reply.json) == (400, refusal(400, f"No values given for {name}."))


def test_a_single_valued_parameter_accepts_one_value(client: Client) -> None:
    for name in ("q", "name", "description", "short_description", "authors", "screen_desc", "license"):
        reply = client.get("/packages", query=f"{name}=a&{name}=b&{name}=c")
        assert (reply.status, reply.json) == (400, refusal(400, "Too many values (1 expected, got 3)."))


def test_a_search_finds_a_new_package_at_once(client: Client, create: Create) -> None:
    assert list_packages(client, q="thing") == []
    create()
    assert list_packages(client, q="thing") == ["thing"]
