"""Arbitrary header fields never cause an internal error, on pages and in the APIs of all services."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.client import BROWSER, Client
from tests.worlds import world

NAMES = [
    *("Host", "Origin", "Referer", "Sec-Fetch-Site", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-For"),
    *("Forwarded", "If-Modified-Since", "If-None-Match", "If-Match", "If-Unmodified-Since", "If-Range", "Range"),
    *("Content-Type", "Content-Length", "Content-Encoding", "Cookie", "Authorization", "Accept", "Accept-Encoding"),
    *("Accept-Language", "User-Agent", "X-CSRF-Token", "X-TFA-Token", "Access-Control-Request-Method"),
    *("Access-Control-Request-Headers", "Expect", "X-HTTP-Method-Override"),
]
TARGETS = [
    *(("GET", "/"), ("GET", "/healthz"), ("GET", "/account"), ("GET", "/account/log-in"), ("POST", "/account/log-in")),
    *(("POST", "/account/api/log-in"), ("GET", "/account/api/me"), ("POST", "/account/api/keys")),
    *(("GET", "/manifest"), ("GET", "/manifest-5.1.zip"), ("GET", "/modules"), ("POST", "/api/1/bearer/upload")),
    *(("GET", "/api/packages/"), ("GET", "/api/whoami/"), ("POST", "/api/packages/a/b/releases/new/")),
    *(
        ("POST", "/api/hypertext/"),
        ("GET", "/v1/zones"),
        ("POST", "/v1/zones"),
        ("GET", "/packages"),
        ("POST", "/auth"),
    ),
    *(("OPTIONS", "/packages"), ("POST", "/packages"), ("GET", "/hel/index"), ("POST", "/upload-slots")),
    *(("GET", "/nothing/here"), ("HEAD", "/manifest")),
]
SEEDS = st.sampled_from(
    [
        *(
            "[",
            "http://[",
            "https://[::1",
            "a:b:c",
            "//",
            "http://a:99999999",
            "null",
            "\x80\xff",
            "%zz",
            "*",
            "W/",
            '"',
        ),
        *("Fri, 01 Jan 99999999999999999999 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 0 0 0 0:0:0 +9999"),
        *(
            "Thu, 01 Jan 1970 00:00:00",
            "bytes=-",
            "bytes=9-1",
            "bytes=0-" + "9" * 400,
            "9" * 5000,
            "-1",
            "0x10",
            "\u00b2",
        ),
        *("Basic", "Basic =", "Basic //79", "Bearer", "Bearer  ", "Basic " + "A" * 5001, "multipart/form-data"),
        *("multipart/form-data; boundary=", 'multipart/form-data; boundary="', "application/json; charset=nope"),
        *("application/x-www-form-urlencoded; charset=\xff", "gzip;q=99", "gzip;q=1e9", ";q=;q=", "=;=", "a=b; =; ;=c"),
    ]
)
VALUES = SEEDS | st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)
FIELDS = st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=5)
BODIES = st.sampled_from([b"", b"{}", b"[", b"a=b&c=%zz", b"\xff\xfe", b"--B\r\n\r\n", b"null"]) | st.binary(
    max_size=60
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    place: Path = tmp_path_factory.mktemp("headers")
    with world("embedded", place):
        yield Client()


@pytest.mark.parametrize(("method", "path"), TARGETS)
@given(fields=FIELDS, body=BODIES, browser=st.booleans())
@example({"Host": "["}, b"", True)
@example({"Origin": "http://["}, b"", False)
@example({"If-Modified-Since": "Fri, 01 Jan 99999999999999999999 00:00:00 GMT"}, b"", False)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_header_causes_an_internal_error(
    server: Client, method: str, path: str, fields: dict[str, str], body: bytes, browser: bool
) -> None:
    headers = {**(BROWSER if browser else {}), **fields}
    reply = server.request(method, path, headers=headers, body=body if method == "POST" else b"")
    assert reply.status < 500
