"""Updates, dependencies, and the reference data."""

from typing import Any

import pytest

from chalicelib.contentdb.entry import ReferenceEntry
from chalicelib.contentdb.packages import registry, states
from chalicelib.contentdb.store import index, reference
from chalicelib.contentdb.store.tables import ContentDbItem, ReferenceSet
from chalicelib.core import job_runner
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import NO_SUCH_PAGE, change, count, draft, malformed, published, refusal, release


@pytest.fixture(autouse=True)
def _accounts(alice: Account) -> None:
    pass


def test_updates_contain_the_newest_release_of_each_package_under_all_its_names(client: Client) -> None:
    published("Alice/lamps")
    newest = release("Alice/lamps")
    release("Alice/lamps", state="FAILED")
    draft("Alice/doors")
    release("Alice/doors")
    draft("Alice/empty")
    states.apply("approve", "Alice", "empty")
    registry.set_aliases("Alice", "lamps", ["bob/lights"])
    reply = client.get("/api/updates/")
    assert (reply.status, reply.json) == (200, {"Alice/lamps": newest, "bob/lights": newest})


def test_updates_are_releases_that_support_the_engine(client: Client) -> None:
    old = published("Alice/lamps")
    new = release("Alice/lamps", "5.8")
    draft("Alice/doors")
    door = release("Alice/doors", "5.8")
    states.apply("approve", "Alice", "doors")
    for query, found in (
        ("protocol_version=53&engine_version=5.17.1", {"Alice/lamps": new, "Alice/doors": door}),
        ("protocol_version=39&engine_version=5.3.0", {"Alice/lamps": old}),
        ("type=txp", {"Alice/lamps": new, "Alice/doors": door}),
    ):
        assert client.get("/api/updates/", query=query).json == found


def test_without_packages_updates_are_an_empty_object(client: Client) -> None:
    assert client.get("/api/updates/").body == b"{}\n"


def test_malformed_versions_are_rejected(client: Client) -> None:
    reply = client.get("/api/updates/", query="protocol_version=x")
    assert (reply.status, reply.json) == (400, malformed("protocol_version must be a whole number."))


def _published_with_dependencies(key: str, *depends: str, optional: tuple[str, ...] = (), **fields: Any) -> None:
    published(key, **fields)
    change(key, depends=list(depends), optional_depends=list(optional))


def test_dependencies_contain_the_packages_that_provide_them(client: Client) -> None:
    _published_with_dependencies("Alice/sweet", "food", optional=("dye",))
    published("Alice/food")
    published("Alice/dinner", type="GAME")
    change("Alice/dinner", provides=["food", "dye"])
    count("Alice/dinner", score_downloads=9)
    draft("Alice/drafted")
    change("Alice/drafted", provides=["food"])
    reply = client.get("/api/packages/Alice/sweet/dependencies/")
    assert (reply.status, reply.json) == (
        200,
        {
            "Alice/sweet": [
                {"name": "food", "is_optional": False, "packages": ["Alice/dinner", "Alice/food"]},
                {"name": "dye", "is_optional": True, "packages": ["Alice/dinner"]},
            ],
            "Alice/food": [],
        },
    )


@pytest.mark.parametrize(("query", "names"), [("only_hard=1", ["food"]), ("only_hard=", ["food", "dye"])])
def test_optional_dependencies_can_be_left_out(client: Client, query: str, names: list[str]) -> None:
    _published_with_dependencies("Alice/sweet", "food", optional=("dye",))
    shown = client.get("/api/packages/Alice/sweet/dependencies/", query=query).json["Alice/sweet"]
    assert [dependency["name"] for dependency in shown] == names


def test_a_dependency_on_a_package_contains_only_that_package(client: Client) -> None:
    _published_with_dependencies("Alice/sweet", "Alice/foods")
    _published_with_dependencies("Alice/food", "wheat")
    registry.set_aliases("Alice", "food", ["Alice/foods"])
    assert client.get("/api/packages/Alice/sweet/dependencies/").json == {
        "Alice/sweet": [{"name": "foods", "is_optional": False, "packages": ["Alice/food"]}],
        "Alice/food": [{"name": "wheat", "is_optional": False, "packages": []}],
    }


def test_dependencies_are_resolved_one_level_deep(client: Client) -> None:
    _published_with_dependencies("Alice/a", "b")
    _published_with_dependencies("Alice/b", "c")
    _published_with_dependencies("Alice/c", "a")
    assert client.get("/api/packages/Alice/a/dependencies/").json == {
        "Alice/a": [{"name": "b", "is_optional": False, "packages": ["Alice/b"]}],
        "Alice/b": [{"name": "c", "is_optional": False, "packages": ["Alice/c"]}],
    }


@pytest.mark.parametrize("type_", ["GAME", "TXP"])
def test_games_and_texture_packs_have_no_dependencies(client: Client, type_: str) -> None:
    _published_with_dependencies("Alice/a", "b", type=type_)
    assert client.get("/api/packages/Alice/a/dependencies/").json == {"Alice/a": []}


def test_the_list_of_all_dependencies_is_paginated(client: Client) -> None:
    _published_with_dependencies("Alice/sweet", "food", "Alice/b", optional=("dye",))
    reply = client.get("/api/dependencies/")
    assert (reply.status, reply.json) == (
        200,
        {
            "page": 1,
            "per_page": 100,
            "page_count": 1,
            "total": 1,
            "urls": {"previous": None, "next": None},
            "items": [
                {
                    "type": "mod",
                    "author": "Alice",
                    "name": "sweet",
                    "provides": ["sweet"],
                    "depends": ["food", "Alice/b"],
                    "optional_depends": ["dye"],
                }
            ],
        },
    )


@pytest.mark.parametrize(
    ("query", "names", "previous", "following"),
    [
        ("n=2", "ab", None, "n=2&page=2"),
        ("num=2&page=2", "cd", "num=2&page=1", "num=2&page=3"),
        ("n=2&page=3", "e", "n=2&page=2", None),
        ("n=1000&sort=name&order=asc", "abcde", None, None),
        ("n=2&num=4&type=mod&type=game&page=2", "cd", "n=2&num=4&type=mod&type=game&page=1", "...&page=3"),
        ("n=1&type=game", "", None, None),
    ],
)
def test_links_between_pages_keep_all_arguments(
    client: Client, query: str, names: str, previous: str | None, following: str | None
) -> None:
    for name in "abcde":
        published(f"Alice/{name}")
    page = client.get("/api/dependencies/", query=query).json
    assert "".join(item["name"] for item in page["items"]) == names
    base = "http://moonbase.test/api/dependencies/?"
    assert page["urls"]["previous"] == (previous and base + previous)
    assert page["urls"]["next"] == (following and base + following.replace("...", "n=2&num=4&type=mod&type=game"))


def test_the_first_page_exists_even_if_it_is_empty(client: Client) -> None:
    page = client.get("/api/dependencies/", query="n=500").json
    assert (page["page"], page["per_page"], page["page_count"], page["total"], page["items"]) == (1, 300, 0, 0, [])


@pytest.mark.parametrize("query", ["page=2", "page=0", "n=0", f"page={2**31 - 1}"])
def test_other_pages_are_404(client: Client, query: str) -> None:
    published("Alice/a")
    reply = client.get("/api/dependencies/", query=query)
    assert (reply.status, reply.json) == (404, NO_SUCH_PAGE)


@pytest.mark.parametrize("query", ["page=x", "n=x", "page=-1", "num=1.5"])
def test_malformed_pages_are_rejected(client: Client, query: str) -> None:
    reply = client.get("/api/dependencies/", query=query)
    assert (reply.status, reply.json) == (400, malformed(f"{query.partition('=')[0]} must be a whole number."))


@pytest.mark.parametrize(
    ("path", "count", "first"),
    [
        ("licenses", 75, {"name": "0BSD", "is_foss": True}),
        ("tags", 58, {"name": "128px", "title": "128px+", "description": None, "views": 0}),
        ("content_warnings", 7, {"name": "alcohol_tobacco", "title": "Alcohol / Tobacco", "description": None}),
        ("languages", 52, {"id": "en", "title": "English", "has_contentdb_translation": True}),
        ("minetest_versions", 19, {"name": "5.0", "is_dev": False, "protocol_version": 37}),
    ],
)
@pytest.mark.parametrize("seeded", [False, True])
def test_reference_data_exists_before_and_after_seeding(
    client: Client, path: str, count: int, first: dict[str, Any], seeded: bool
) -> None:
    if seeded:
        reference.seed()
    reply = client.get(f"/api/{path}/")
    assert (reply.status, len(reply.json), reply.json[0]) == (200, count, first)
    if path in ("licenses", "tags", "content_warnings"):
        assert [row["name"] for row in reply.json] == sorted(row["name"] for row in reply.json)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("protocol_version=39", "5.4"),
        ("protocol_version=39&engine_version=5.2.0", "5.2"),
        ("engine_version=5.8.0-dev-abc", "5.8"),
        ("protocol_version=1000", "5.18-dev"),
        ("engine_version=5.18.0-dev", "5.18-dev"),
    ],
)
def test_a_query_can_select_one_version(client: Client, query: str, name: str) -> None:
    assert client.get("/api/minetest_versions/", query=query).json["name"] == name


@pytest.mark.parametrize("query", ["protocol_version=1", "engine_version=99.9"])
def test_an_unknown_version_is_404(client: Client, query: str) -> None:
    reply = client.get("/api/minetest_versions/", query=query)
    assert (reply.status, reply.json) == (404, refusal("No releases found"))


def _stored() -> dict[str, int]:
    return {item.sk: len(item.rows) for item in ContentDbItem.scan() if isinstance(item, ReferenceSet)}


def test_seeding_stores_the_shipped_data_and_is_idempotent() -> None:
    counts = {"licenses": 75, "tags": 58, "content_warnings": 7, "languages": 52, "minetest_versions": 19}
    assert (reference.seed(), _stored()) == (counts, counts)
    sequence = index.catalogue.snapshot().sequence
    assert (reference.seed(), _stored()) == (dict.fromkeys(counts, 0), counts)
    assert index.catalogue.snapshot().sequence == sequence


def test_a_repeating_job_seeds_the_reference_data(aws: None) -> None:
    job_runner.enqueue_repeats()
    job_runner.run_due()
    assert _stored()["licenses"] == 75


def test_seeding_keeps_edited_rows(client: Client) -> None:
    reference.seed()
    rows = [{"name": "MIT", "is_foss": False}, {"name": "Ours", "is_foss": True}]

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[dict[str, Any], None]:
        writes.put(ReferenceSet("reference", "licenses", rows=rows))
        return {"reference#licenses": ReferenceEntry(rows=tuple(rows))}, None

    index.catalogue.publish(decide)
    assert client.get("/api/licenses/").json == rows
    assert reference.seed()["licenses"] == 74
    shown = {row["name"]: row["is_foss"] for row in client.get("/api/licenses/").json}
    assert (len(shown), shown["MIT"], shown["Ours"]) == (76, False, True)


def test_a_development_version_keeps_its_position_when_it_is_released() -> None:
    reference.seed()
    rows = [
        {"name": f"5.{number}{'-dev' * (number == 17)}", "is_dev": False, "protocol_version": 1} for number in (16, 17)
    ]

    def decide(snapshot: Snapshot, writes: Transaction) -> tuple[dict[str, Any], None]:
        return {"reference#minetest_versions": ReferenceEntry(rows=tuple(rows))}, None

    index.catalogue.publish(decide)
    reference.seed()
    known = list(reference.of(index.catalogue.snapshot()).minetest_versions)
    assert (known[:2], len(known), known.count("5.17")) == (["5.16", "5.17"], 19, 1)


def test_the_schema_contains_the_reference_data(client: Client) -> None:
    schema = client.get("/api/cdb_schema/").json
    assert schema["type"] == "object"
    assert schema["$defs"]["license"]["enum"][:2] == ["0BSD", "AFL-1.1"]
    assert set(schema["$defs"]["license"]["enumDescriptions"]) == {"FOSS", "NON-FOSS"}
    properties = schema["properties"]
    texts = {"title", "name", "short_description", "long_description"}
    words = {"type", "dev_state", "ai_disclosure", "tags", "content_warnings", "license", "media_license"}
    links = {"repo", "website", "issue_tracker", "forum_url", "video_url", "donate_url", "translation_url"}
    assert set(properties) == {*texts, *words, *links, "forums", "game_support"}
    assert properties["tags"]["items"]["enumDescriptions"][0] == "128px+"
    assert properties["license"] == {"$ref": "#/$defs/license"}
