"""Authors' Markdown as part of a page."""

import pytest

from chalicelib.contentdb.texts import prose

BASE = "http://moonbase.test"
LABEL = 'aria-label="Link to this heading"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a < b & *c*", "<p>a &lt; b &amp; <em>c</em></p>\n"),
        ("# T", f'<h3 id="t">T<a href="#t" class="header-anchor" rel="nofollow" {LABEL}>#</a></h3>\n'),
        ("![far](https://e.org/a.png)", '<p><a href="https://e.org/a.png" rel="nofollow">far</a></p>\n'),
        ("![](https://e.org/a.png)", '<p><a href="https://e.org/a.png" rel="nofollow">Image</a></p>\n'),
        ("![x](//e.org/a.png)", '<p><a href="//e.org/a.png" rel="nofollow">x</a></p>\n'),
        ("![x](http://moonbase.test.e.org/a)", '<p><a href="http://moonbase.test.e.org/a" rel="nofollow">x</a></p>\n'),
        ("[![far](https://e.org/a.png)](https://ci)", '<p><a href="https://ci" rel="nofollow">far</a></p>\n'),
        ("![ours](/uploads/a.png)", '<p><img src="/uploads/a.png" alt="ours"></p>\n'),
        (
            "![ours](http://moonbase.test/uploads/a.png)",
            '<p><img src="http://moonbase.test/uploads/a.png" alt="ours"></p>\n',
        ),
        ('<img src="javascript:x" alt="a&quot;<b>">', "a&quot;&lt;b&gt;"),
        ("`<script>`", "<p><code>&lt;script&gt;</code></p>\n"),
        ("<form><input name=q></form><style>x</style>", ""),
    ],
)
def test_markdown_becomes_safe_html(text: str, html: str) -> None:
    assert prose.from_markdown(text, BASE) == html


def test_paths_keep_the_path_of_the_server() -> None:
    assert prose.from_markdown("@bob/box [a](/packages/a/b/) ![c](/uploads/c.png) [d](//e.org/)", f"{BASE}/prod") == (
        '<p><a href="/prod/packages/bob/box/" rel="nofollow">@bob/box</a> '
        '<a href="/prod/packages/a/b/" rel="nofollow">a</a> <img src="/prod/uploads/c.png" alt="c"> '
        '<a href="//e.org/" rel="nofollow">d</a></p>\n'
    )


@pytest.mark.parametrize(("level", "shown"), [(1, 3), (2, 4), (3, 5), (4, 6), (6, 6)])
def test_headings_are_below_those_of_the_page(level: int, shown: int) -> None:
    html = prose.from_markdown("#" * level + " T", BASE)
    assert html.startswith(f"<h{shown} ")
    assert html.endswith(f"</h{shown}>\n")


def test_a_wide_table_can_be_scrolled_with_the_keyboard() -> None:
    html = prose.from_markdown("| a |\n|---|\n| 1 |\n", BASE)
    assert html.startswith('<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>')
    assert html.endswith("</table></div>\n")
