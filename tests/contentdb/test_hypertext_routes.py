"""The API's endpoints that convert texts to the game's markup and to HTML."""

from typing import Any

import pytest

from chalicelib.contentdb.texts.hypertext import HEAD
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import malformed, published, refusal

TEXT = "Hello **you**, see [there](/x).\n\n![A picture](y.png)\n"


def markup(body: str, **more: Any) -> dict[str, Any]:
    return {"head": HEAD, "body": body, "links": {}, "images": {}, "image_tooltips": {}, **more}


def test_a_long_description_is_markup_with_absolute_urls(client: Client, alice: Account) -> None:
    published("Alice/lamps", long_description=TEXT)
    shown = client.get("/api/packages/Alice/lamps/hypertext/", query="formspec_version=7")
    assert (shown.status, shown.json) == (
        200,
        markup(
            "Hello <b>you</b>, see <action name=link_1><u>there</u></action>.\n"
            "<img name=image_1 width=128 height=128>\n",
            links={"link_1": "http://moonbase.test/x"},
            images={"image_1": "http://moonbase.test/packages/Alice/lamps/y.png"},
            image_tooltips={"image_1": "A picture"},
        ),
    )
    linked = client.get("/api/packages/Alice/lamps/hypertext/", query="formspec_version=7&include_images=false").json
    assert linked["body"].endswith("<action name=image_1><u>Image: A picture</u></action>\n")


def test_a_package_without_a_description_has_empty_markup(client: Client, alice: Account) -> None:
    published("Alice/lamps")
    assert client.get("/api/packages/Alice/lamps/hypertext", query="formspec_version=7").json == markup("\n")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/markdown", "<b>a</b> \\<b\\>\n"),
        ("text/markdown; charset=utf-8", "<b>a</b> \\<b\\>\n"),
        ("text/html", "**a** \\<b\\>\n"),
        ("", "**a** \\<b\\>\n"),
    ],
)
def test_a_text_is_converted_by_its_content_type(client: Client, aws: None, content_type: str, body: str) -> None:
    headers = {"Content-Type": content_type}
    reply = client.post("/api/hypertext/", query="formspec_version=7", body=b"**a** &lt;b&gt;", headers=headers)
    assert (reply.status, reply.json) == (200, markup(body))


@pytest.mark.parametrize("query", ["", "formspec_version=", "include_images=true"])
def test_the_formspec_version_is_required(client: Client, alice: Account, query: str) -> None:
    published("Alice/lamps")
    for reply in (
        client.get("/api/packages/Alice/lamps/hypertext/", query=query),
        client.post("/api/hypertext/", query=query, body=b"a"),
    ):
        assert (reply.status, reply.json) == (400, malformed("formspec_version is required."))


def test_a_text_that_is_not_utf_8_or_too_long_is_rejected(client: Client, aws: None) -> None:
    for path in ("/api/hypertext/", "/api/markdown/"):
        reply = client.post(path, query="formspec_version=7", body=b"\xff")
        assert (reply.status, reply.json) == (400, refusal("The text is not UTF-8"))
        assert client.post(path, query="formspec_version=7", body=b"[" * (64 * 1024 + 1)).status == 413
        assert client.post(path, query="formspec_version=7", body=b"[" * 64 * 1024).status == 200


def test_markdown_is_converted_to_html(client: Client, aws: None) -> None:
    reply = client.post("/api/markdown/", body=b"*a* <script>b</script>")
    assert (reply.status, reply.body) == (200, b"<p><em>a</em> </p>\n")
    assert reply.header("Content-Type") == "text/html; charset=utf-8"
    assert reply.header("Content-Security-Policy") == "default-src 'none'; frame-ancestors 'none'; sandbox"


def test_an_unknown_package_is_404(client: Client, aws: None) -> None:
    assert client.get("/api/packages/Alice/lamps/hypertext/", query="formspec_version=7").status == 404
