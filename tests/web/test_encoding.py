"""Compressed responses."""

import gzip

import pytest

from chalicelib.web.encoding import MIN_SIZE, CachedBody, accepts_gzip, encode
from chalicelib.web.request import Request
from chalicelib.web.response import Response

JSON = ("Content-Type", "application/json")


def request(accept: str | None) -> Request:
    headers = {} if accept is None else {"Accept-Encoding": accept}
    return Request({"httpMethod": "GET", "path": "/", "headers": headers})


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip, br", True),
        ("x-gzip", True),
        ("gzip;q=0.5", True),
        ("gzip; q=0", False),
        ("gzip;q=0.000", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity, *;q=0", False),
        ("deflate, br", False),
        ("gzipped", False),
    ],
)
def test_accept_encoding_is_parsed(accept: str | None, taken: bool) -> None:
    assert accepts_gzip(request(accept)) is taken


@pytest.mark.parametrize("kind", [bytes, CachedBody])
def test_a_large_text_is_compressed_and_has_its_own_etag(kind: type[bytes]) -> None:
    response = Response(200, kind(b"x" * MIN_SIZE), [JSON, ("ETag", '"abc"')])
    encode(request("gzip"), response)
    assert gzip.decompress(response.body) == b"x" * MIN_SIZE
    assert response.headers == [JSON, ("ETag", '"abc-gzip"'), ("Vary", "Accept-Encoding"), ("Content-Encoding", "gzip")]


def test_an_uncompressed_response_has_vary() -> None:
    response = Response(200, b"x" * MIN_SIZE, [JSON, ("ETag", '"abc"')])
    encode(request(None), response)
    assert (response.body, response.headers) == (
        b"x" * MIN_SIZE,
        [JSON, ("ETag", '"abc"'), ("Vary", "Accept-Encoding")],
    )


@pytest.mark.parametrize(
    "response",
    [
        Response(200, b"x" * (MIN_SIZE - 1), [JSON]),
        Response(200, b"x" * MIN_SIZE, [("Content-Type", "image/png")]),
        Response(200, b"x" * MIN_SIZE),
        Response(200, b"x" * MIN_SIZE, [JSON, ("Content-Encoding", "br")]),
        Response(204, b"", [JSON]),
    ],
)
def test_small_and_compressed_responses_are_unchanged(response: Response) -> None:
    body, headers = response.body, [*response.headers]
    encode(request("gzip"), response)
    assert (response.body, response.headers) == (body, headers)


def test_a_shared_body_is_compressed_and_tagged_once() -> None:
    kept = CachedBody(b"x" * MIN_SIZE)
    assert kept.gzipped is kept.gzipped
    assert kept.etag is kept.etag
    assert kept.etag == CachedBody(b"x" * MIN_SIZE).etag != CachedBody(b"y").etag
