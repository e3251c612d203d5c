"""Contents and names of any shape are accepted or rejected with ValueError."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.luadns import contents, names, presentation

WORDS = st.sampled_from(
    [
        *(
            "0",
            "1",
            "65536",
            "-1",
            ".",
            "a.",
            "a",
            "*.a.",
            '"',
            '"x"',
            "\\",
            "\\#",
            "\\999",
            ";",
            "(",
            ")",
            "\n",
            "\0",
            "ü.",
        ),
        *("192.0.2.1", "::1", "issue", "alpn=h2", "mandatory=", "key65535=x", "https://a.example", "a@b", "ff" * 32),
    ]
)
TEXT = st.text(max_size=80) | st.lists(WORDS, max_size=8).map(" ".join) | st.lists(WORDS, max_size=8).map("".join)


def outcome(call: Callable[..., str], *arguments: str) -> tuple[str | None, str | None]:
    """The result or the text of the ValueError; any other exception fails the test."""
    try:
        return call(*arguments), None
    except ValueError as error:
        return None, str(error)


@pytest.mark.parametrize("type", sorted(contents.TYPES))
@given(content=TEXT)
def test_any_content_is_accepted_or_rejected(type: str, content: str) -> None:
    canonical, error = outcome(contents.canonical, type, content)
    assert bool(canonical) != bool(error)
    if canonical and type == "SOA":
        assert contents.canonical(type, contents.with_serial(content, 4_294_967_295))


@given(text=TEXT | st.text(alphabet="aÜ*_-./@\u3002\u00ad", max_size=20))
def test_any_name_becomes_absolute_in_its_zone_or_is_rejected(text: str) -> None:
    name, error = outcome(names.record_name, text, "example.com")
    assert bool(name) != bool(error)
    if name:
        assert [*names.labels_of(name.lower())][-3:] == ["example", "com", ""]
        assert names.record_name(name, "example.com") == name


@given(text=TEXT)
def test_any_zone_name_is_rejected_or_its_normal_form_is_stable(text: str) -> None:
    name, error = outcome(names.zone_name, text)
    assert error in (None, "invalid name")
    if name:
        assert names.zone_name(f"{name.upper()}.") == name


@given(text=st.text(min_size=1))
def test_unquoted_text_is_a_txt_record_of_the_same_bytes(text: str) -> None:
    if text.lstrip().startswith('"'):
        return
    assert b"".join(presentation.strings_of(text)) == text.encode()


@pytest.mark.parametrize(
    ("content", "strings"),
    [
        ('"a" "b"', [b"a", b"b"]),
        ('"a\\"b\\\\"', [b'a"b\\']),
        ('"\\195\\188"', ["ü".encode()]),
        (f'"{"x" * 300}"', [b"x" * 255, b"x" * 45]),
        ('"a" b', [b'"a" b']),
        ('"a"b"', [b'"a"b"']),
        ("x" * 256, [b"x" * 255, b"x"]),
        ('""', [b""]),
    ],
)
def test_quoted_strings_are_distinguished_from_raw_text(content: str, strings: list[bytes]) -> None:
    assert presentation.strings_of(content) == strings
