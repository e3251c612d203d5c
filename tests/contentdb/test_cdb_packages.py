"""Reading, creating and editing packages."""

from typing import Any

import pytest
import time_machine

from chalicelib.contentdb.packages import registry, states
from chalicelib.contentdb.store.tables import ContentDbItem, Package, PackageName
from chalicelib.core import audit
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import (
    change,
    count,
    draft,
    member,
    published,
    refusal,
    release,
    screenshot,
    token,
)

LAMPS = "/api/packages/Alice/lamps/"


def put(client: Client, bearer: dict[str, str], path: str = LAMPS, **fields: Any) -> Reply:
    return client.request("PUT", path, json=fields, headers=bearer)


@pytest.fixture(autouse=True)
def _lamps(alice: Account) -> None:
    with time_machine.travel("2026-01-02T03:04:05.678901+00:00", tick=False):
        draft("Alice/lamps", title="Lamps", short_description="Light.")


def full(**more: Any) -> dict[str, Any]:
    """Return the draft as the API returns it, with some fields replaced."""
    return {
        "author": "Alice",
        "maintainers": ["Alice"],
        "state": "WIP",
        "dev_state": None,
        "ai_disclosure": None,
        "name": "lamps",
        "title": "Lamps",
        "short_description": "Light.",
        "long_description": None,
        "type": "mod",
        "created_at": "2026-01-02T03:04:05.678901",
        "approved_at": None,
        "license": "MIT",
        "media_license": "MIT",
        "repo": None,
        "website": None,
        "issue_tracker": None,
        "forums": None,
        "forum_url": None,
        "video_url": None,
        "video_thumbnail_url": None,
        "donate_url": None,
        "translation_url": None,
        "tags": [],
        "content_warnings": [],
        "provides": ["lamps"],
        "thumbnail": None,
        "screenshots": [],
        "url": "http://moonbase.test/packages/Alice/lamps/download/",
        "release": None,
        "score": 0.0,
        "downloads": 0,
        "supports_all_games": False,
        "game_support": [],
        **more,
    }


def test_a_draft_is_public(client: Client) -> None:
    reply = client.get(LAMPS)
    assert (reply.status, reply.json) == (200, full())


def test_a_package_contains_its_release_screenshots_counters_and_games(client: Client, bob: Account) -> None:
    number = release("Alice/lamps", "5.3")
    screenshot("Alice/lamps", "aaaaaaaaaa.png", approved=False)
    screenshot("Alice/lamps", "bbbbbbbbbb.webp")
    screenshot("Alice/lamps", "cccccccccc.jpg")
    game = published("Alice/moon", type="GAME")
    rows = [{"game": "Alice/moon", "supports": True, "confidence": 11}]
    change("Alice/lamps", game_support=rows, maintainers=["bob"], forums=7, video_url="https://youtu.be/abcdefghijk")
    count("Alice/lamps", downloads=9, score_downloads=3.14159, score_reviews=150)
    shown = client.get(LAMPS).json
    assert shown == full(
        maintainers=["Alice", "bob"],
        release=number,
        thumbnail="http://moonbase.test/thumbnails/1/bbbbbbbbbb.png",
        screenshots=[
            "http://moonbase.test/uploads/bbbbbbbbbb.webp",
            "http://moonbase.test/uploads/cccccccccc.jpg",
        ],
        forums=7,
        forum_url="https://forum.luanti.org/viewtopic.php?t=7",
        video_url="https://youtu.be/abcdefghijk",
        video_thumbnail_url="https://img.youtube.com/vi/abcdefghijk/hqdefault.jpg",
        downloads=9,
        score=153.1,
        game_support=[
            {
                "supports": True,
                "confidence": 11,
                "game": {
                    "author": "Alice",
                    "name": "moon",
                    "title": "Moon",
                    "short_description": "About moon.",
                    "type": "game",
                    "release": game,
                    "thumbnail": None,
                },
            }
        ],
    )


def test_a_deleted_package_is_not_found(client: Client) -> None:
    states.apply("delete", "Alice", "lamps")
    assert client.get(LAMPS).status == 404


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("type", "game", "game"),
        ("title", "Bulbs", "Bulbs"),
        ("short_description", "Bright.", "Bright."),
        ("long_description", "# Bright\n", "# Bright\n"),
        ("dev_state", "beta", "BETA"),
        ("ai_disclosure", "NONE", "NONE"),
        ("tags", ["pvp", "food", "pvp"], ["food", "pvp"]),
        ("tags", [3], ["32px"]),
        ("content_warnings", ["gore"], ["gore"]),
        ("license", "wtfpl", "WTFPL"),
        ("media_license", "CC0-1.0", "CC0-1.0"),
        ("repo", "https://example.org/a", "https://example.org/a"),
        ("website", "http://example.org", "http://example.org"),
        ("issue_tracker", "https://example.org:8443/issues?a=b#c", "https://example.org:8443/issues?a=b#c"),
        ("forums", 12, 12),
        ("video_url", "https://youtu.be/abcdefghijk?t=3", "https://www.youtube.com/watch?v=abcdefghijk"),
        ("video_url", "https://video.example.org/1", "https://video.example.org/1"),
        ("donate_url", "https://example.org/donate", "https://example.org/donate"),
        ("translation_url", "https://example.org/translate", "https://example.org/translate"),
    ],
)
def test_every_field_can_be_set(client: Client, bearer: dict[str, str], field: str, value: Any, shown: Any) -> None:
    reply = put(client, bearer, **{field: value})
    assert (reply.status, reply.json["success"], reply.json["was_modified"]) == (200, True, True)
    assert reply.json["package"][field] == shown
    assert client.get(LAMPS).json == reply.json["package"]
    assert put(client, bearer, **{field: value}).json["was_modified"] is False


def test_the_examples_of_the_api_page_work(client: Client, bearer: dict[str, str]) -> None:
    reply = put(client, bearer, title="Foo bar", tags=["pvp", "survival"], license="MIT")
    assert (reply.status, reply.json["package"]["tags"]) == (200, ["pvp", "survival"])
    assert put(client, bearer, website=None).status == 200


@pytest.mark.parametrize(
    ("alias", "field", "value"),
    [
        ("short_desc", "short_description", "Bright."),
        ("desc", "long_description", "Bright."),
        ("issueTracker", "issue_tracker", "https://example.org"),
    ],
)
def test_old_field_names_are_accepted(
    client: Client, bearer: dict[str, str], alias: str, field: str, value: str
) -> None:
    assert put(client, bearer, **{alias: value}).json["package"][field] == value
    reply = put(client, bearer, **{alias: "https://example.org/a", field: "https://example.org/b"})
    assert (reply.status, reply.json) == (403, refusal(f"Aliased field ({field}) does not match new field ({alias})"))


def test_a_forum_topic_can_be_set_by_its_url(client: Client, bearer: dict[str, str]) -> None:
    reply = put(client, bearer, forum_url="https://forum.luanti.org/viewtopic.php?f=9&t=42")
    assert (reply.json["package"]["forums"], put(client, bearer, forum_url=None).json["package"]["forums"]) == (
        42,
        None,
    )


@pytest.mark.parametrize(
    "field",
    [
        *("repo", "website", "issue_tracker", "forums", "video_url", "donate_url", "translation_url"),
        *("tags", "content_warnings", "game_support", "long_description", "dev_state", "ai_disclosure"),
    ],
)
def test_null_clears_an_optional_field(client: Client, bearer: dict[str, str], field: str) -> None:
    published("Alice/moon", type="GAME")
    values = {"forums": 5, "tags": ["food"], "content_warnings": ["gore"]}
    values["game_support"] = [{"game": "Alice/moon", "supports": True}]
    values |= {"dev_state": "BETA", "ai_disclosure": "NONE"}
    put(client, bearer, **{field: values.get(field, "https://example.org")})
    reply = put(client, bearer, **{field: None})
    empty = [] if field in ("tags", "content_warnings", "game_support") else None
    assert (reply.json["was_modified"], reply.json["package"][field]) == (True, empty)


def test_the_word_none_clears_the_development_state(client: Client, bearer: dict[str, str]) -> None:
    put(client, bearer, dev_state="WIP")
    assert put(client, bearer, dev_state="NONE").json["package"]["dev_state"] is None


def test_a_package_can_be_sent_back_as_it_was_read(client: Client, bearer: dict[str, str]) -> None:
    published("Alice/moon", type="GAME")
    put(client, bearer, long_description="Long.", dev_state="BETA", ai_disclosure="NONE", forums=3)
    put(client, bearer, game_support=[{"game": "Alice/moon", "supports": True}])
    whole = client.get(LAMPS).json
    reply = put(client, bearer, **whole, **{"$schema": "https://example.org/schema.json"})
    assert (reply.status, reply.json) == (200, {"success": True, "package": whole, "was_modified": False})


def test_a_new_draft_can_be_sent_back_as_it_was_read(client: Client, bearer: dict[str, str]) -> None:
    whole = client.get(LAMPS).json
    reply = put(client, bearer, **whole)
    assert (reply.status, reply.json) == (200, {"success": True, "package": whole, "was_modified": False})


def test_the_authors_game_support_overrides_the_detected_one(client: Client, bearer: dict[str, str]) -> None:
    for name in ("moon", "sun_game", "star"):
        published(f"Alice/{name}", type="GAME")
    found = [
        {"game": "Alice/moon", "supports": True, "confidence": 10},
        {"game": "Alice/star", "supports": True, "confidence": 1},
    ]
    change("Alice/lamps", game_support=found)
    wanted = [
        {"game": {"author": "Alice", "name": "moon"}, "supports": True},
        {"game": "Alice/sun", "supports": False, "confidence": 1},
    ]
    shown = put(client, bearer, game_support=wanted).json["package"]["game_support"]
    assert [(row["game"]["name"], row["supports"], row["confidence"]) for row in shown] == [
        ("moon", True, 10),
        ("sun_game", False, 11),
    ]


def test_a_texture_pack_has_the_license_of_its_media(client: Client, bearer: dict[str, str]) -> None:
    shown = put(client, bearer, type="TXP", license="MIT", media_license="CC0-1.0").json["package"]
    assert (shown["license"], shown["media_license"]) == ("CC0-1.0", "CC0-1.0")


BAD = [
    ({"foo": 1}, "foo is not a known field"),
    ({"title": None}, "title must not be null"),
    ({"short_description": None}, "short_description must not be null"),
    ({"license": None}, "license must not be null"),
    ({"type": None}, "type must not be null"),
    ({"title": 5}, "title must be a str"),
    ({"title": ["a"]}, "title must be a str"),
    ({"forums": "5"}, "forums must be a int"),
    ({"forums": True}, "forums must be a int"),
    ({"forums": 1.5}, "forums must be a int"),
    ({"forums": -1}, "forums is out of range"),
    ({"forums": 2**64 - 1}, "forums is out of range"),
    ({"tags": "food"}, "tags must be a list"),
    ({"tags": {}}, "tags must be a list"),
    ({"tags": ["nothing"]}, "Unknown tag: nothing"),
    ({"tags": [0]}, "Unknown tag: 0"),
    ({"tags": [99]}, "Unknown tag: 99"),
    ({"tags": [None]}, "Unknown tag: None"),
    ({"tags": ["food"] * 201}, "tags is too long"),
    ({"content_warnings": ["nothing"]}, "Unknown warning: nothing"),
    ({"license": "free"}, "Unknown license free"),
    ({"media_license": ""}, "Unknown license "),
    ({"type": "MODPACK"}, "type must be one of MOD, GAME, TXP"),
    ({"ai_disclosure": "SOME"}, "ai_disclosure must be one of NONE, ASSISTED, GENERATED"),
    ({"title": ""}, "title must not be empty"),
    ({"title": "x" * 101}, "title is too long"),
    ({"short_description": "x" * 201}, "short_description is too long"),
    ({"long_description": "x" * 50_001}, "long_description is too long"),
    ({"website": f"https://example.org/{'x' * 200}"}, "website is too long"),
    ({"website": "example.org"}, "website must start with http:// or https://"),
    ({"repo": "git://example.org/a/b.git"}, "repo must start with http:// or https://"),
    ({"website": ""}, "website must start with http:// or https://"),
    ({"website": "https://"}, "website must be a valid URL"),
    ({"website": "https://nothing"}, "website must be a valid URL"),
    ({"website": "https://exa mple.org"}, "website must be a valid URL"),
    ({"website": "https://example.org:99999"}, "website must be a valid URL"),
    ({"website": "https://[::1"}, "website must be a valid URL"),
    ({"issue_tracker": 'https://example.org/"><script>'}, "issue_tracker must be a valid URL"),
    ({"video_url": "javascript:alert(1)"}, "video_url must start with http:// or https://"),
    ({"donate_url": "javascript:alert(1)"}, "donate_url must start with http:// or https://"),
    ({"translation_url": "data:text/html,x"}, "translation_url must start with http:// or https://"),
    ({"forum_url": "https://forum.luanti.org/viewtopic.php"}, "Invalid forum_url - missing t"),
    ({"forum_url": "https://forum.luanti.org/viewtopic.php?t=x"}, "Invalid forum_url - missing t"),
    ({"game_support": [1]}, "game_support must be a list of objects with game and supports"),
    ({"game_support": [{"game": "Alice/lamps"}]}, "game_support must be a list of objects with game and supports"),
    ({"game_support": [{"game": "Alice/lamps", "supports": True}]}, "Unable to find that game"),
    ({"game_support": [{"game": "", "supports": True}]}, "Unable to find that game"),
    *(
        (
            {"name": name},
            "Name can only contain lower case letters (a-z), digits (0-9), and underscores (_)",
        )
        for name in ("Lamps", "la mps", "", "_game", "lamps/x", "lämps")
    ),
    ({"name": "x" * 101}, "name is too long"),
]


@pytest.mark.parametrize(
    ("field", "longest"),
    [
        ("title", "x" * 100),
        ("short_description", "x" * 200),
        ("long_description", "x" * 50_000),
        ("website", "https://example.org/".ljust(200, "x")),
    ],
)
def test_a_text_can_have_its_maximum_length(client: Client, bearer: dict[str, str], field: str, longest: str) -> None:
    reply = client.request("PUT", "/api/packages/Alice/lamps/", headers=bearer, json={field: longest})
    assert (reply.status, client.get("/api/packages/Alice/lamps/").json[field]) == (200, longest)


@pytest.mark.parametrize("fields", [{"x" * 60_000: 1}, {"tags": ["x" * 60_000]}])
def test_an_error_repeats_only_the_beginning_of_a_long_value(
    client: Client, bearer: dict[str, str], fields: dict[str, Any]
) -> None:
    reply = client.request("PUT", "/api/packages/Alice/lamps/", headers=bearer, json=fields)
    assert (reply.status, len(reply.json["error"]), reply.json["error"][-4:]) == (400, 1000, "x...")


@pytest.mark.parametrize(("fields", "error"), BAD)
def test_an_invalid_value_is_rejected_and_nothing_is_stored(
    client: Client, bearer: dict[str, str], fields: dict[str, Any], error: str
) -> None:
    reply = put(client, bearer, **{"donate_url": "https://example.org", **fields})
    assert (reply.status, reply.json) == (400, refusal(error))
    assert client.get(LAMPS).json == full()


def test_the_error_of_an_unknown_development_state_lists_the_known_ones(client: Client, bearer: dict[str, str]) -> None:
    reply = put(client, bearer, dev_state="DONE")
    assert (reply.status, reply.json["error"].startswith("dev_state must be one of WIP, BETA, ")) == (400, True)


@pytest.mark.parametrize("url", ["https://www.youtube.com/watch?v=dQw4w9WgXcQ", "https://youtu.be/dQw4w9WgXcQ"])
def test_one_blocked_video_is_rejected(client: Client, bearer: dict[str, str], url: str) -> None:
    reply = put(client, bearer, video_url=url)
    assert (reply.status, reply.json) == (403, refusal("Linking to blocked sites is not allowed"))


def test_links_to_blocked_sites_are_rejected(client: Client, bearer: dict[str, str]) -> None:
    from chalicelib import settings

    with settings.override(contentdb_blocked_domains=("spam.example",)):
        for fields in ({"website": "https://SPAM.example/x"}, {"long_description": "see spam.example"}):
            reply = put(client, bearer, **fields)
            assert (reply.status, reply.json) == (403, refusal("Linking to blocked sites is not allowed"))


def test_a_draft_can_be_renamed(client: Client, bearer: dict[str, str]) -> None:
    release("Alice/lamps")
    reply = put(client, bearer, name="bulbs")
    assert (reply.status, reply.json["package"]["name"], reply.json["package"]["release"]) == (200, "bulbs", 1)
    assert (client.get(LAMPS).status, client.get("/api/packages/Alice/bulbs/").status) == (404, 200)
    draft("Alice/lamps")  # the old name is free
    reply = put(client, bearer, name="bulbs")
    assert (reply.status, reply.json) == (409, refusal("A package with this name already exists"))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": "bulbs"}, "You don't have permission to change the package name"),
        ({"type": "GAME"}, "You cannot change package type once approved"),
    ],
)
def test_an_approved_package_keeps_its_name_and_type(
    client: Client, bearer: dict[str, str], fields: dict[str, Any], error: str
) -> None:
    states.apply("approve", "Alice", "lamps")
    reply = put(client, bearer, **fields)
    assert (reply.status, reply.json) == (403, refusal(error))
    assert put(client, bearer, name="lamps", type="mod").status == 200


@pytest.mark.parametrize(("rank", "status"), [("MEMBER", 403), ("APPROVER", 403), ("EDITOR", 200), ("ADMIN", 200)])
def test_other_accounts_can_edit_with_rank_editor_or_higher(client: Client, rank: str, status: int) -> None:
    reply = put(client, token(member("carol", rank)), title="Bulbs")
    assert reply.status == status
    if status == 403:
        assert reply.json == refusal("API token does not have access to the package")


def test_a_maintainer_can_edit(client: Client, bob: Account) -> None:
    registry.set_maintainers("Alice", "lamps", ["BOB"])
    assert put(client, token(bob), title="Bulbs").status == 200


def test_an_author_with_rank_not_joined_cannot_edit(client: Client) -> None:
    ghost = member("ghost", "NOT_JOINED")
    draft("ghost/boo")
    reply = put(client, token(ghost), "/api/packages/ghost/boo/", title="Boo")
    assert (reply.status, reply.json) == (403, refusal("You don't have permission to edit this package"))


def test_an_edit_is_in_the_audit_log_of_its_author_once(client: Client, alice: Account, bearer: dict[str, str]) -> None:
    put(client, bearer, title="Bulbs")
    put(client, bearer, title="Bulbs")
    edits = [entry for entry in audit.entries(int(alice.id)) if entry.action == "package.edit"]
    [credential] = credentials.list_credentials(alice)
    assert [(entry.subject, entry.credential_id) for entry in edits] == [("package#1", credential.id)]


def test_authors_can_create_drafts(client: Client, bearer: dict[str, str]) -> None:
    fields = {"type": "txp", "title": "Doors", "license": "MIT", "media_license": "CC0-1.0", "tags": ["16px"]}
    reply = client.post("/api/packages/Alice/doors/", json=fields, headers=bearer)
    assert (reply.status, reply.json["success"]) == (200, True)
    assert reply.json["package"] == client.get("/api/packages/Alice/doors/").json
    shown = {field: reply.json["package"][field] for field in ("type", "state", "license", "tags", "provides")}
    assert shown == {"type": "txp", "state": "WIP", "license": "CC0-1.0", "tags": ["16px"], "provides": []}


@pytest.mark.parametrize(
    ("path", "fields", "status", "error"),
    [
        ("Alice/lamps", {}, 409, "A package with this name already exists"),
        ("Alice/Doors", {}, 400, "Name can only contain lower case letters (a-z), digits (0-9), and underscores (_)"),
        ("Alice/doors", {"license": "free"}, 400, "Unknown license free"),
        ("Alice/doors", {"foo": 1}, 400, "foo is not a known field"),
        ("bob/doors", {}, 403, "You don't have permission to create packages for others"),
    ],
)
def test_an_invalid_draft_is_rejected_and_nothing_is_stored(
    client: Client, bearer: dict[str, str], path: str, fields: dict[str, Any], status: int, error: str
) -> None:
    before = len(list(ContentDbItem.scan()))
    data = {"type": "MOD", "title": "Doors", "license": "MIT", **fields}
    reply = client.post(f"/api/packages/{path}/", json=data, headers=bearer)
    assert (reply.status, reply.json) == (status, refusal(error))
    assert len(list(ContentDbItem.scan())) == before


@pytest.mark.parametrize("missing", ["type", "title", "license"])
def test_a_draft_needs_some_fields(client: Client, bearer: dict[str, str], missing: str) -> None:
    data = {"type": "MOD", "title": "Doors", "license": "MIT"}
    del data[missing]
    reply = client.post("/api/packages/Alice/doors/", json=data, headers=bearer)
    assert (reply.status, reply.json) == (400, refusal(f"{missing} is required"))


def test_approvers_can_create_drafts_for_others(client: Client) -> None:
    headers = token(member("carol", "APPROVER"))
    data = {"type": "MOD", "title": "Doors", "license": "MIT"}
    assert client.post("/api/packages/Alice/doors/", json=data, headers=headers).status == 200
    assert client.post("/api/packages/nobody/doors/", json=data, headers=headers).status == 404


def test_a_deleted_package_keeps_its_name(client: Client, bearer: dict[str, str]) -> None:
    states.apply("delete", "Alice", "lamps")
    data = {"type": "MOD", "title": "Lamps", "license": "MIT"}
    reply = client.post(LAMPS, json=data, headers=bearer)
    assert (reply.status, reply.json) == (409, refusal("A package with this name already exists"))


def test_authors_set_the_maintainers(client: Client, bob: Account, bearer: dict[str, str]) -> None:
    reply = client.request("PUT", f"{LAMPS}maintainers/", json=["bob", "Alice"], headers=bearer)
    assert (reply.status, reply.json) == (200, {"success": True, "maintainers": ["Alice", "bob"]})
    assert client.get(LAMPS).json["maintainers"] == ["Alice", "bob"]
    assert client.request("PUT", f"{LAMPS}maintainers/", json=["nobody"], headers=bearer).status == 404
    reply = client.request("PUT", f"{LAMPS}maintainers/", json=[], headers=token(bob))
    assert (reply.status, reply.json) == (403, refusal("You don't have permission to edit the maintainers"))


@pytest.mark.parametrize("body", ['{"a": 1}', "[1]", '"bob"'])
def test_maintainers_are_an_array_of_strings(client: Client, bearer: dict[str, str], body: str) -> None:
    reply = client.request("PUT", f"{LAMPS}maintainers/", body=body.encode(), headers=bearer)
    assert (reply.status, reply.json) == (400, refusal("Expected the body to be a JSON array of texts"))


def test_administrators_set_aliases(client: Client, bearer: dict[str, str]) -> None:
    admin = token(member("root", "ADMIN"))
    published("Alice/doors")
    reply = client.request("PUT", f"{LAMPS}aliases/", json=["bob/lights", "Alice/lights"], headers=admin)
    assert (reply.status, reply.json) == (200, {"success": True, "aliases": ["Alice/lights", "bob/lights"]})
    taken = client.request("PUT", "/api/packages/Alice/doors/aliases/", json=["bob/lights"], headers=admin)
    assert (taken.status, taken.json) == (409, refusal("bob/lights is taken by another package"))
    own = client.request("PUT", f"{LAMPS}aliases/", json=["Alice/doors"], headers=admin)
    assert own.status == 409
    bad = client.request("PUT", f"{LAMPS}aliases/", json=["lights"], headers=admin)
    assert (bad.status, bad.json) == (400, refusal("lights is not an author/name"))
    client.request("PUT", f"{LAMPS}aliases/", json=[], headers=admin)
    assert [item.pk for item in ContentDbItem.scan() if isinstance(item, PackageName)].count(
        "package-name#bob/lights"
    ) == 0
    refused = client.request("PUT", f"{LAMPS}aliases/", json=[], headers=bearer)
    assert (refused.status, refused.json) == (403, refusal("You don't have permission to edit the aliases"))


def test_only_one_of_four_simultaneous_drafts_gets_the_name(aws: None) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from chalicelib.core.errors import Conflict

    def make(number: int) -> bool:
        try:
            draft("Alice/doors", title=f"{number}")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(make, range(4))) == [False, False, False, True]
    assert sum(isinstance(item, Package) for item in ContentDbItem.scan()) == 2
