"""Request bodies: valid and malformed JSON, urlencoded and multipart forms."""

import math
import time
import tracemalloc
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import Invalid
from chalicelib.web import bodies
from chalicelib.web.bodies import MAX_DEPTH, MAX_FIELDS, MAX_VALUES, SMALL, Form, Upload, parse_form, parse_json

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=Q"
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def part(headers: str, content: bytes) -> bytes:
    return b"--Q\r\n" + headers.encode() + b"\r\n\r\n" + content + b"\r\n"


def field(name: str, content: bytes, more: str = "") -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"{more}', content)


def multipart(*parts: bytes) -> Form:
    return parse_form(b"".join(parts) + b"--Q--\r\n", MULTIPART)


@pytest.mark.parametrize("value", [{}, [], "ü", 1, 1.5, True, None, {"a": {"b": [1, "2", None]}}])
def test_json_is_parsed(value: Any) -> None:
    assert parse_json(orjson.dumps(value)) == value


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"a=1", b"NaN", b"Infinity", b"{'a': 1}", b'{"a": 1,}', b'{"a": 1} x'),
        *(b"\xff", b'"\xff"', b'"\\ud800"', b"[" * 100_000, b"\xef\xbb\xbf{}"),
    ],
)
def test_malformed_json_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_json(body)


@pytest.mark.parametrize(
    ("unit", "count"),
    [
        (",", MAX_VALUES + 1),
        ("[{", MAX_VALUES),
        ('\\",', MAX_VALUES + 1),
        ("\\\\,", MAX_VALUES + 1),
        ("\\n[", MAX_VALUES + 1),
    ],
)
def test_characters_in_strings_are_not_counted_as_values(unit: str, count: int) -> None:
    assert parse_json(b'["' + unit.encode() * count + b'", "a\\\\", "b"]')[2] == "b"


@pytest.mark.parametrize("value", [b"1", b'""', b'"\\""', b'"\\\\"', b'",[["', b"[]", b"{}", b'{"a":1}'])
def test_values_are_counted_between_strings(value: bytes) -> None:
    containers = 1 + (value[:1] in b"[{")
    most = (MAX_VALUES - 1) // containers + 1 - (containers - 1)
    assert len(parse_json(b"[" + b",".join([value] * most) + b"]")) == most
    with pytest.raises(Invalid, match="more than 250,000 values"):
        parse_json(b"[" + b",".join([value] * (MAX_VALUES // containers + 2)) + b"]")


@given(
    st.recursive(
        st.none() | st.text(',[{"\\\n:'), lambda inner: st.lists(inner) | st.dictionaries(st.text('",'), inner)
    )
)
def test_the_count_of_values_is_that_of_the_parsed_json(value: Any) -> None:
    def marks(value: Any) -> int:
        if not isinstance(value, dict | list):
            return 0
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(0, len(value) - 1) + sum(map(marks, inner))

    assert bodies._values(orjson.dumps(value)) == marks(value)


@pytest.mark.parametrize("unit", [b'"",', b'"', b'\\"', b"\\", b'",', b'"a"[', b"[[["])
def test_values_are_counted_in_linear_time(unit: bytes) -> None:
    body = unit * (4_000_000 // len(unit))
    began = time.process_time()
    with pytest.raises(Invalid):
        parse_json(body)
    assert time.process_time() - began < 0.5


def test_a_number_beyond_all_integers_is_a_float() -> None:
    assert math.isclose(parse_json(b"1" + b"0" * 40), 1e40)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"a=1", {"a": ["1"]}),
        (b"a=1&b=2&a=3", {"a": ["1", "3"], "b": ["2"]}),
        (b"a=&b", {"a": [""], "b": [""]}),
        (b"a=x+y%20z%2B", {"a": ["x y z+"]}),
        (b"a=%C3%BC", {"a": ["ü"]}),
        ("a=ü".encode(), {"a": ["ü"]}),
        (b"%61%5B%5D=1", {"a[]": ["1"]}),
        (b"a=1;b=2", {"a": ["1;b=2"]}),
        (b"a=b=c", {"a": ["b=c"]}),
        (b"a=%zz%", {"a": ["%zz%"]}),
        (b"a=%ff", {"a": ["\ufffd"]}),
        (b"&&a=1&&", {"a": ["1"]}),
        (b"a=1\r\n", {"a": ["1\r\n"]}),
    ],
)
def test_a_urlencoded_form_is_parsed(body: bytes, fields: dict[str, list[str]]) -> None:
    assert parse_form(body, URLENCODED) == Form(fields)


@pytest.mark.parametrize("content_type", [f"{URLENCODED}; charset=UTF-8", URLENCODED.title(), f" {URLENCODED} ;"])
def test_the_content_type_of_a_form_has_any_letter_case(content_type: str) -> None:
    assert parse_form(b"a=1", content_type) == Form({"a": ["1"]})


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", ";;;", "\0", "x" * 100_000, 'a/b; c="'])
def test_a_body_of_another_type_is_an_empty_form(content_type: str) -> None:
    assert parse_form(b"a=1", content_type) == Form()


def test_a_urlencoded_form_must_be_utf_8() -> None:
    with pytest.raises(Invalid):
        parse_form(b"a=\xff", URLENCODED)


@pytest.mark.parametrize(("count", "taken"), [(MAX_FIELDS, True), (MAX_FIELDS + 1, False), (16_000, False)])
def test_a_form_has_at_most_a_thousand_fields(count: int, taken: bool) -> None:
    for body, content_type in (
        (b"&".join([b"a=1"] * count), URLENCODED),
        (field("a", b"1") * count + b"--Q--\r\n", MULTIPART),
    ):
        if taken:
            assert parse_form(body, content_type) == Form({"a": ["1"] * count})
        else:
            with pytest.raises(Invalid):
                parse_form(body, content_type)


def test_a_multipart_form_has_fields_and_files() -> None:
    content = bytes(range(256)) + b"\r\n-Q\r\n--q--\r\n"
    form = multipart(
        field("code", b"123456"),
        part(
            'Content-Disposition: form-data; name="rock"; filename="say.rock"\r\nContent-Type: application/x-rock',
            content,
        ),
    )
    assert form == Form({"code": ["123456"]}, {"rock": [Upload("say.rock", content, "application/x-rock")]})
    assert (form.get("code"), form.file("rock"), form.get("rock"), form.file("code")) == (
        "123456",
        Upload("say.rock", content, "application/x-rock"),
        None,
        None,
    )


def test_repeated_fields_and_files_are_listed_in_order() -> None:
    form = multipart(
        field("a", b"1"),
        field("a", b"x", '; filename="1"'),
        field("a", b"2"),
        field("a", b"y", '; filename="2"'),
    )
    assert (form.fields, [upload.filename for upload in form.files["a"]]) == ({"a": ["1", "2"]}, ["1", "2"])
    assert (form.get("a"), form.file("a")) == ("1", Upload("1", b"x", "application/octet-stream"))


@pytest.mark.parametrize("content", [b"", b"\r\n", b"--", b"--Q", b"x" * 3_000_000, b"\n--Q--\n"])
def test_the_content_of_a_file_is_unchanged(content: bytes) -> None:
    upload = multipart(field("f", content, '; filename="f"')).file("f")
    assert upload is not None
    assert upload.content == content


def test_a_form_of_the_luarocks_client_is_parsed() -> None:
    """LuaSocket builds the body itself: the boundary has only letters, and one header is in lower case."""
    body = (
        b"--BoundaryABCDEFGHIJKLMNOP\r\n"
        b'Content-Disposition: form-data; name="rockspec_file"; filename="say-1.0-1.rockspec"\r\n'
        b"Content-type: application/octet-stream\r\n\r\n"
        b'package = "say"\n\r\n'
        b"--BoundaryABCDEFGHIJKLMNOP--\r\n"
    )
    form = parse_form(body, "multipart/form-data; boundary=BoundaryABCDEFGHIJKLMNOP")
    assert form.file("rockspec_file") == Upload("say-1.0-1.rockspec", b'package = "say"\n', "application/octet-stream")


def test_the_boundary_can_be_quoted() -> None:
    assert parse_form(field("a", b"1") + b"--Q--\r\n", 'Multipart/Form-Data; Boundary="Q"') == Form({"a": ["1"]})


def test_an_empty_form_has_no_fields_or_files() -> None:
    assert multipart() == Form()


def test_an_empty_file_field_of_a_browser_is_a_file_without_name_and_content() -> None:
    upload = multipart(field("f", b"", '; filename=""')).file("f")
    assert upload is not None
    assert (upload.filename, upload.content) == ("", b"")


def test_a_field_is_decoded_as_utf_8() -> None:
    assert multipart(field("tëxt", "mód".encode())) == Form({"tëxt": ["mód"]})


@pytest.mark.parametrize("charset", ["nonsense", "rot13", "base64", "idna", "punycode", "utf-16", "unicode_escape"])
def test_the_charset_of_a_part_is_ignored(charset: str) -> None:
    head = f'Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset={charset}'
    assert multipart(part(head, "mód \\n".encode())) == Form({"a": ["mód \\n"]})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"junk",
        b"--Q",
        b"--Q\r\n",
        field("a", b"1"),
        (field("a", b"1") + b"--Q--\r\n").replace(b"\r\n", b"\n"),
        field("a", b"\xff") + b"--Q--\r\n",
        part("X: y", b"1") + b"--Q--\r\n",
        part("Content-Disposition", b"1") + b"--Q--\r\n",
        part(f"Content-Disposition: form-data; name=a; x={'y' * 100_000}", b"1") + b"--Q--\r\n",
        part("\r\n".join(["Content-Disposition: form-data; name=a"] * 500), b"1") + b"--Q--\r\n",
    ],
)
def test_a_broken_multipart_form_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_form(body, MULTIPART)


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=R", "; boundary=é", f"; boundary={'x' * 5000}"])
def test_a_form_with_another_boundary_is_invalid(boundary: str) -> None:
    with pytest.raises(Invalid):
        parse_form(field("a", b"1") + b"--Q--\r\n", f"multipart/form-data{boundary}")


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=8))
def test_any_fields_survive_a_urlencoded_form(pairs: list[tuple[str, str]]) -> None:
    form = parse_form(urlencode(pairs).encode(), URLENCODED)
    assert [(name, value) for name in form.fields for value in form.fields[name]] == sorted(
        pairs, key=lambda pair: [name for name, _ in pairs].index(pair[0])
    )


@given(st.lists(st.binary().filter(lambda content: b"--Q" not in content), max_size=5))
def test_any_bytes_survive_a_multipart_form(contents: list[bytes]) -> None:
    form = multipart(*(field("f", content, '; filename="f"') for content in contents))
    assert [upload.content for upload in form.files.get("f", [])] == contents


@given(st.binary(), st.sampled_from([MULTIPART, URLENCODED, "multipart/form-data; boundary=-"]))
def test_any_body_is_parsed_or_invalid(body: bytes, content_type: str) -> None:
    for sent in (body, b"--Q\r\n" + body, field("a", body) + body):
        try:
            form = parse_form(sent, content_type)
        except Invalid:
            continue
        assert isinstance(form, Form)


@given(ANY_TEXT)
def test_any_content_type_is_accepted_or_invalid(content_type: str) -> None:
    for sent in (content_type, f"multipart/form-data; {content_type}", f"multipart/form-data; boundary={content_type}"):
        try:
            parse_form(b"--Q\r\n", sent)
        except Invalid:
            continue


def nested(depth: int) -> bytes:
    return b'{"a":[' * (depth // 2) + b"[1]" * (depth % 2) + b"]}" * (depth // 2)


@pytest.mark.parametrize(("depth", "taken"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False), (1000, False)])
def test_json_has_a_maximum_depth(depth: int, taken: bool) -> None:
    if taken:
        assert parse_json(nested(depth))
    else:
        with pytest.raises(Invalid, match="nested more than 64 levels deep"):
            parse_json(nested(depth))


@pytest.mark.parametrize("value", [b"0", b'""', b"null"])
def test_json_has_a_maximum_number_of_values(value: bytes) -> None:
    """The list itself is a value."""
    assert len(parse_json(b"[" + b",".join([value] * (MAX_VALUES - 1)) + b"]")) == MAX_VALUES - 1
    with pytest.raises(Invalid, match="The JSON has more than 250,000 values"):
        parse_json(b"[" + b",".join([value] * (MAX_VALUES + 1)) + b"]")


def test_a_urlencoded_form_has_a_maximum_size() -> None:
    assert parse_form(b"a=" + b"x" * (SMALL - 2), URLENCODED) == Form({"a": ["x" * (SMALL - 2)]})
    with pytest.raises(Invalid, match="The fields of the form have more than 65536 bytes; files must be sent as files"):
        parse_form(b"a=" + b"x" * (SMALL - 1), URLENCODED)


def test_the_fields_of_a_multipart_form_have_a_maximum_size() -> None:
    half, file = b"x" * (SMALL // 2), field("f", b"x" * 1_000_000, '; filename="f"')
    assert multipart(field("a", half), file, field("b", half)).fields == {"a": [half.decode()], "b": [half.decode()]}
    with pytest.raises(Invalid, match="The fields of the form have more than 65536 bytes; files must be sent as files"):
        multipart(field("a", half), file, field("b", half + b"x"))


def test_a_file_in_a_form_is_copied_once() -> None:
    """A worker holds the body and its file, see MOONBASE_BODY_MEMORY."""
    body = field("f", b"x" * 10_000_000, '; filename="f"') + b"--Q--\r\n"
    tracemalloc.start()
    try:
        assert parse_form(body, MULTIPART).file("f")
        assert tracemalloc.get_traced_memory()[1] < 1.3 * len(body)
    finally:
        tracemalloc.stop()
