"""Any 64 KB of Markdown or HTML are converted in bounded time, or refused with a clear error."""

import re
import time
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.contentdb.texts import hypertext, markdown, prose
from chalicelib.contentdb.texts.cleaning import DEEPEST, MOST_ELEMENTS, clean
from chalicelib.core.errors import Invalid
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import published, refusal, token

SIZE = 64 * 1024
DEEP = f"The text nests more than {DEEPEST} elements"
MANY = f"The text has more than {MOST_ELEMENTS} elements"
SECONDS = 1.0  # of CPU; five times the aim for HTML, because other processes slow the tests down


def filled(*units: str) -> str:
    """64 KB, in equal parts of repetitions of the units."""
    share = SIZE // len(units)
    return "".join((unit * share)[:share] for unit in units)


TABLE_OF_50_COLUMNS = "|" + "a|" * 50 + "\n|" + "-|" * 50 + "\n"
CONSTRUCTS = (
    *("*", "_", "**a *", "*a_ ", "[", "]", "](", "[a](", "![", "[a]", "[a]: b\n", "[a]: <", "`", "`a``", "~~a ", "~"),
    *(
        "> ",
        ">",
        "- ",
        "- a\n",
        "1. ",
        "1) ",
        "# a\n",
        "a\n=\n",
        "---\n",
        "```\n",
        "|",
        "|\n",
        "a|b\n-|-\n",
        "\\",
        "\t",
    ),
    *(
        "a\\\n",
        "a  \n",
        "    a\n",
        "\n",
        "\n\n",
        "\r",
        "&",
        "&amp;",
        "&#1;",
        "http://",
        "http://a)",
        "@ab ",
        "@a.",
        "@a/",
    ),
    *("<", "<a ", "</", "<!--", "<?", "<![CDATA[", "<a href='", "<b a=", "<b>", "<b></b>", "<p>", "<td>", "<table>"),
    *("<div><table><td></div>", "<li>", "<br>", "<script>", "</b>", "<a>", "<http://a>", "a@b.c ", "\x00", "é", "🔗"),
)
TEXTS = st.lists(st.lists(st.sampled_from(CONSTRUCTS), min_size=1, max_size=4).map("".join), min_size=1, max_size=3)


def depth(html: str) -> int:
    """The greatest number of elements in each other in clean HTML."""
    now = greatest = 0
    for closing, tag in re.findall(r"<(/?)(\w+)[^>]*>", html):
        now += 0 if tag in ("br", "hr", "img") else -1 if closing else 1
        greatest = max(greatest, now)
    return greatest


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (">" * SIZE, DEEP),
        (filled("1) ", "a\\\n"), DEEP),
        (filled("> ") + "a", DEEP),
        ("".join("  " * level + "- a\n" for level in range(DEEPEST + 1)), DEEP),
        (filled("<b>"), DEEP),
        (filled("<div><table><td></div>"), None),
        (filled("a|b\n-|-\n"), MANY),
        (TABLE_OF_50_COLUMNS + filled("|\n"), None),
        (TABLE_OF_50_COLUMNS + filled("||\n"), MANY),
        (TABLE_OF_50_COLUMNS * 19, None),
        (filled("# a\n"), MANY),
        ("|" + "a|" * 5000 + "\n|" + "-|" * 5000 + "\n" + "a\n" * 20000, MANY),
        (filled("|\n"), None),
        ("http://x" + ")" * SIZE, None),
        ("http://x" + ")." * (SIZE // 2), None),
        (filled("["), None),
    ],
)  # fmt: skip
def test_a_bomb_is_converted_or_refused(text: str, refused: str | None) -> None:
    start = time.process_time()
    if refused is None:
        assert depth(markdown.to_html(text[:SIZE])) <= DEEPEST
    else:
        with pytest.raises(Invalid, match=f"^{refused}$"):
            markdown.to_html(text[:SIZE])
    assert time.process_time() - start < SECONDS


def test_a_text_is_converted_up_to_the_limits() -> None:
    assert depth(markdown.to_html("> " * (DEEPEST - 1) + "a")) == DEEPEST
    assert clean("<br>" * MOST_ELEMENTS) == "<br>" * MOST_ELEMENTS


@given(TEXTS)
@settings(max_examples=60, deadline=None)
@example(["1) ", "a\\\n"])
@example(["<b a=http://$<a@b.c>a\n=\n"])
def test_any_64_kb_take_bounded_cpu(units: list[str]) -> None:
    text = filled(*units)
    start = time.process_time()
    for convert in (markdown.to_html, clean):
        with suppress(Invalid):
            assert depth(convert(text)) <= DEEPEST
    hypertext.from_stored(text, "https://cdb.example.org/packages/alice/mod/")
    assert time.process_time() - start < 4 * SECONDS


@given(TEXTS)
@settings(max_examples=30, deadline=None)
def test_a_stored_text_is_always_shown(units: list[str]) -> None:
    assert prose.from_markdown(filled(*units)[:20000], "http://moonbase.test") is not None


def test_a_stored_text_beyond_the_limits_is_shown_as_it_is_written() -> None:
    text = ">" * (DEEPEST + 1) + "<b>&"
    shown = "&gt;" * (DEEPEST + 1) + "&lt;b&gt;&amp;"
    assert prose.from_markdown(text, "") == f"<pre>{shown}</pre>\n"
    marked = "\\>" * (DEEPEST + 1) + "\\<b\\>&"
    assert hypertext.from_stored(text, "").body == f"<code>{marked}</code>\n"


@pytest.mark.parametrize("path", ["/api/markdown/", "/api/hypertext/"])
def test_the_api_refuses_a_bomb(client: Client, aws: None, path: str) -> None:
    headers = {"Content-Type": "text/markdown"}
    reply = client.post(path, query="formspec_version=7", headers=headers, body=b">" * SIZE)
    assert (reply.status, reply.json) == (400, refusal(DEEP))


def test_a_description_that_cannot_be_converted_is_refused(client: Client, alice: Account) -> None:
    published("Alice/lamps")
    bomb = ">" * (DEEPEST + 1)
    edit = client.request("PUT", "/api/packages/Alice/lamps/", headers=token(alice), json={"long_description": bomb})
    assert (edit.status, edit.json) == (400, refusal(DEEP))
