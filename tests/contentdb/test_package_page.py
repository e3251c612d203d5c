"""The page of a package, which the game's "ContentDB page" button and links in texts open."""

import pytest

from chalicelib.contentdb.packages import states
from chalicelib.core.tables import Account
from tests.client import BROWSER, Client
from tests.contentdb.builders import change, count, draft, published, release, screenshot, token
from tests.contentdb.files import MOD, released, zipped

PAGE = "/packages/Alice/lamps"


@pytest.fixture
def lamps(alice: Account) -> int:
    """Publish a package with a screenshot; return the id of its release."""
    number = published(
        "Alice/lamps",
        title="Lamps & <more>",
        short_description="They <i>shine</i>.",
        long_description="# Lamps\n\nSee @Alice/lamps. ![far](https://img.example.org/x.png) <script>alert(1)</script>",
        license="MIT",
        media_license="CC0-1.0",
        repo="https://example.org/lamps.git",
        tags=["building"],
        dev_state="ACTIVELY_DEVELOPED",
    )
    screenshot("Alice/lamps", "0123456789.jpg")
    return number


def review(client: Client, by: Account, **fields: str) -> None:
    """Review the lamps."""
    assert client.request("PUT", f"/api{PAGE}/reviews/", json={"rating": 5, **fields}, headers=token(by)).status == 200


def test_a_browser_gets_a_page(client: Client, lamps: int) -> None:
    page = client.page(PAGE + "/")
    for text in (
        "<title>Lamps &amp; &lt;more&gt; · Moonbase</title>",
        'by <a href="/users/Alice">Alice</a>',
        "They &lt;i&gt;shine&lt;/i&gt;.",
        "MIT, media CC0-1.0",
        '<a href="https://example.org/lamps.git" rel="nofollow">',
        "Actively developed",
        "Building",
        '<img src="/thumbnails/2/0123456789.webp" width="270" height="180" alt="Screenshot: A view">',
        '<h3 id="lamps">Lamps',
        '<a href="/packages/Alice/lamps/" rel="nofollow">@Alice/lamps</a>',
        '<a href="https://img.example.org/x.png" rel="nofollow">far</a>',
        "contentdb_url = http://moonbase.test",
        '<a class="button" href="/packages/Alice/lamps/download">',
        f'<a href="/packages/Alice/lamps/releases/{lamps}/download">',
        "any Luanti",
    ):
        assert text in page
    assert "alert" not in page


@pytest.mark.parametrize("headers", [{}, {"Accept": "*/*"}, {"Accept": "application/json"}])
def test_a_program_is_redirected_to_the_api(client: Client, lamps: int, headers: dict[str, str]) -> None:
    reply = client.get(PAGE, headers=headers)
    assert (reply.status, reply.header("location")) == (302, "http://moonbase.test/api/packages/Alice/lamps/")
    assert reply.header("vary") == "Accept"


@pytest.mark.parametrize("query", ["protocol_version=44&engine_version=5.9", "protocol_version=x&engine_version=", "a"])
def test_the_games_query_does_not_change_the_page(client: Client, lamps: int, query: str) -> None:
    assert client.page(PAGE, query=query) == client.page(PAGE)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("WIP", "This package is a draft: lists do not show it."),
        ("CHANGES_NEEDED", "This package must be changed before lists show it."),
        ("READY_FOR_REVIEW", "This package waits for approval: lists do not show it yet."),
    ],
)
def test_the_page_of_an_unlisted_package_explains_its_state(
    client: Client, alice: Account, state: str, text: str
) -> None:
    draft("Alice/lamps")
    change("Alice/lamps", state=state)
    page = client.page(PAGE)
    assert text in page
    assert "Download</a>" not in page


def test_counters_are_current(client: Client, lamps: int) -> None:
    count("Alice/lamps", downloads=12345)
    assert "<dd>12,345</dd>" in client.page(PAGE)


@pytest.mark.parametrize(
    ("lowest", "highest", "text"),
    [
        ("5.3", "5.8", "Luanti 5.3 to 5.8"),
        ("5.3", None, "Luanti 5.3 or newer"),
        (None, "5.8", "Luanti 5.8 or older"),
    ],
)
def test_a_release_has_its_range_of_engine_versions(
    client: Client, lamps: int, lowest: str | None, highest: str | None, text: str
) -> None:
    release("Alice/lamps", lowest, highest)
    assert text in client.page(PAGE)


def test_an_unapproved_release_is_not_on_the_page(client: Client, lamps: int) -> None:
    number = release("Alice/lamps", state="FAILED")
    assert f"releases/{number}/" not in client.page(PAGE)


def test_dependencies_link_to_packages_that_provide_them(
    client: Client, bearer: dict[str, str], alice: Account
) -> None:
    published("Alice/light", provides=["light"])
    draft("Alice/mymod")
    conf = "name = mymod\ndepends = light\noptional_depends = dye\n"
    released(client, "Alice/mymod", bearer, zipped({**MOD, "mod.conf": conf}))
    page = client.page("/packages/Alice/mymod")
    assert '<a href="/packages/Alice/light/">Alice/light</a>' in page
    assert 'dye <span class="tag">optional</span>' in page


def test_an_alias_redirects_to_the_page(client: Client, lamps: int) -> None:
    change("Alice/lamps", aliases=["Alice/lights"])
    reply = client.get("/packages/Alice/lights", query="a=b", headers=BROWSER)
    assert (reply.status, reply.header("location")) == (302, "http://moonbase.test/packages/Alice/lamps/?a=b")


def test_a_deleted_or_unknown_package_is_not_found(client: Client, lamps: int) -> None:
    states.apply("delete", "Alice", "lamps")
    for path in (PAGE, "/packages/Alice/nothing", "/packages/Alice/nothing/download", "/packages/Alice/lamps/x"):
        assert "<h1>Not Found</h1>" in client.page(path, 404)


def test_approved_reviews_are_on_the_page(client: Client, lamps: int, bob: Account) -> None:
    assert "There are no reviews yet." in client.page(PAGE)
    review(client, bob, title="So <b>bright</b>", comment="I *see* <script>alert(1)</script>!")
    page = client.page(PAGE)
    for text in (
        '<h2 id="reviews">Reviews</h2>',
        'So &lt;b&gt;bright&lt;/b&gt; <span class="tag">positive</span>',
        '<a href="/users/bob">bob</a>',
        "helpful to 0",
        "<p>I <em>see</em> !</p>",
    ):
        assert text in page
    assert "alert" not in page


def test_the_page_costs_two_calls(client: Client, lamps: int, calls: list[str]) -> None:
    client.page(PAGE)
    calls.clear()
    client.page(PAGE)
    assert calls == ["Query", "Query"]


def test_a_page_with_reviews_costs_three_calls(client: Client, lamps: int, bob: Account, calls: list[str]) -> None:
    review(client, bob, title="Bright", comment="It is too bright.")
    client.page(PAGE)
    calls.clear()
    client.page(PAGE)
    assert calls == ["Query", "Query", "Query"]
