"""Requests from API Gateway's events and from those of `chalice local`."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import settings
from chalicelib.core.errors import Invalid
from chalicelib.web.request import Request
from tests.web.gateway_events import local_event, rest_event

both = pytest.mark.parametrize("event", [rest_event, local_event])
Event = Callable[..., dict[str, Any]]


@both
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_request_has_its_method(event: Event, method: str) -> None:
    assert Request(event(method, "/a")).method == method


@both
@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", ()),
        ("//", ()),
        ("/a", ("a",)),
        ("/a/", ("a",)),
        ("//a///b//", ("a", "b")),
        ("/a%2Fb/c", ("a/b", "c")),
        ("/a%2fb", ("a/b",)),
        ("/%2F", ("/",)),
        ("/a+b", ("a+b",)),
        ("/a%2Bb", ("a+b",)),
        ("/a%20b", ("a b",)),
        ("/m%C3%B3d/%E6%B4%BB", ("mód", "活")),
        ("/a%252Fb", ("a%2Fb",)),
        ("/100%", ("100%",)),
        ("/%zz", ("%zz",)),
        ("/%", ("%",)),
        ("/%ff%fe", ("\ufffd\ufffd",)),
        ("/%00", ("\0",)),
        ("/../a/.", ("..", "a", ".")),
        ("/a;b=c,d:e@f", ("a;b=c,d:e@f",)),
        ("/mód", ("mód",)),
    ],
)
def test_a_path_is_split_first_and_decoded_once(event: Event, path: str, segments: tuple[str, ...]) -> None:
    assert Request(event("GET", path)).segments == segments


def test_the_stage_is_not_a_segment() -> None:
    assert Request(rest_event("GET", "/a/b", stage="prod")).segments == ("a", "b")


@both
def test_a_repeated_query_parameter_has_all_values_in_order(event: Event) -> None:
    request = Request(event("GET", "/", query={"tag": ["b", "a", "b"], "q": [""]}))
    assert (request.query, request.argument("tag"), request.argument("q"), request.argument("x")) == (
        {"tag": ["b", "a", "b"], "q": [""]},
        "b",
        "",
        None,
    )


@both
def test_no_query_is_an_empty_one(event: Event) -> None:
    assert Request(event("GET", "/")).query == {}


@pytest.mark.parametrize("single", [None, {}, {"a": "1"}])
def test_an_event_can_have_single_values_only(single: dict[str, str] | None) -> None:
    event = rest_event("GET", "/")
    del event["multiValueQueryStringParameters"]
    event["queryStringParameters"] = single
    assert Request(event).query == {name: [value] for name, value in (single or {}).items()}


@both
def test_a_query_parameter_without_values_is_none(event: Event) -> None:
    assert Request(event("GET", "/", query={"a": []})).argument("a") is None


@both
def test_headers_have_names_in_lower_case(event: Event) -> None:
    headers = Request(event("GET", "/", headers={"X-Tfa-Token": "Abc"})).headers
    assert headers["x-tfa-token"] == "Abc"


@pytest.mark.parametrize("headers", [None, {}])
def test_a_request_can_have_no_headers(headers: dict[str, str] | None) -> None:
    request = Request({**rest_event("GET", "/a"), "headers": headers})
    assert (request.headers, request.user_agent, request.bearer, request.cookies, request.form.fields) == (
        {},
        "",
        None,
        {},
        {},
    )
    assert request.base_url == "http://localhost"


@both
@pytest.mark.parametrize("body", [b"plain", bytes(range(256)), "ü".encode(), b'{"a": 1}'])
def test_the_body_has_the_sent_bytes(event: Event, body: bytes) -> None:
    assert Request(event("POST", "/", body=body)).body == body


@both
def test_no_body_is_an_empty_one(event: Event) -> None:
    assert Request(event("POST", "/")).body == b""


def test_a_text_body_is_utf_8() -> None:
    assert Request({**rest_event("POST", "/"), "body": "mód", "isBase64Encoded": False}).body == "mód".encode()


def test_a_binary_body_of_chalice_local_is_decoded() -> None:
    event = {**local_event("POST", "/"), "body": base64.b64encode(b"\xff\0").decode(), "isBase64Encoded": True}
    assert Request(event).body == b"\xff\0"


@both
@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_json_is_parsed_with_any_content_type(event: Event, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert Request(event("POST", "/", headers=headers, body=b'{"a": [1, null]}')).json == {"a": [1, None]}


@both
def test_a_form_is_parsed_by_its_content_type(event: Event) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert Request(event("POST", "/", headers=headers, body=b"a=1&a=2")).form.fields == {"a": ["1", "2"]}


@both
def test_malformed_json_is_invalid(event: Event) -> None:
    with pytest.raises(Invalid):
        _ = Request(event("POST", "/")).json


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc  ", "abc"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("abc", None),
        ("", None),
        ("Bearer a b", "a b"),
    ],
)
def test_a_bearer_token_is_recognized_by_its_scheme(header: str, token: str | None) -> None:
    assert Request(rest_event("GET", "/", headers={"Authorization": header})).bearer == token


@pytest.mark.parametrize(
    ("header", "cookies"),
    [
        ("session=abc", {"session": "abc"}),
        ("a=1; b=2;c=3", {"a": "1", "b": "2", "c": "3"}),
        ('session="abc"', {"session": "abc"}),
        ("a=b=c==", {"a": "b=c=="}),
        ("", {}),
        (";;=;", {}),
        ('{"odd":[1,2]}=x; session=abc', {'{"odd":[1,2]}': "x", "session": "abc"}),
        ("naked; session=abc", {"naked": "", "session": "abc"}),
        ("ünï=ö; session=abc", {"ünï": "ö", "session": "abc"}),
    ],
)
def test_a_malformed_cookie_does_not_affect_others(header: str, cookies: dict[str, str]) -> None:
    assert Request(rest_event("GET", "/", headers={"Cookie": header})).cookies == cookies


@pytest.mark.parametrize(
    ("path", "full", "prefix"),
    [
        ("/a/b", "/prod/a/b", "/prod"),
        ("/a/b/", "/prod/a/b/", "/prod"),
        ("/", "/prod/", "/prod"),
        ("/", "/prod", "/prod"),
        ("/prod", "/prod/prod", "/prod"),
        ("/a%20b", "/prod/a%20b", "/prod"),
        ("/a/b", "/a/b", ""),
        ("/", "/", ""),
        ("/prod/x", "/prod/x", ""),
    ],
)
def test_the_base_url_has_the_stage_only_on_api_gateway_s_host(path: str, full: str, prefix: str) -> None:
    event = rest_event("GET", path)
    event["requestContext"]["path"] = full
    assert Request(event).base_url == f"https://api.test{prefix}"


def test_the_base_url_has_the_client_s_scheme() -> None:
    for scheme, secure in (("http", False), ("https", True)):
        request = Request(rest_event("GET", "/a", headers={"X-Forwarded-Proto": scheme}))
        assert (request.base_url, request.secure) == (f"{scheme}://api.test", secure)


def test_the_base_url_of_chalice_local_has_no_stage() -> None:
    request = Request(local_event("GET", "/a"))
    assert (request.base_url, request.secure) == ("http://localhost:8000", False)


@pytest.mark.parametrize("configured", ["https://rocks.example", "https://rocks.example/", "https://rocks.example/lua"])
def test_a_configured_base_url_takes_precedence(configured: str) -> None:
    with settings.override(base_url=configured):
        request = Request(rest_event("GET", "/a", stage="prod"))
        assert (request.base_url, request.secure) == (configured.rstrip("/"), True)


@given(st.text(), st.text(), st.binary())
def test_any_path_header_and_body_can_be_read(path: str, header: str, body: bytes) -> None:
    names = ("Cookie", "Authorization", "Content-Type", "Host", "X-Forwarded-Proto")
    request = Request(rest_event("POST", f"/{path}", headers=dict.fromkeys(names, header), body=body))
    assert request.body == body
    assert all(isinstance(segment, str) for segment in request.segments)
    assert isinstance(request.base_url, str)
    assert isinstance(request.cookies, dict)
    assert request.bearer is None or request.bearer in header


@both
def test_the_client_address_comes_from_the_gateway(event: Event) -> None:
    made = event("GET", "/a", headers={"X-Forwarded-For": "203.0.113.9"})
    made["requestContext"]["identity"] = {"sourceIp": "192.0.2.7"}
    assert Request(made).client_address == "192.0.2.7"


@pytest.mark.parametrize("address", ["", "unknown", "a" * 60_000, "192.0.2.7, 192.0.2.8", "192.0.2.7:80", "\xff"])
def test_only_an_ip_address_is_a_client_address(address: str) -> None:
    made = rest_event("GET", "/a")
    made["requestContext"]["identity"] = {"sourceIp": address}
    assert Request(made).client_address == ""
    made["requestContext"]["identity"] = {"sourceIp": "2001:db8::1"}
    assert Request(made).client_address == "2001:db8::1"


@both
def test_a_client_without_an_address_has_an_empty_one(event: Event) -> None:
    made = event("GET", "/a")
    made["requestContext"]["identity"] = {}
    assert Request(made).client_address == ""


@both
def test_a_request_has_the_gateway_s_id_or_a_random_one(event: Event) -> None:
    made = event("GET", "/a")
    made["requestContext"]["requestId"] = "abc-123"
    assert Request(made).id == "abc-123"
    del made["requestContext"]["requestId"]
    own = Request(made)
    assert own.id == own.id != Request(made).id
