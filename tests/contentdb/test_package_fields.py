"""Package fields: the table's model, the entry and the table of fields must agree."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.contentdb.entry import PackageEntry
from chalicelib.contentdb.packages.fields import BY_NAME, FIELDS, SHOWN
from chalicelib.contentdb.store import values
from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.tables import ContentDbItem, Counters, Package
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import member, published, token

STORED = set(Package.get_attributes()) - set(ContentDbItem.get_attributes())
ENTRY = set(PackageEntry.__struct_fields__)
# An edit cannot set these, and the JSON does not contain them under their own name.
INTERNAL = {
    *("id", "maintainers", "aliases", "depends", "optional_depends", "translations", "cover_image"),
    *("releases", "screenshots", "score_downloads", "score_reviews", "reviews"),
}
NOT_IN_THE_ENTRY = {"author_id", "submitted_at", "changed"}
NOT_STORED_WITH_THE_PACKAGE = {"releases", "screenshots", "downloads", "score_downloads", "score_reviews", "reviews"}
ALIASES = {"forum_url"}  # another way to set `forums`

VALUES: dict[str, Any] = {
    "name": "renamed",
    "title": "A title",
    "short_description": "Short.",
    "long_description": "Long.",
    "type": "GAME",
    "dev_state": "BETA",
    "ai_disclosure": "ASSISTED",
    "license": "ISC",
    "media_license": "ISC",
    "repo": "https://repo.example",
    "website": "https://website.example",
    "issue_tracker": "https://issues.example",
    "forums": 12,
    "forum_url": "https://forum.luanti.org/viewtopic.php?t=12",
    "video_url": "https://video.example",
    "translation_url": "https://translation.example",
    "donate_url": "https://donate.example",
    "tags": ["building"],
    "content_warnings": ["violence"],
    "game_support": [{"game": "bob/sea", "supports": True}],
}


def test_the_model_and_the_entry_have_the_same_fields() -> None:
    assert STORED - NOT_IN_THE_ENTRY == ENTRY - NOT_STORED_WITH_THE_PACKAGE


def test_every_field_of_the_entry_is_internal_or_in_the_table_of_fields() -> None:
    assert {field.name for field in FIELDS} - ALIASES == ENTRY - INTERNAL


def test_no_field_is_listed_twice() -> None:
    assert len(BY_NAME) == len(FIELDS)


def test_the_entry_gets_every_stored_field() -> None:
    """Each attribute has a value that differs from its default."""
    texts = {name: f"the {name}" for name in STORED if name not in ("id", "author_id", "forums", "cover_image")}
    lists = {
        name: [name]
        for name in ("tags", "content_warnings", "maintainers", "aliases", "provides", "depends", "optional_depends")
    }
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    others = {
        "supports_all_games": True,
        "game_support": [{"game": "bob/sea", "supports": True, "confidence": 11}],
        "translations": {"de": {"title": "Titel"}},
        "created_at": moment,
        "approved_at": moment,
    }
    numbers = {"id": 7, "author_id": 8, "forums": 9, "cover_image": 10}
    package = Package("package#7", "package", **{**texts, **lists, **others, **numbers})
    entry = values.value_of(Parts(package, Counters("package#7", "counters")))
    for name in STORED - NOT_IN_THE_ENTRY - set(lists) - set(others) - {"type"}:
        assert getattr(entry, name) == getattr(package, name), name
    for name, value in lists.items():
        assert getattr(entry, name) == tuple(value), name
    assert (entry.type, entry.supports_all_games, entry.created_at) == ("the type", True, "2026-01-02T00:00:00.000000")
    assert (entry.translations, entry.game_support[0].game) == ({"de": {"title": "Titel"}}, "bob/sea")


def test_values_contain_every_editable_field() -> None:
    assert set(VALUES) == {field.name for field in FIELDS if field.kind is not None}


@pytest.mark.parametrize("name", sorted(name for name in VALUES if name not in ("name", "type")))
def test_an_edit_changes_the_json_and_the_page(client: Client, alice: Account, name: str) -> None:
    member("bob")
    published("bob/sea", type="GAME")
    published("Alice/lamps")
    path, field = "/api/packages/Alice/lamps/", BY_NAME[name]
    reply = client.request("PUT", path, json={name: VALUES[name]}, headers=token(alice))
    assert (reply.status, reply.json["success"]) == (200, True)
    shown = client.get(path).json
    if name == "game_support":
        assert shown[name][0]["game"]["name"] == "sea"
    else:
        assert shown[name] == VALUES[name]
    assert name in SHOWN or name in ("forum_url", "donate_url", "game_support")
    assert name in client.get("/api/cdb_schema/").json["properties"]
    if field.label:
        assert f'href="{VALUES[name].replace("&", "&amp;")}"' in client.page("/packages/Alice/lamps")
