"""Content negotiation headers."""

import pytest

from chalicelib.web.negotiation import offers


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", {}),
        (",, ,", {}),
        ("text/html", {"text/html": 1.0}),
        ("Text/HTML ; level=1 ; q=0.5, */*;q=.2", {"text/html": 0.5, "*/*": 0.2}),
        ("de-AT, de; q=0.8,en;q=0", {"de-at": 1.0, "de": 0.8, "en": 0.0}),
        ("gzip; q = 0.000", {"gzip": 0.0}),
        ("a;q=1.", {"a": 1.0}),
        ("a;q=nan, b;q=, c;q=7, d;q=-1, e;q=1e0", dict.fromkeys("abcde", 0.0)),
    ],
)
def test_the_qualities_of_a_header(header: str, found: dict[str, float]) -> None:
    assert offers(header) == found


def test_the_end_of_a_very_long_header_is_ignored() -> None:
    assert "text/html" not in offers("a," * 100_000 + "text/html")
