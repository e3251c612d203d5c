"""Conditional requests: only clients with a current response get 304."""

import pytest

from chalicelib.web.conditional import etag_of, matches, not_modified
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from tests.web.gateway_events import rest_event

TAG = etag_of("now")
DATE = "Sun, 01 Mar 2026 12:00:00 GMT"
LATER = "Sun, 01 Mar 2026 12:00:01 GMT"
EARLIER = "Sun, 01 Mar 2026 11:59:59 GMT"


def answer(status: int = 200) -> Response:
    headers = [
        ("Content-Type", "text/plain"),
        ("Content-Encoding", "gzip"),
        ("ETag", TAG),
        ("Last-Modified", DATE),
        ("Cache-Control", "max-age=60"),
        ("Vary", "Accept-Encoding"),
        ("Access-Control-Allow-Origin", "*"),
        ("Set-Cookie", "a=b"),
    ]
    return Response(status, b"now", headers)


def ask(method: str = "GET", status: int = 200, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return not_modified(Request(rest_event(method, "/a", headers=named)), answer(status))


def test_an_unconditional_request_gets_the_whole_response() -> None:
    assert ask() == answer()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("header", [TAG, f"W/{TAG}", f'"other", {TAG}', "*"])
def test_a_matching_etag_gets_304(method: str, header: str) -> None:
    assert ask(method, If_None_Match=header).status == 304


@pytest.mark.parametrize("header", ['"other"', TAG.strip('"'), TAG[:-2] + '"'])
def test_another_etag_gets_the_whole_response(header: str) -> None:
    assert ask(If_None_Match=header) == answer()


@pytest.mark.parametrize("since", [DATE, LATER])
def test_an_unmodified_response_gets_304(since: str) -> None:
    assert ask(If_Modified_Since=since).status == 304


@pytest.mark.parametrize(
    "since", [EARLIER, "yesterday", "", "Sun, 99 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:00:00"]
)
def test_an_older_or_malformed_date_gets_the_whole_response(since: str) -> None:
    assert ask(If_Modified_Since=since) == answer()


def test_if_none_match_takes_precedence() -> None:
    assert ask(If_None_Match='"other"', If_Modified_Since=LATER) == answer()


def test_304_has_no_body_but_the_headers_for_caches() -> None:
    headers = [
        ("ETag", TAG),
        ("Last-Modified", DATE),
        ("Cache-Control", "max-age=60"),
        ("Vary", "Accept-Encoding"),
        ("Access-Control-Allow-Origin", "*"),
    ]
    assert ask(If_None_Match=TAG) == Response(304, b"", headers)


@pytest.mark.parametrize("status", [201, 302, 404])
def test_only_a_200_becomes_304(status: int) -> None:
    assert ask(status=status, If_None_Match=TAG) == answer(status)


def test_only_get_and_head_become_304() -> None:
    assert ask("POST", If_None_Match=TAG) == answer()


def test_a_response_without_validators_is_unchanged() -> None:
    request = Request(rest_event("GET", "/a", headers={"If-None-Match": "*", "If-Modified-Since": LATER}))
    assert not_modified(request, Response(200, b"now")) == Response(200, b"now")


def test_different_contents_have_different_etags() -> None:
    assert etag_of("a") == etag_of(b"a") != etag_of("b")
    assert matches(etag_of("a"), etag_of("a"))
