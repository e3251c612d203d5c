"""What the game's dialog gets when a player looks at a package: every field that it asserts, and what it costs."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from chalicelib.contentdb.statistics import booking, counting
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import Counters, DailyStats, PackageTally, Seen
from chalicelib.contentdb.texts.hypertext import HEAD
from chalicelib.core.entries import replace
from chalicelib.core.tables import Account
from tests.client import Client, Reply, _event
from tests.contentdb.builders import (
    MALFORMED,
    NO_SUCH_PAGE,
    change,
    count,
    draft,
    published,
    release,
    screenshot,
)

LAMPS = "/api/packages/Alice/lamps/"
PATH = f"{LAMPS}for-client/"
LUANTI = "Luanti/5.17.0 (Linux/6.1 x86_64)"
ASKED = {"protocol_version": "53", "engine_version": "5.17.0", "formspec_version": "8", "include_images": "false"}
BASE = "http://moonbase.test"


@pytest.fixture(autouse=True)
def _lamps(alice: Account) -> None:
    with time_machine.travel("2026-01-02T03:04:05.678901+00:00", tick=False):
        published("Alice/lamps", short_description="Light.")


def ask(client: Client, path: str = PATH, agent: str = LUANTI, **query: str) -> Reply:
    """Ask as the game does."""
    return client.get(path, query={**ASKED, **query}, headers={"User-Agent": agent})


def hypertext(body: str = "\n", **more: dict[str, str]) -> dict[str, Any]:
    return {"head": HEAD, "body": body, "links": {}, "images": {}, "image_tooltips": {}, **more}


def lines(**changed: str) -> str:
    """The body of the sidebar of a mod of which little is known."""
    known = {
        "Type": "Mod",
        "Tags": "None",
        "Supported Games": "None",
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
    """The lines of the sidebar, and its links."""
    told = ask(client, path).json["info_hypertext"]
    assert (told["head"], told["images"], told["image_tooltips"]) == (HEAD, {}, {})
    return [line for line in told["body"].split("\n") if line], told["links"]


def test_a_bare_package_has_everything_that_the_dialog_needs(client: Client) -> None:
    reply = ask(client)
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


def test_texts_are_markup_and_images_are_linked_or_shown(client: Client) -> None:
    change(
        "Alice/lamps", long_description="# Lamps\n\n[site](/about) ![one](https://a.org/1.png)\n\n<script>x</script>"
    )
    linked = ask(client).json["long_description"]
    assert linked == client.get(f"{LAMPS}hypertext/", query="formspec_version=8&include_images=no").json
    assert (linked["images"], linked["links"]["link_1"]) == ({}, f"{BASE}/about")
    shown = ask(client, include_images="true").json["long_description"]
    assert shown["images"] == {"image_1": "https://a.org/1.png"}


def test_screenshots_have_titles_and_absolute_urls(client: Client) -> None:
    screenshot("Alice/lamps")
    screenshot("Alice/lamps", "abcdef0123.png", approved=False)
    assert ask(client).json["screenshots"] == [{"title": "A view", "url": f"{BASE}/uploads/0123456789.jpg"}]


def test_numbers_are_those_of_this_moment(client: Client) -> None:
    count("Alice/lamps", downloads=3)
    Counters("package#1", "counters", downloads=7, score_downloads=2.25, positive=4, neutral=5, negative=6).save()
    told = ask(client).json
    assert (told["downloads"], told["score"], told["reviews"]) == (
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
def test_the_size_of_a_download_is_told_as_people_read_it(client: Client, size: int, shown: str) -> None:
    entry = index.catalogue.snapshot().entries["Alice/lamps"].value
    newest = replace(entry.releases[0], size=size)
    index.catalogue.refresh(lambda _: {"Alice/lamps": replace(entry, releases=(newest,))})
    assert ask(client).json["download_size"] == shown


def test_the_version_says_which_release(client: Client) -> None:
    fits_old = release("Alice/lamps", highest="5.5")
    fits_new = release("Alice/lamps", lowest="5.8")
    assert ask(client).json["release"] == fits_new
    assert ask(client, engine_version="5.5.1", protocol_version="40").json["release"] == fits_old
    assert client.get(PATH, query="formspec_version=6").json["release"] == fits_new


def test_without_a_release_that_runs_there_is_none_and_the_dialog_opens(client: Client) -> None:
    draft("Alice/doors")
    told = ask(client, "/api/packages/Alice/doors/for-client/").json
    assert (told["name"], told["release"], told["download_size"]) == ("doors", None, "0 KB")
    release("Alice/doors", lowest="5.8")
    asked = {"engine_version": "5.3.0", "protocol_version": "39"}
    assert ask(client, "/api/packages/Alice/doors/for-client/", **asked).json["release"] is None
    assert ask(client, "/api/packages/Alice/doors/for-client/").json["download_size"] == "2 KB"


def test_the_sidebar_tells_all_that_is_known(client: Client) -> None:
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
    told, links = information(client)
    assert told == [
        "Type: <b>Mod</b>",
        "Tags: <b>Magic / Enchanting, no_such</b>",
        "Supported Games: <b><action name=link_1><u>Moon \\<Game\\></u></action>, gone/game</b>",
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
def test_each_type_has_the_lines_that_mean_something_for_it(client: Client, type_: str, labels: set[str]) -> None:
    published("Alice/thing", type=type_)
    told, _ = information(client, "/api/packages/Alice/thing/for-client/")
    always = {"Type", "Tags", "Languages", "License", "Maintenance State", "AI Disclosure", "Added"}
    assert {line.split(":")[0] for line in told} == always | labels | {"Maintainers", "Provides"}


def test_a_package_for_every_game_says_so(client: Client) -> None:
    change("Alice/lamps", supports_all_games=True)
    assert "Supported Games: <b>Every game</b>" in information(client)[0]


def test_texts_are_in_the_language_that_the_game_asks_for(client: Client) -> None:
    change("Alice/lamps", translations={"de": {"title": "Lampen", "short_description": "Licht."}})
    told = client.get(PATH, query=ASKED, headers={"Accept-Language": "de, en;q=0.8"}).json
    assert (told["title"], told["short_description"], told["name"]) == ("Lampen", "Licht.", "lamps")


@pytest.mark.parametrize(
    "query",
    [
        *({"formspec_version": ""}, {"formspec_version": "x"}, {"formspec_version": "-1"}, {"protocol_version": "x"}),
        *({"engine_version": ""}, {"protocol_version": "99999999999999"}),
    ],
)
def test_bad_arguments_are_json_for_scripts_and_words_for_the_game(client: Client, query: Mapping[str, str]) -> None:
    reply = client.get(PATH, query={**ASKED, **query})
    assert (reply.status, reply.json) == (400, MALFORMED)
    reply = ask(client, **query)
    assert (reply.status, reply.header("content-type")) == (400, "text/plain")
    assert reply.body == f"{MALFORMED['description']}\n".encode()


def test_the_formspec_version_is_required(client: Client) -> None:
    assert client.get(PATH).status == 400


@pytest.mark.parametrize("path", ["/api/packages/Alice/nothing/for-client/", "/api/packages/%00/x/for-client/"])
def test_what_is_not_there_is_json_for_scripts_and_words_for_the_game(client: Client, path: str) -> None:
    reply = client.get(path, query=ASKED)
    assert (reply.status, reply.json) == (404, NO_SUCH_PAGE)
    reply = ask(client, path, agent="Minetest/5.9.0 (Windows)")
    assert (reply.status, reply.header("content-type")) == (404, "text/plain")
    assert reply.body == f"{NO_SUCH_PAGE['description']}\n".encode()


def test_another_name_leads_to_the_package_with_what_was_asked(client: Client) -> None:
    change("Alice/lamps", aliases=["bob/lights"])
    reply = ask(client, "/api/packages/bob/lights/for-client/")
    assert reply.status == 302
    assert reply.header("location") == (
        f"{BASE}{PATH}?protocol_version=53&engine_version=5.17.0&formspec_version=8&include_images=false"
    )


def look(client: Client, agent: str | None = LUANTI, address: str = "203.0.113.7", method: str = "GET") -> None:
    headers = {**client.headers, **({"User-Agent": agent} if agent else {})}
    event = _event(method, PATH, "formspec_version=8", headers, b"")
    event["requestContext"]["identity"]["sourceIp"] = address
    assert client.answer(event).status == 200


def looks() -> int:
    """The looks at the package that are booked."""
    booking.book()
    days = DailyStats.query("stats#1")
    found = sum(int(day.views_luanti) for day in days)
    assert int(Counters.get("package#1", "counters").views) == found
    return found


def test_a_look_counts_once_per_client_in_fourteen_days(client: Client) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        look(client)
        look(client)
        assert looks() == 1
        clock.shift(timedelta(days=13))
        look(client)
        assert looks() == 1
        clock.shift(timedelta(days=1))
        look(client)
        look(client, address="203.0.113.8")
        assert looks() == 3
    assert [(day.sk, int(day.views_luanti)) for day in DailyStats.query("stats#1")] == [
        ("2026-03-01", 1),
        ("2026-03-15", 2),
    ]


@pytest.mark.parametrize("agent", [None, "", "curl/8", "Minetest/5.9.0", "Mozilla/5.0 Luanti", "Luanti-bot/1"])
def test_only_the_game_itself_counts(client: Client, agent: str | None) -> None:
    look(client, agent)
    assert list(PackageTally.scan()) == []


def test_head_and_clients_without_an_address_do_not_count(client: Client) -> None:
    look(client, method="HEAD")
    look(client, address="")
    assert list(PackageTally.scan()) == []


def test_a_download_and_a_look_count_apart(client: Client) -> None:
    look(client)
    counting.count_download(counting.Visitor("203.0.113.7", LUANTI), 1, 1, "new")
    assert looks() == 1
    counters = Counters.get("package#1", "counters")
    assert (int(counters.downloads), float(counters.score_downloads)) == (1, 1.0)
    assert sorted(item.sk for item in Seen.scan()) == ["download", "view"]


@pytest.mark.parametrize("size", [10, 3000])
def test_a_look_costs_three_calls_first_and_again(client: Client, calls: list[str], stock: Any, size: int) -> None:
    stock(size)
    look_at = "/api/packages/Alice/p1/for-client/"
    ask(client, look_at, agent=LUANTI)
    calls.clear()
    assert ask(client, look_at).status == 200
    assert calls == ["Query", "GetItem", "TransactWriteItems"]
    calls.clear()
    assert ask(client, look_at, agent="curl/8").status == 200
    assert calls == ["Query", "GetItem"]
