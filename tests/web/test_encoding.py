"""Compressed answers."""

import gzip

import pytest

from chalicelib.web.encoding import SMALLEST, Kept, accepts_gzip, encode
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
def test_who_accepts_gzip(accept: str | None, taken: bool) -> None:
    assert accepts_gzip(request(accept)) is taken


@pytest.mark.parametrize("kind", [bytes, Kept])
def test_a_large_text_goes_out_compressed_with_a_tag_of_its_own(kind: type[bytes]) -> None:
    response = Response(200, kind(b"x" * SMALLEST), [JSON, ("ETag", '"abc"')])
    encode(request("gzip"), response)
    assert gzip.decompress(response.body) == b"x" * SMALLEST
    assert response.headers == [JSON, ("ETag", '"abc-gzip"'), ("Vary", "Accept-Encoding"), ("Content-Encoding", "gzip")]


def test_who_does_not_accept_it_learns_that_it_varies() -> None:
    response = Response(200, b"x" * SMALLEST, [JSON, ("ETag", '"abc"')])
    encode(request(None), response)
    assert (response.body, response.headers) == (
        b"x" * SMALLEST,
        [JSON, ("ETag", '"abc"'), ("Vary", "Accept-Encoding")],
    )


@pytest.mark.parametrize(
    "response",
    [
        Response(200, b"x" * (SMALLEST - 1), [JSON]),
        Response(200, b"x" * SMALLEST, [("Content-Type", "image/png")]),
        Response(200, b"x" * SMALLEST),
        Response(200, b"x" * SMALLEST, [JSON, ("Content-Encoding", "br")]),
        Response(204, b"", [JSON]),
    ],
)
def test_what_is_small_or_compressed_already_stays_as_it_is(response: Response) -> None:
    body, headers = response.body, [*response.headers]
    encode(request("gzip"), response)
    assert (response.body, response.headers) == (body, headers)


def test_kept_bytes_are_compressed_and_tagged_once() -> None:
    kept = Kept(b"x" * SMALLEST)
    assert kept.gzipped is kept.gzipped
    assert kept.etag is kept.etag
    assert kept.etag == Kept(b"x" * SMALLEST).etag != Kept(b"y").etag
