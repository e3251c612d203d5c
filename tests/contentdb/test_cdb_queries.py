"""Package queries: the filters, the order and the format of a list."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from chalicelib.contentdb.collections import curation
from chalicelib.contentdb.packages import registry, states
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import (
    NO_SUCH_PAGE,
    change,
    count,
    draft,
    malformed,
    member,
    names,
    published,
    refusal,
    release,
    screenshot,
)

ListNames = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def _accounts(alice: Account, bob: Account) -> None:
    pass


def test_an_empty_list_is_an_array(client: Client) -> None:
    assert client.get("/api/packages/").json == []


def test_a_list_contains_the_fields_that_the_game_needs(client: Client) -> None:
    number = published("Alice/lamps", title="Lamps!", short_description="Light.")
    screenshot("Alice/lamps", "abcdef0123.webp")
    assert client.get("/api/packages/").json == [
        {
            "author": "Alice",
            "name": "lamps",
            "title": "Lamps!",
            "short_description": "Light.",
            "type": "mod",
            "release": number,
            "thumbnail": "http://moonbase.test/thumbnails/1/abcdef0123.png",
        }
    ]


@pytest.mark.parametrize("form", ["short", "anything", ""])
def test_an_unknown_format_is_the_short_one(client: Client, form: str) -> None:
    published("Alice/lamps")
    assert client.get("/api/packages/", query={"fmt": form}).json == client.get("/api/packages/").json


def test_the_format_keys_returns_objects(client: Client) -> None:
    published("Alice/lamps", type="TXP")
    shown = client.get("/api/packages/", query="fmt=keys").json
    assert shown == [{"author": "Alice", "name": "lamps", "type": "txp"}]


def test_the_format_vcs_adds_the_repository(client: Client) -> None:
    published("Alice/lamps", repo="https://example.org/lamps")
    [short], [vcs] = (client.get("/api/packages/", query={"fmt": form}).json for form in ("short", "vcs"))
    assert vcs == {**short, "repo": "https://example.org/lamps"}


def test_a_list_contains_aliases(client: Client) -> None:
    published("Alice/lamps")
    registry.set_aliases("Alice", "lamps", ["bob/lamps", "Alice/lights"])
    assert client.get("/api/packages/").json[0]["aliases"] == ["Alice/lights", "bob/lamps"]


@pytest.mark.parametrize("step", ["unapprove", "request-changes", "delete"])
def test_only_approved_packages_are_listed(list_names: ListNames, step: str) -> None:
    published("Alice/lamps")
    draft("Alice/doors")
    assert list_names() == ["lamps"]
    states.apply(step, "Alice", "lamps")
    assert list_names() == []


def test_a_package_without_a_release_is_listed_with_null(client: Client) -> None:
    draft("Alice/lamps")
    states.apply("approve", "Alice", "lamps")
    assert client.get("/api/packages/").json[0]["release"] is None


@pytest.mark.parametrize("state", ["PROCESSING", "UNAPPROVED", "FAILED"])
def test_a_list_contains_only_approved_releases(client: Client, state: str) -> None:
    number = published("Alice/lamps")
    release("Alice/lamps", state=state)
    assert client.get("/api/packages/").json[0]["release"] == number


def test_work_in_progress_is_named_in_the_description(client: Client) -> None:
    published("Alice/lamps", dev_state="WIP", short_description="Light.")
    assert client.get("/api/packages/").json[0]["short_description"] == "Work in Progress. Light."


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type=mod", ["m"]),
        ("type=MOD&type=Game", ["g", "m"]),
        ("type=mod&type=game&type=txp", ["g", "m", "t"]),
        ("type=txp", ["t"]),
    ],
)
def test_types_are_alternatives(list_names: ListNames, query: str, found: list[str]) -> None:
    for type_ in ("mod", "game", "txp"):
        published(f"Alice/{type_[0]}", type=type_)
    assert sorted(list_names(query)) == found


def test_the_author_is_case_sensitive(client: Client, list_names: ListNames) -> None:
    published("Alice/lamps")
    published("bob/doors")
    assert list_names("author=Alice") == ["lamps"]
    reply = client.get("/api/packages/", query="author=alice")
    assert (reply.status, reply.json) == (404, NO_SUCH_PAGE)


def test_an_author_without_packages_has_an_empty_list(list_names: ListNames) -> None:
    assert list_names("author=bob") == []


@pytest.mark.parametrize(("query", "found"), [("tag=food", ["a", "b"]), ("tag=food&tag=pvp", ["b"])])
def test_packages_must_have_all_the_tags(list_names: ListNames, query: str, found: list[str]) -> None:
    published("Alice/a", tags=["food"])
    published("Alice/b", tags=["food", "pvp"])
    assert sorted(list_names(query)) == found


@pytest.mark.parametrize(
    ("hide", "found"),
    [
        ("nonfree", ["ai", "gore", "old", "plain", "some_ai", "wip"]),
        ("wip", ["ai", "closed", "gore", "old", "plain", "some_ai"]),
        ("deprecated", ["ai", "closed", "gore", "plain", "some_ai", "wip"]),
        ("gore", ["ai", "closed", "old", "plain", "some_ai", "wip"]),
        ("food", ["ai", "closed", "gore", "old", "some_ai", "wip"]),
        ("*", ["ai", "closed", "old", "plain", "some_ai", "wip"]),
        ("android_default", ["ai", "closed", "plain", "some_ai", "wip"]),
        ("desktop_default", ["ai", "closed", "gore", "plain", "some_ai", "wip"]),
        ("genai", ["closed", "gore", "old", "plain", "some_ai", "wip"]),
        ("anyai", ["closed", "gore", "old", "plain", "wip"]),
    ],
)
def test_content_can_be_hidden(list_names: ListNames, hide: str, found: list[str]) -> None:
    _flagged()
    assert sorted(list_names({"hide": hide})) == found


def test_several_kinds_of_content_can_be_hidden(list_names: ListNames) -> None:
    _flagged()
    assert sorted(list_names("hide=nonfree&hide=anyai&hide=*&hide=wip")) == ["old", "plain"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("flag=nonfree", ["closed"]),
        ("flag=wip", ["wip"]),
        ("flag=deprecated", ["old"]),
        ("flag=gore", ["gore"]),
        ("flag=*", ["gore"]),
        ("flag=gore&flag=wip", []),
        ("flag=unheard_of&flag=wip", ["wip"]),
    ],
)
def test_a_query_can_select_flagged_packages(list_names: ListNames, query: str, found: list[str]) -> None:
    _flagged()
    assert sorted(list_names(query)) == found


def _flagged() -> None:
    published("Alice/plain", tags=["food"])
    published("Alice/closed", media_license="Other (Non-free/Closed)")
    published("Alice/wip", dev_state="WIP")
    published("Alice/old", dev_state="DEPRECATED")
    published("Alice/gore", content_warnings=["gore"])
    published("Alice/ai", ai_disclosure="GENERATED")
    published("Alice/some_ai", ai_disclosure="ASSISTED")


def test_licenses_are_alternatives_for_code_or_media_in_any_letter_case(list_names: ListNames) -> None:
    published("Alice/a", license="MIT", media_license="CC0-1.0")
    published("Alice/b", license="ISC", media_license="CC-BY-4.0")
    published("Alice/c", license="WTFPL")
    assert sorted(list_names("license=mit&license=cc-by-4.0")) == ["a", "b"]


@pytest.mark.parametrize("game", ["Alice/moon_game", "Alice/moon"])
def test_a_game_filter_selects_packages_that_name_the_game(list_names: ListNames, game: str) -> None:
    published("Alice/moon_game", type="GAME")
    published("Alice/a", game_support=[{"game": "Alice/moon_game", "supports": True}])
    published("Alice/b", game_support=[{"game": "Alice/moon_game", "supports": False}])
    published("Alice/c")
    change("Alice/c", supports_all_games=True)
    assert list_names({"game": game}) == ["a"]


def test_a_query_can_select_translated_packages(list_names: ListNames) -> None:
    published("Alice/a")
    published("Alice/b")
    change("Alice/b", translations={"zh_TW": {"title": "B"}})
    assert (sorted(list_names("lang=en")), list_names("lang=zh_TW"), list_names("lang=de")) == (["a", "b"], ["b"], [])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"any": 4, "until_5_0": 1, "from_5_3": 2, "two": 3}),
        ("protocol_version=36", {"any": 4, "until_5_0": 1}),
        ("protocol_version=37", {"any": 4, "until_5_0": 1}),
        ("protocol_version=38", {"any": 4}),
        ("protocol_version=39", {"any": 4, "from_5_3": 2, "two": 5}),
        ("protocol_version=39&engine_version=5.2", {"any": 4}),
        ("protocol_version=39&engine_version=5.3.0", {"any": 4, "from_5_3": 2, "two": 5}),
        ("protocol_version=43&engine_version=5.8.0-dev-abcdef", {"any": 4, "from_5_3": 2, "two": 3}),
        ("engine_version=5.8.1", {"any": 4, "from_5_3": 2, "two": 3}),
        ("protocol_version=40&engine_version=5.8.1", {"any": 4, "from_5_3": 2, "two": 5}),
        ("protocol_version=99&engine_version=9.9", {"any": 4, "from_5_3": 2, "two": 3}),
        ("engine_version=99.9", {"any": 4, "until_5_0": 1, "from_5_3": 2, "two": 5}),
    ],
)
def test_the_engine_version_determines_the_release(client: Client, query: str, found: dict[str, int]) -> None:
    for name in ("until_5_0", "from_5_3", "two", "any"):
        draft(f"Alice/{name}")
        states.apply("approve", "Alice", name)
    release("Alice/until_5_0", None, "5.0")
    release("Alice/from_5_3", "5.3", None)
    release("Alice/two", "5.8", None)
    release("Alice/any")
    release("Alice/two", "5.3", "5.5")
    expected = {**found, "two": 5} if query == "" else found  # without a version, the highest id
    shown = client.get("/api/packages/", query=query).json
    assert {package["name"]: package["release"] for package in shown} == expected


def test_a_query_can_select_unsupported_packages(list_names: ListNames) -> None:
    for name, lowest in (("old", None), ("new", "5.8")):
        draft(f"Alice/{name}")
        release(f"Alice/{name}", lowest)
        states.apply("approve", "Alice", name)
    assert list_names("protocol_version=37&not_supported=1") == ["new"]


def _ranked() -> None:
    """Create three packages that have another order by each criterion."""
    for name, title, day in (("a", "Zebra", 2), ("b", "apple", 3), ("c", "Mango", 1)):
        draft(f"Alice/{name}", title=title)
        states.apply("approve", "Alice", name)
        change(
            f"Alice/{name}",
            created_at=datetime(2026, 1, day, tzinfo=UTC),
            approved_at=datetime(2026, 2, 4 - day, tzinfo=UTC),
        )
    count("Alice/a", downloads=5, score_downloads=1, score_reviews=10, positive=1)
    count("Alice/b", downloads=9, score_downloads=30)
    count("Alice/c", downloads=7, score_downloads=2, score_reviews=-5, negative=1)
    release("Alice/c")
    release("Alice/a")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "bac"),
        ("sort=score", "bac"),
        ("sort=score&order=asc", "cab"),
        ("order=asc", "cab"),
        ("sort=name", "cba"),
        ("sort=name&order=asc", "abc"),
        ("sort=title", "acb"),
        ("sort=title&order=asc", "bca"),
        ("sort=downloads", "bca"),
        ("sort=created_at", "bac"),
        ("sort=date&order=asc", "cab"),
        ("sort=approved_at", "cab"),
        ("sort=reviews", "ac"),
        ("sort=last_release", "ac"),
        ("sort=last_release&order=asc", "ca"),
        ("limit=2", "ba"),
        ("limit=0", "bac"),
        ("lucky=1", "b"),
    ],
)
def test_lists_have_an_order_and_a_limit(list_names: ListNames, query: str, found: str) -> None:
    _ranked()
    assert "".join(list_names(query)) == found


@pytest.mark.parametrize(
    "name",
    [
        *("type", "q", "author", "tag", "flag", "hide", "license", "game", "lang", "protocol_version"),
        *("engine_version", "sort", "order", "limit", "fmt"),
    ],
)
def test_a_blank_argument_is_a_missing_one(client: Client, name: str) -> None:
    _ranked()
    curation.set_packages("ContentDB", "featured", ["Alice/c"])
    for query in (f"{name}=", f"{name}=%20&{name}="):
        assert client.get("/api/packages/", query=query).json == client.get("/api/packages/").json


def test_random_has_another_order_each_time_and_ignores_sort(list_names: ListNames) -> None:
    for number in range(8):
        draft(f"Alice/p{number}")
        states.apply("approve", "Alice", f"p{number}")
    orders = {tuple(list_names("random=&sort=name")) for _ in range(5)}
    assert len(orders) > 1
    assert {tuple(sorted(order)) for order in orders} == {tuple(f"p{number}" for number in range(8))}
    assert len(list_names("random=1&limit=3")) == 3


def test_featured_packages_come_first_and_are_marked(client: Client) -> None:
    _ranked()
    curation.set_packages("ContentDB", "featured", ["Alice/c"])
    first, *rest = client.get("/api/packages/", query="type=mod").json
    assert (first["name"], first["featured"], first["short_description"]) == ("c", True, "Featured. About c.")
    assert [("featured" in package, package["name"]) for package in rest] == [(False, "b"), (False, "a")]


@pytest.mark.parametrize("query", ["sort=score", "order=desc", "q=zebra+or+apple+or+mango", "limit=3"])
def test_nothing_is_featured_with_an_explicit_order_a_search_or_a_limit(client: Client, query: str) -> None:
    _ranked()
    curation.set_packages("ContentDB", "featured", ["Alice/c"])
    shown = client.get("/api/packages/", query=query).json
    assert [package["name"] for package in shown if "featured" in package] == []
    assert names(client.get("/api/packages/", query=query))[-1] == "c"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("type=modpack", "Unknown type"),
        ("tag=nothing", "Unknown tag"),
        ("tag=FOOD", "Unknown tag"),
        ("hide=nothing", "Unknown tag or content warning nothing"),
        ("game=Alice/nothing", "Unable to find that game"),
        (f"q={'x' * 201}", "q is too long"),
        ("&".join(["hide=gore"] * 101), "There are too many arguments"),
        (
            "sort=best",
            "Unknown sort. Expected one of: score, name, title, reviews, downloads, created_at, date, "
            "approved_at, last_release",
        ),
        ("order=up", "Unknown order. Expected one of: desc, asc"),
    ],
)
def test_unknown_values_are_rejected(client: Client, query: str, error: str) -> None:
    reply = client.get("/api/packages/", query=query)
    assert (reply.status, reply.json) == (400, refusal(error))


def test_the_error_of_an_unknown_license_lists_the_known_ones(client: Client) -> None:
    reply = client.get("/api/packages/", query="license=free")
    assert reply.status == 400
    assert reply.json["error"].startswith("Unknown license. Expected license name from: 0BSD, AFL-1.1, ")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("limit=x", "limit must be a whole number."),
        ("limit=-1", "limit must be a whole number."),
        ("limit=1.5", "limit must be a whole number."),
        (f"limit={'9' * 100}", "limit must be a whole number."),
        ("protocol_version=new", "protocol_version must be a whole number."),
        ("type=mod&amp;q=x", "The query has &amp; instead of &."),
    ],
)
def test_malformed_values_are_rejected(client: Client, query: str, reason: str) -> None:
    reply = client.get("/api/packages/", query=query)
    assert (reply.status, reply.json) == (400, malformed(reason))


def test_blanks_around_a_value_are_ignored(list_names: ListNames) -> None:
    published("Alice/a", dev_state="DEPRECATED")
    assert list_names("hide=%20desktop_default") == []


@pytest.mark.parametrize(
    ("accept", "shown"),
    [
        ("de-AT, en;q=0.5", ("Lampen", "Licht.")),
        ("fr, de;q=0.8", ("Lamps", "Light.")),
        ("de;q=0, en", ("Lamps", "Light.")),
        ("zh-TW", ("燈", "Light.")),
        ("en-GB, de;q=0.9", ("Lamps", "Light.")),
        ("xx, de", ("Lampen", "Licht.")),
        ("de;q=abc", ("Lamps", "Light.")),
        ("", ("Lamps", "Light.")),
    ],
)
def test_texts_are_in_the_clients_language_if_translated(client: Client, accept: str, shown: tuple[str, str]) -> None:
    published("Alice/lamps", title="Lamps", short_description="Light.")
    german = {"title": "Lampen", "short_description": "Licht."}
    change("Alice/lamps", translations={"de": german, "zh_TW": {"title": "燈"}})
    headers = {"Accept-Language": accept}
    [package] = client.get("/api/packages/", headers=headers).json
    assert (package["title"], package["short_description"]) == shown
    full = client.get("/api/packages/Alice/lamps/", headers=headers).json
    assert (full["title"], full["short_description"]) == shown


def test_a_change_is_in_the_list_immediately(client: Client, bearer: dict[str, str]) -> None:
    published("Alice/lamps")
    client.get("/api/packages/")
    client.request("PUT", "/api/packages/Alice/lamps/", json={"title": "Bulbs"}, headers=bearer)
    assert client.get("/api/packages/").json[0]["title"] == "Bulbs"


def test_a_rebuilt_list_is_the_same(client: Client) -> None:
    from chalicelib.contentdb.store import index, reference

    _ranked()
    _flagged()
    reference.seed()
    member("carol")
    curation.set_packages("ContentDB", "featured", ["Alice/c"])
    before = index.catalogue.snapshot().entries
    shown = client.get("/api/packages/").json
    after = index.catalogue.rebuild().entries
    assert {key: entry.value for key, entry in before.items()} == {key: entry.value for key, entry in after.items()}
    assert client.get("/api/packages/").json == shown
