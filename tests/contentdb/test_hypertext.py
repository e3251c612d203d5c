"""Conversion of Markdown and HTML to Luanti's markup, and the escaping of text."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contentdb.texts.hypertext import Hypertext, escape, from_html, from_markdown
from chalicelib.contentdb.texts.markdown import to_html

PAGE = "https://cdb.example.org/packages/alice/mod/"
TAG = re.compile(r"<(/?)([a-z]+)((?: (?:name|width|height)=[A-Za-z0-9_.]+)*)>")
OPEN_ENDED = {"img"}


def body(html: str, **more: Any) -> str:
    return from_html(html, PAGE, **more).body


@pytest.mark.parametrize(
    ("html", "markup"),
    [
        ("", "\n"),
        ("  a \n b\t c", "a b c\n"),
        ("<p>  one</p><p>two</p>", "one\ntwo\n"),
        ("a<br>b", "a\nb\n"),
        ("<h1>Big</h1>text", "\n<big>Big</big>\ntext\n"),
        ("text<h2>Big</h2>text", "text\n\n<big>Big</big>\ntext\n"),
        ("<h3>a</h3><h4>b</h4><h5>c</h5>", "\n<b>a</b>\n\n<b>b</b>\n\n<b>c</b>\n"),
        ("<h6>plain</h6>text", "plain\ntext\n"),
        ("<b>b</b><strong>s</strong>", "<b>b</b><b>s</b>\n"),
        ("<i>i</i><em>e</em><u>u</u>", "<i>i</i><i>e</i><u>u</u>\n"),
        ("use <code>a  b</code>", "use <code>a b</code>\n"),
        ("<pre>a\n  <b>b</b>\n</pre>c", "<code>a\n  b\n</code>\nc\n"),
        (
            "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>d",
            "<img name=blank.png width=16 height=1>• a\n<img name=blank.png width=16 height=1>• b\n"
            "<img name=blank.png width=32 height=1>• c\nd\n",
        ),
        ("<ul><li><p>a</p></li><li></li></ul>", "<img name=blank.png width=16 height=1>• a\n"
            "<img name=blank.png width=16 height=1>• \n"),
        ("<ol><li>a</li></ol>", "<img name=blank.png width=0 height=1>• a\n"),
        ("<blockquote>a<hr><del>b</del><sup>c</sup></blockquote><div>d</div>", "a\nbc\nd\n"),
        ("a &lt;b&gt; \\ &amp; &copy;", "a \\<b\\> \\\\ & ©\n"),
        ("<a>nowhere</a>", "<action><u>nowhere</u></action>\n"),
        ("<script>alert(1)</script><style>p{}</style>a<form>b<input></form>", "ab\n"),
        ("<b>open <i>ends", "<b>open <i>ends</i></b>\n"),
    ],
)  # fmt: skip
def test_html_is_converted_to_markup(html: str, markup: str) -> None:
    assert body(html) == markup


def test_links_are_numbered_and_made_absolute() -> None:
    assert from_html(
        '<a href="https://a.example/x?y=1&amp;z">a</a> <a href="#top">b</a> <a href="/users/bob/">c</a>', PAGE
    ) == Hypertext(
        "<action name=link_1><u>a</u></action> <action name=link_2><u>b</u></action> "
        "<action name=link_3><u>c</u></action>\n",
        links={
            "link_1": "https://a.example/x?y=1&z",
            "link_2": f"{PAGE}#top",
            "link_3": "https://cdb.example.org/users/bob/",
        },
    )


def test_without_a_page_links_are_unchanged() -> None:
    assert from_html('<a href="/x">a</a><img src="y.png">', "") == Hypertext(
        "<action name=link_1><u>a</u></action><img name=image_1 width=128 height=128>\n",
        links={"link_1": "/x"},
        images={"image_1": "y.png"},
    )


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", "data:text/html,x", "vbscript:x", " java\nscript:x", "file:///etc/passwd"]
)
def test_a_link_with_an_unsafe_scheme_has_no_target(href: str) -> None:
    assert from_html(f'<a href="{href}">a</a>', PAGE) == Hypertext("<action><u>a</u></action>\n")


def test_a_malformed_link_has_the_page_as_its_target() -> None:
    assert from_html('<a href="//[x">a</a>', PAGE).links == {"link_1": PAGE}


def test_images_have_a_size_and_a_tooltip() -> None:
    html = '<img src="/a.png" alt="An  a" width="40" height="20"><img src="b.png" width="100%" height="-3">'
    assert from_html(html, PAGE) == Hypertext(
        "<img name=image_1 width=40 height=20><img name=image_2 width=128 height=128>\n",
        images={"image_1": "https://cdb.example.org/a.png", "image_2": f"{PAGE}b.png"},
        image_tooltips={"image_1": "An a"},
    )


def test_without_images_each_image_is_a_link_with_its_own_name() -> None:
    html = '<img src="/a.png" alt="<a>"><a href="/x">x</a><img src="/b.png">'
    assert from_html(html, PAGE, include_images=False) == Hypertext(
        "<action name=image_1><u>Image: \\<a\\></u></action><action name=link_1><u>x</u></action>"
        "<action name=image_2><u>Image</u></action>\n",
        links={
            "image_1": "https://cdb.example.org/a.png",
            "link_1": "https://cdb.example.org/x",
            "image_2": "https://cdb.example.org/b.png",
        },
    )


TABLE = "<h2 id='sizes'>Sizes</h2>a<table><tr><td>1<pre>2</pre><table><tr><td>3</table></table>b"


def test_a_table_is_a_link_to_its_heading_on_the_page() -> None:
    made = from_html(TABLE, PAGE)
    assert made.body == "\n<big>Sizes</big>\na\n<action name=link_1><u>(view table in browser)</u></action>\nb\n"
    assert made.links == {"link_1": f"{PAGE}#sizes"}


def test_without_a_page_a_table_is_a_note() -> None:
    assert from_html(TABLE, "") == Hypertext("\n<big>Sizes</big>\na\n(view table in browser)\nb\n")


def test_a_prefix_makes_the_names_of_several_texts_distinct() -> None:
    made = from_html('<a href="/x">x</a><img src="/y">', "", prefix="review_7_")
    assert made.links == {"review_7_link_1": "/x"}
    assert made.images == {"review_7_image_1": "/y"}


def test_markdown_is_converted_to_markup() -> None:
    text = (
        "# Title\n\nHello *you*, see https://a.example/b_c_d. Ask @bob or @bob/box!\n\n"
        "* one\n* `two`\n\n```lua\nx = 1 < 2\n```\n"
    )
    assert from_markdown(text, PAGE) == Hypertext(
        "\n<big>Title</big>\nHello <i>you</i>, see <action name=link_1><u>https://a.example/b_c_d</u></action>. "
        "Ask <action name=link_2><u>@bob</u></action> or <action name=link_3><u>@bob/box</u></action>!\n"
        "<img name=blank.png width=16 height=1>• one\n<img name=blank.png width=16 height=1>• <code>two</code>\n"
        "<code>x = 1 \\< 2\n</code>\n",
        links={
            "link_1": "https://a.example/b_c_d",
            "link_2": "https://cdb.example.org/users/bob/",
            "link_3": "https://cdb.example.org/packages/bob/box/",
        },
    )


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("(https://a.example/)", "https://a.example/"),
        ("https://a.example/x_(y).", "https://a.example/x_(y)"),
        ("<https://a.example/>", "https://a.example/"),
        ("[text](https://a.example/)", "https://a.example/"),
        ("@bob.", "/users/bob/"),
        ("@b.o-b_1/mod", "/packages/b.o-b_1/mod/"),
    ],
)
def test_plain_urls_and_mentions_are_links(text: str, href: str) -> None:
    assert re.findall(r'href="([^"]*)"', to_html(text)) == [href]


@pytest.mark.parametrize(
    "text", ["bob@example.org", "a/@bob", "`@bob`", "@b", "ftp://a.example", "[@bob](x)", "https://"]
)
def test_similar_text_is_not_a_link(text: str) -> None:
    assert not re.search(r'href="(?!x)', to_html(text))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Type /give <player> <item>", "<p>Type /give &lt;player&gt; &lt;item&gt;</p>\n"),
        ("/home <name>, *then* </home>", "<p>/home &lt;name&gt;, <em>then</em> &lt;/home&gt;</p>\n"),
        ("<player>\n*a*", "&lt;player&gt;\n*a*"),
        ("/time <time>, /input <input>", "<p>/time &lt;time&gt;, /input &lt;input&gt;</p>\n"),
        ("a <time datetime=x>b</time> <font>c</font>", "<p>a b c</p>\n"),
        ("/rename <title> <name>\n\nmore", "<p>/rename &lt;title&gt; &lt;name&gt;</p>\n<p>more</p>\n"),
        ("a <title>gone</title> b <title> c", "<p>a  b &lt;title&gt; c</p>\n"),
        ("# <item>", '<h1 id="item">&lt;item&gt;<a href="#item" class="header-anchor">🔗</a></h1>\n'),
        ("<x onclick='alert(1)'>@bob", "<p>&lt;x onclick='alert(1)'&gt;<a href=\"/users/bob/\">@bob</a></p>\n"),
        ("<!-- unseen --><b>B</b>", "<b>B</b>"),
        ("<default:stone>", "<p><a>default:stone</a></p>\n"),
    ],
)
def test_tags_that_are_no_html_are_text(text: str, html: str) -> None:
    assert to_html(text).replace("&quot;", "'") == html


def test_paths_are_below_the_url_of_the_server() -> None:
    text = "@bob/box [a](/packages/a/b/) [c](/x/../c?d=e) [f](g/)"
    base = "https://api.example/prod"
    assert from_markdown(text, f"{base}/packages/alice/mod/", base=base).links == {
        "link_1": f"{base}/packages/bob/box/",
        "link_2": f"{base}/packages/a/b/",
        "link_3": "https://api.example/prod/c?d=e",
        "link_4": f"{base}/packages/alice/mod/g/",
    }
    assert re.findall(r'href="([^"]*)"', to_html("@bob", "/prod")) == ["/prod/users/bob/"]


def test_headings_have_unique_ids_and_anchors() -> None:
    link = '<a href="#{0}" class="header-anchor">🔗</a>'.format
    assert to_html("# Ä b!\n## Ä *b*\n# ?\n") == (
        f'<h1 id="ä-b">Ä b!{link("ä-b")}</h1>\n<h2 id="ä-b-2">Ä <em>b</em>{link("ä-b-2")}</h2>\n'
        f'<h1 id="section">?{link("section")}</h1>\n'
    )


def test_a_heading_in_a_heading_has_no_id_of_its_own() -> None:
    assert to_html("<h1>a<div><h2>b</h2></div></h1>\n") == (
        '<h1 id="ab">a<div><h2>b</h2></div><a href="#ab" class="header-anchor">🔗</a></h1>\n'
    )


def test_tables_and_strikethrough_are_converted() -> None:
    assert to_html("a | b\n--|:-:\n~~1~~ | 2\n") == (
        "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>\n"
        "<tr><td><del>1</del></td><td>2</td></tr>\n</tbody></table>\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "<a href='jav&#x09;ascript:alert(1)'>a</a>",
        "<svg><a xlink:href='javascript:alert(1)'>a</a></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<iframe src='https://a.example'></iframe><object data=x></object>",
        "<p style='position:fixed' onclick=x class=y>a",
    ],
)
def test_active_html_is_removed(text: str) -> None:
    tags = "".join(re.findall(r"<[^>]*>", to_html(text)))
    assert not re.search(r"script|onerror|onclick|style|iframe|object|svg|math|class", tags, re.IGNORECASE)


def assert_is_markup(made: Hypertext, *placeholders: str) -> None:
    """Check that all tags are known and balanced, all names defined, and all other text escaped."""
    plain = re.sub(r"\\.", "", made.body, flags=re.DOTALL)
    opened: list[str] = []
    for closing, tag, attributes in TAG.findall(plain):
        if closing:
            assert opened.pop() == tag
        elif tag not in OPEN_ENDED.union(placeholders):
            opened.append(tag)
        for name in re.findall(r"name=(\S+)", attributes):
            assert name == "blank.png" or name in made.links or name in made.images
    assert opened == []
    assert not re.search(r"[<>\\]", TAG.sub("", plain))


SNIPPETS = st.sampled_from(
    [
        *(
            "<b>",
            "</b>",
            "<a href=x>",
            "</a>",
            "<pre>",
            "</pre>",
            "<table>",
            "</table>",
            "<td>",
            "<ul>",
            "<li>",
            "</li>",
            "</ul>",
        ),
        *(
            "<img src=y alt='<big>'>",
            "<h1>",
            "</h1>",
            "<code>",
            "</code>",
            "<p>",
            "<br>",
            "&lt;b&gt;",
            "<action name=x>",
            "\\",
        ),
        *(
            "*",
            "**",
            "[",
            "](",
            ")",
            "`",
            "```\n",
            "\n\n",
            "- ",
            "1. ",
            "> ",
            "# ",
            "|",
            "--|--\n",
            "@bob",
            "https://a.example",
            "![",
            "\\<",
        ),
    ]
)
TEXTS = st.lists(SNIPPETS | st.text(max_size=8), max_size=30).map("".join)


@given(TEXTS, st.booleans(), st.sampled_from(["", PAGE]))
def test_any_html_gives_balanced_and_escaped_markup(text: str, images: bool, page: str) -> None:
    assert_is_markup(from_html(text, page, images))


@given(TEXTS, st.booleans())
def test_any_markdown_gives_balanced_and_escaped_markup(text: str, images: bool) -> None:
    assert_is_markup(from_markdown(text, PAGE, images))


@given(st.text())
def test_escaped_text_contains_no_tag_and_loses_nothing(text: str) -> None:
    assert re.sub(r"\\(.)", r"\1", escape(text), flags=re.DOTALL) == text
    assert not re.search(r"(?<!\\)(\\\\)*[<>]", escape(text))
