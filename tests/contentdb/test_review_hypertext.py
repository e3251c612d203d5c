"""Reviews as the game's package dialog reads them: one text, in which all markup of authors is escaped."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.contentdb.entry import KINDS, ContentDbSnapshot, ProfileEntry
from chalicelib.contentdb.game import reviews as review_hypertext
from chalicelib.contentdb.store import values
from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.tables import Counters, Package, Review, reviews_pk
from chalicelib.contentdb.texts.hypertext import HEAD
from chalicelib.core.catalogues.entries import Codec
from chalicelib.core.catalogues.packing import Packing
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import NO_SUCH_PAGE, malformed, member, published, token
from tests.contentdb.test_hypertext import TEXTS, assert_is_markup
from tests.contentdb.test_reviews import write

PATH = "/api/packages/Alice/lamps/for-client/reviews/"
SITE = "http://moonbase.test"
LUANTI = {"User-Agent": "Luanti/5.17.1 (Linux/6.1 x86_64)"}
LAMPS = values.value_of(
    Parts(
        Package(
            "package#1",
            "package",
            id=1,
            author="Alice",
            author_id=1,
            name="lamps",
            type="MOD",
            title="Lamps",
            license="MIT",
            media_license="MIT",
            created_at=datetime(2026, 1, 2, tzinfo=UTC),
        ),
        Counters("package#1", "counters"),
    )
)


@pytest.fixture(autouse=True)
def _lamps(request: pytest.FixtureRequest) -> None:
    if "client" in request.fixturenames:
        request.getfixturevalue("alice")
        published("Alice/lamps")


def review(number: int, **attributes: Any) -> Review:
    fields = {"rating": 5, "title": "Good", "comment": "It is good.", "author": "bob", **attributes}
    made = Review(reviews_pk(1), str(number), id=number, package_id=1, author_id=2, **fields)
    made.created_at = datetime(2026, 1, 2, tzinfo=UTC)
    return made


def test_all_reviews_are_one_text_with_distinct_links(client: Client, bob: Account) -> None:
    write(client, token(bob), title="A <b> & more", comment="See [this](/x), ![a picture](y.png).\n\nBye")
    write(client, token(member("carol")), rating=1, title="Bad", comment="It is *dark* and\n- cold")
    write(client, token(member("dora")), rating=3, title="Meh", comment="Neither nor...")
    reply = client.get(PATH, query="formspec_version=7")
    pages = f"{SITE}/api/packages/Alice/lamps/reviews"
    votes = "<u>0 comments, 0 helpful, 0 unhelpful</u></action>"
    assert (reply.status, reply.header("Content-Type"), reply.json) == (
        200,
        "application/json",
        {
            "head": HEAD,
            "body": (
                "<action name=link_1><u>Leave a review</u></action>\n\n"
                "<action name=link_2><u>dora</u></action> <neutral>\n<big>Meh</big>\nNeither nor...\n"
                f"<action name=link_3>{votes}\n\n"
                "<action name=link_4><u>carol</u></action> <thumbsdown>\n<big>Bad</big>\nIt is <i>dark</i> and\n"
                f"<img name=blank.png width=16 height=1>• cold\n<action name=link_5>{votes}\n\n"
                "<action name=link_6><u>bob</u></action> <thumbsup>\n<big>A \\<b\\> & more</big>\n"
                "See <action name=review_1_link_1><u>this</u></action>, "
                "<action name=review_1_image_1><u>Image: a picture</u></action>.\nBye\n"
                f"<action name=link_7>{votes}\n"
            ),
            "links": {
                "link_1": f"{SITE}/packages/Alice/lamps/#reviews",
                "link_2": f"{SITE}/users/dora/",
                "link_3": f"{pages}/3/",
                "link_4": f"{SITE}/users/carol/",
                "link_5": f"{pages}/2/",
                "link_6": f"{SITE}/users/bob/",
                "link_7": f"{pages}/1/",
                "review_1_link_1": f"{SITE}/x",
                "review_1_image_1": f"{SITE}/packages/Alice/lamps/y.png",
            },
            "images": {},
            "image_tooltips": {},
        },
    )


def test_the_text_of_a_package_without_reviews_is_a_note(client: Client) -> None:
    shown = client.get(PATH, query="protocol_version=53&engine_version=5.17.1&formspec_version=9&include_images=false")
    assert shown.json["body"] == "<action name=link_1><u>Leave a review</u></action>\n\nNo reviews available.\n"


def test_images_are_always_links(client: Client, bob: Account) -> None:
    write(client, token(bob), comment="![a picture](https://a.example/y.png)")
    shown = client.get(PATH, query="formspec_version=7&include_images=true").json
    assert (shown["images"], "<img" in shown["body"]) == ({}, False)


@pytest.mark.parametrize(
    ("query", "reason"),
    [("", "is required."), ("formspec_version=", "is required."), ("formspec_version=x", "must be a whole number.")],
)
def test_the_formspec_version_is_required(client: Client, query: str, reason: str) -> None:
    reply = client.get(PATH, query=query)
    assert (reply.status, reply.json) == (400, malformed(f"formspec_version {reason}"))


@pytest.mark.parametrize("agent", ["Luanti/5.17.1 (Linux)", "Minetest/5.8.0 (Windows)"])
@pytest.mark.parametrize(
    ("path", "query", "status", "answer"),
    [
        (PATH, "", 400, malformed("formspec_version is required.")),
        (PATH.replace("lamps", "nothing"), "formspec_version=7", 404, NO_SUCH_PAGE),
    ],
)
def test_the_game_gets_errors_as_plain_text(
    client: Client, agent: str, path: str, query: str, status: int, answer: dict[str, Any]
) -> None:
    reply = client.get(path, query=query, headers={"User-Agent": agent})
    assert (reply.status, reply.header("Content-Type")) == (status, "text/plain")
    assert reply.body.decode() == answer["description"] + "\n"
    assert client.get(path, query=query, headers={"User-Agent": "curl/8"}).json == answer


def test_an_alias_redirects_and_keeps_the_query(client: Client, bob: Account) -> None:
    from chalicelib.contentdb.packages import registry

    registry.set_aliases("Alice", "lamps", ["bob/lights"])
    reply = client.get(PATH.replace("Alice/lamps", "bob/lights"), query="formspec_version=7", headers=LUANTI)
    assert (reply.status, reply.header("Location")) == (302, f"{SITE}{PATH}?formspec_version=7")


def snapshot_of(**display_names: str | None) -> ContentDbSnapshot:
    """Return a snapshot of users' profiles with these display names."""
    profiles = ((f"user#{user}", ProfileEntry(display_name=name)) for user, name in display_names.items())
    return Snapshot.of(Packing(Codec(KINDS, 1)), 1, 1, profiles)


def test_the_text_has_at_most_one_hundred_reviews() -> None:
    reviews = [review(number) for number in range(1, 131)]
    made = review_hypertext.of(snapshot_of(), LAMPS, reviews, SITE)
    assert (made.body.count("<thumbsup>"), made.body.count("<big>")) == (100, 100)
    assert made.body.endswith("<action name=link_202><u>All 130 reviews</u></action>\n")
    assert made.links["link_202"] == f"{SITE}/api/packages/Alice/lamps/reviews/"


def test_authors_are_shown_with_their_display_names() -> None:
    made = review_hypertext.of(snapshot_of(bob="Bob <the> \\Builder"), LAMPS, [review(1)], SITE)
    assert "<u>Bob \\<the\\> \\\\Builder</u>" in made.body


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=4))
def test_any_reviews_give_balanced_and_escaped_markup(texts: list[tuple[str, str, str]]) -> None:
    reviews = [
        review(number, title=title, comment=comment, rating=(1, 3, 5)[number % 3])
        for number, (title, comment, _) in enumerate(texts)
    ]
    made = review_hypertext.of(snapshot_of(bob=texts[0][2] if texts else None), LAMPS, reviews, SITE)
    assert_is_markup(made, "thumbsup", "thumbsdown", "neutral")
    assert sum(made.body.count(f"<{thumb}>") for thumb in ("thumbsup", "thumbsdown", "neutral")) == len(reviews)
