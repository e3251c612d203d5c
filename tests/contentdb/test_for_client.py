"""The package as the game's dialog reads it: each field that the game checks, the views, and the AWS calls."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from chalicelib.contentdb.statistics import booking, counting
from chalicelib.contentdb.statistics.tables import DailyStats, PackageTally, Seen
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import Counters
from chalicelib.contentdb.texts.hypertext import HEAD
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.tables import Account
from tests.client import Client, Reply, _event
from tests.contentdb.builders import (
    NO_SUCH_PAGE,
    change,
    count,
    draft,
    malformed,
    published,
    release,
    screenshot,
)

LAMPS = "/api/packages/Alice/lamps/"
PATH = f"{LAMPS}for-client/"
LUANTI = "Luanti/5.17.0 (Linux/6.1 x86_64)"
QUERY = {"protocol_version": "53", "engine_version": "5.17.0", "formspec_version": "8", "include_images": "false"}
BASE = "http://moonbase.test"


@pytest.fixture(autouse=True)
def _lamps(alice: Account) -> None:
    with time_machine.travel("2026-01-02T03:04:05.678901+00:00", tick=False):
        published("Alice/lamps", short_description="Light.")


def request(client: Client, path: str = PATH, agent: str = LUANTI, **query: str) -> Reply:
    """Send the game's request."""
    return client.get(path, query={**QUERY, **query}, headers={"User-Agent": agent})


def hypertext(body: str = "\n", **more: dict[str, str]) -> dict[str, Any]:
    return {"head": HEAD, "body": body, "links": {}, "images": {}, "image_tooltips": {}, **more}


def lines(**changed: str) -> str:
    """Return the sidebar of a mod with few details; `changed` replaces or, with an empty text, removes lines."""
    known = {
        "Type": "Mod",
        "Tags": "None",
        "Supported Games": "No specific game required",
        "Dependencies": "None",
        "Optional dependencies": "None",
        "Languages": "English",
        "License": "MIT",
        "Maintenance State": "Unknown",
        "AI Disclosure": "Unknown",
        "Added": "2026-01-02T03:04:05Z",
        "Maintainers": "<action name=link_1><u>Alice</u></action>",
        "Provides": "lamps",
    }
    return "".join(f"{label}: <b>{value}</b>\n\n" for label, value in {**known, **changed}.items() if value)


def information(client: Client, path: str = PATH) -> tuple[list[str], dict[str, str]]:
    """Return the lines of the sidebar, and its links by name."""
    sidebar = request(client, path).json["info_hypertext"]
    assert (sidebar["head"], sidebar["images"], sidebar["image_tooltips"]) == (HEAD, {}, {})
    return [line for line in sidebar["body"].split("\n") if line], sidebar["links"]


def test_a_package_without_details_has_all_fields_of_the_dialog(client: Client) -> None:
    reply = request(client)
    assert reply.status == 200
    assert "Accept-Language" in reply.headers["vary"]
    assert reply.json == {
        **client.get(LAMPS).json,
        "download_size": "2 KB",
        "long_description": hypertext(),
        "info_hypertext": hypertext(lines(), links={"link_1": f"{BASE}/users/Alice/"}),
        "screenshots": [],
        "reviews": {"positive": 0, "neutral": 0, "negative": 0},
    }


def test_texts_are_markup_with_images_or_links_to_them(client: Client) -> None:
    change(
        "Alice/lamps", long_description="# Lamps\n\n[site](/about) ![one](https://a.org/1.png)\n\n<script>x</script>"
    )
    linked = request(client).json["long_description"]
    assert linked == client.get(f"{LAMPS}hypertext/", query="formspec_version=8&include_images=no").json
    assert (linked["images"], linked["links"]["link_1"]) == ({}, f"{BASE}/about")
    shown = request(client, include_images="true").json["long_description"]
    assert shown["images"] == {"image_1": "https://a.org/1.png"}


def test_screenshots_have_titles_and_absolute_urls(client: Client) -> None:
    screenshot("Alice/lamps")
    screenshot("Alice/lamps", "abcdef0123.png", approved=False)
    assert request(client).json["screenshots"] == [{"title": "A view", "url": f"{BASE}/uploads/0123456789.jpg"}]


def test_counters_are_current(client: Client) -> None:
    count("Alice/lamps", downloads=3)
    Counters("package#1", "counters", downloads=7, score_downloads=2.25, positive=4, neutral=5, negative=6).save()
    shown = request(client).json
    assert (shown["downloads"], shown["score"], shown["reviews"]) == (
        7,
        2.2,
        {"positive": 4, "neutral": 5, "negative": 6},
    )


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        *((0, "0 KB"), (100, "0 KB"), (1500, "1 KB"), (2000, "2 KB"), (1024 * 1024, "1024 KB")),
        *((1024 * 1024 + 1024, "1.0 MB"), (1_572_864, "1.5 MB"), (300 * 1024 * 1024, "300.0 MB")),
    ],
)
def test_the_download_size_is_in_kilobytes_or_megabytes(client: Client, size: int, shown: str) -> None:
    entry = index.catalogue.snapshot().entries["Alice/lamps"].value
    newest = replace(entry.releases[0], size=size)
    index.catalogue.publish(lambda snapshot, writes: ({"Alice/lamps": replace(entry, releases=(newest,))}, None))
    assert request(client).json["download_size"] == shown


def test_the_engine_version_determines_the_release(client: Client) -> None:
    fits_old = release("Alice/lamps", highest="5.5")
    fits_new = release("Alice/lamps", lowest="5.8")
    assert request(client).json["release"] == fits_new
    assert request(client, engine_version="5.5.1", protocol_version="40").json["release"] == fits_old
    assert client.get(PATH, query="formspec_version=6").json["release"] == fits_new


def test_a_package_without_a_supported_release_has_release_null(client: Client) -> None:
    draft("Alice/doors")
    shown = request(client, "/api/packages/Alice/doors/for-client/").json
    assert (shown["name"], shown["release"], shown["download_size"]) == ("doors", None, "0 KB")
    release("Alice/doors", lowest="5.8")
    old_engine = {"engine_version": "5.3.0", "protocol_version": "39"}
    assert request(client, "/api/packages/Alice/doors/for-client/", **old_engine).json["release"] is None
    assert request(client, "/api/packages/Alice/doors/for-client/").json["download_size"] == "2 KB"


def test_the_sidebar_contains_all_details(client: Client) -> None:
    published("Alice/moon_game", type="GAME", title="Moon <Game>")
    published("Alice/sun", type="GAME", title="Sun")
    published("Alice/light")
    change(
        "Alice/lamps",
        tags=["magic", "no_such"],
        game_support=[
            {"game": "Alice/moon_game", "supports": True, "confidence": 10},
            {"game": "Alice/sun", "supports": False, "confidence": 10},
            {"game": "gone/game", "supports": True, "confidence": 10},
        ],
        depends=["light", "unheard_of"],
        optional_depends=["Alice/sun"],
        translations={"de": {"title": "Lampen"}, "en": {"title": "Lamps"}, "xx": {"title": "?"}},
        media_license="CC-BY-SA-4.0",
        dev_state="ACTIVELY_DEVELOPED",
        ai_disclosure="ASSISTED",
        maintainers=["bob"],
        provides=["lamps", "torch"],
    )
    found, links = information(client)
    assert found == [
        "Type: <b>Mod</b>",
        "Tags: <b>Magic / Enchanting, no_such</b>",
        "Supported Games: <b><action name=link_1><u>Moon \\<Game\\></u></action></b>",
        "Unsupported Games: <b><action name=link_2><u>Sun</u></action></b>",
        "Dependencies: <b><action name=link_3><u>light</u></action>, unheard_of</b>",
        "Optional dependencies: <b><action name=link_4><u>Alice/sun</u></action></b>",
        "Languages: <b>English, Deutsch</b>",
        "License: <b>MIT for code, CC-BY-SA-4.0 for media</b>",
        "Maintenance State: <b>Actively Developed</b>",
        "AI Disclosure: <b>AI-assisted</b>",
        "Added: <b>2026-01-02T03:04:05Z</b>",
        "Maintainers: <b><action name=link_5><u>Alice</u></action>, <action name=link_6><u>bob</u></action></b>",
        "Provides: <b>lamps, torch</b>",
    ]
    assert links == {
        "link_1": f"{BASE}/packages/Alice/moon_game/",
        "link_2": f"{BASE}/packages/Alice/sun/",
        "link_3": f"{BASE}/packages/Alice/light/",
        "link_4": f"{BASE}/packages/Alice/sun/",
        "link_5": f"{BASE}/users/Alice/",
        "link_6": f"{BASE}/users/bob/",
    }


@pytest.mark.parametrize(
    ("type_", "labels"),
    [
        ("MOD", {"Supported Games", "Dependencies", "Optional dependencies"}),
        ("GAME", {"Dependencies", "Optional dependencies"}),
        ("TXP", {"Supported Games"}),
    ],
)
def test_each_package_type_has_its_own_lines(client: Client, type_: str, labels: set[str]) -> None:
    published("Alice/thing", type=type_)
    found, _ = information(client, "/api/packages/Alice/thing/for-client/")
    always = {"Type", "Tags", "Languages", "License", "Maintenance State", "AI Disclosure", "Added"}
    assert {line.split(":")[0] for line in found} == always | labels | {"Maintainers", "Provides"}


def test_the_sidebar_says_that_a_package_for_all_games_needs_none(client: Client) -> None:
    change("Alice/lamps", supports_all_games=True)
    assert "Supported Games: <b>No specific game required</b>" in information(client)[0]


def test_texts_are_in_the_games_language(client: Client) -> None:
    change("Alice/lamps", translations={"de": {"title": "Lampen", "short_description": "Licht."}})
    shown = client.get(PATH, query=QUERY, headers={"Accept-Language": "de, en;q=0.8"}).json
    assert (shown["title"], shown["short_description"], shown["name"]) == ("Lampen", "Licht.", "lamps")


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"formspec_version": ""}, "formspec_version is required."),
        ({"formspec_version": "x"}, "formspec_version must be a whole number."),
        ({"formspec_version": "-1"}, "formspec_version must be a whole number."),
        ({"protocol_version": "99999999999999"}, "protocol_version must be a whole number."),
    ],
)
def test_the_error_of_an_invalid_argument_is_json_for_scripts_and_text_for_the_game(
    client: Client, query: Mapping[str, str], error: str
) -> None:
    reply = client.get(PATH, query={**QUERY, **query})
    assert (reply.status, reply.json) == (400, malformed(error))
    reply = request(client, **query)
    assert (reply.status, reply.header("content-type")) == (400, "text/plain")
    assert reply.body == f"{malformed(error)['description']}\n".encode()


def test_the_formspec_version_is_required(client: Client) -> None:
    assert client.get(PATH).status == 400


@pytest.mark.parametrize("path", ["/api/packages/Alice/nothing/for-client/", "/api/packages/%00/x/for-client/"])
def test_the_error_of_an_unknown_package_is_json_for_scripts_and_text_for_the_game(client: Client, path: str) -> None:
    reply = client.get(path, query=QUERY)
    assert (reply.status, reply.json) == (404, NO_SUCH_PAGE)
    reply = request(client, path, agent="Minetest/5.9.0 (Windows)")
    assert (reply.status, reply.header("content-type")) == (404, "text/plain")
    assert reply.body == f"{NO_SUCH_PAGE['description']}\n".encode()


def test_an_alias_redirects_to_the_package_and_keeps_the_query(client: Client) -> None:
    change("Alice/lamps", aliases=["bob/lights"])
    reply = request(client, "/api/packages/bob/lights/for-client/")
    assert reply.status == 302
    assert reply.header("location") == (
        f"{BASE}{PATH}?protocol_version=53&engine_version=5.17.0&formspec_version=8&include_images=false"
    )


def view(client: Client, agent: str | None = LUANTI, address: str = "203.0.113.7", method: str = "GET") -> None:
    headers = {**client.headers, **({"User-Agent": agent} if agent else {})}
    event = _event(method, PATH, "formspec_version=8", headers, b"")
    event["requestContext"]["identity"]["sourceIp"] = address
    assert client.answer(event).status == 200


def views() -> int:
    """Book the tallies; return the views of the package."""
    booking.book()
    days = DailyStats.query("stats#1")
    found = sum(int(day.views_luanti) for day in days)
    assert int(Counters.get("package#1", "counters").views) == found
    return found


def test_a_view_counts_once_per_client_in_fourteen_days(client: Client) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        view(client)
        view(client)
        assert views() == 1
        clock.shift(timedelta(days=13))
        view(client)
        assert views() == 1
        clock.shift(timedelta(days=1))
        view(client)
        view(client, address="203.0.113.8")
        assert views() == 3
    assert [(day.sk, int(day.views_luanti)) for day in DailyStats.query("stats#1")] == [
        ("2026-03-01", 1),
        ("2026-03-15", 2),
    ]


@pytest.mark.parametrize("agent", [None, "", "curl/8", "Minetest/5.9.0", "Mozilla/5.0 Luanti", "Luanti-bot/1"])
def test_only_views_by_the_game_count(client: Client, agent: str | None) -> None:
    view(client, agent)
    assert list(PackageTally.scan()) == []


def test_head_and_clients_without_an_address_do_not_count(client: Client) -> None:
    view(client, method="HEAD")
    view(client, address="")
    assert list(PackageTally.scan()) == []


def test_downloads_and_views_count_separately(client: Client) -> None:
    view(client)
    counting.count_download(counting.Visitor("203.0.113.7", LUANTI), 1, 1, "new")
    assert views() == 1
    counters = Counters.get("package#1", "counters")
    assert (int(counters.downloads), float(counters.score_downloads)) == (1, 1.0)
    assert sorted(item.sk for item in Seen.scan()) == ["download", "view"]


@pytest.mark.parametrize("size", [10, 600])
def test_a_view_costs_three_calls_if_it_counts_and_two_otherwise(
    client: Client, calls: list[str], fill_catalogue: Any, size: int
) -> None:
    fill_catalogue(size)
    path = "/api/packages/Alice/p1/for-client/"
    request(client, path, agent=LUANTI)
    calls.clear()
    assert request(client, path).status == 200
    assert calls == ["Query", "GetItem", "TransactWriteItems"]
    calls.clear()
    assert request(client, path, agent="curl/8").status == 200
    assert calls == ["Query", "GetItem"]
