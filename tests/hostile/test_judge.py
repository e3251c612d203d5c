"""The judge of hostile requests finds each kind of bad response, and accepts good ones."""

import pytest

from tests.client import Reply
from tests.hostile import judge
from tests.hostile.generator import HostileRequest

JSON, HTML = "application/json", "text/html; charset=utf-8"
SECRET = "s" * 40


PROTECTION = {"x-content-type-options": ["nosniff"], "content-security-policy": ["default-src 'none'; sandbox"]}


def judged(
    service: str, status: int, kind: str, body: bytes, method: str = "GET", headers: dict[str, list[str]] = PROTECTION
) -> str | None:
    sent = HostileRequest(service, "GET /x", method, "/x", "", {}, b"")
    return judge.problem(sent, Reply(status, {"content-type": [kind], **headers}, body), {SECRET})


@pytest.mark.parametrize(
    ("service", "status", "kind", "body", "method"),
    [
        ("luarocks", 400, JSON, b'{"errors":["x"]}', "GET"),
        ("contentdb", 400, JSON, b'{"success":false,"error":"x"}', "GET"),
        ("luadns", 404, JSON, b'{"status":"Not Found","request_id":"1","message":"x"}', "GET"),
        ("hel", 403, JSON, b'{"success":false,"code":403,"message":"x"}', "GET"),
        ("account", 403, JSON, b'{"message":"x"}', "GET"),
        ("home", 503, JSON, b'{"message":"x"}', "GET"),
        ("account", 404, HTML, b"<!doctype html><p>x", "GET"),
        ("home", 200, "text/plain", b"x", "GET"),
        ("home", 404, JSON, b"", "HEAD"),
        ("hel", 204, JSON, b"", "DELETE"),
    ],
)
def test_responses_in_the_envelope_are_accepted(service: str, status: int, kind: str, body: bytes, method: str) -> None:
    assert judged(service, status, kind, body, method) is None


@pytest.mark.parametrize(
    ("service", "status", "kind", "body", "method", "problem"),
    [
        ("home", 500, JSON, b'{"message":"x"}', "GET", "status 500"),
        ("home", 502, JSON, b'{"message":"x"}', "GET", "status 502"),
        ("hel", 503, JSON, b'{"message":"x"}', "GET", "not in the envelope of hel"),
        ("luarocks", 507, JSON, b'{"message":"x"}', "GET", "not in the envelope of luarocks"),
        ("contentdb", 400, JSON, b"[]", "GET", "not in the envelope of contentdb"),
        ("luadns", 400, JSON, b'{"message":"x"}', "GET", "not in the envelope of luadns"),
        ("account", 400, "text/plain", b"x", "GET", "an error as text/plain"),
        ("account", 400, HTML, b"x", "GET", "an error as text/html"),
        ("home", 200, JSON, b"{", "GET", "malformed JSON"),
        ("home", 200, JSON, b"[NaN]", "GET", "malformed JSON"),
        ("home", 200, HTML, b"Traceback (most recent call last):", "GET", "a traceback in the body"),
        ("home", 200, HTML, b'<p> File "/srv/app.py"', "GET", "a traceback in the body"),
        ("home", 200, "text/plain", SECRET.encode(), "GET", "a secret in the response"),
        ("home", 200, f"text/{SECRET}", b"", "GET", "a secret in the response"),
        ("home", 200, JSON, b"{}", "HEAD", "a body with 200 to HEAD"),
        ("home", 204, JSON, b"{}", "GET", "a body with 204 to GET"),
    ],
)
def test_bad_responses_are_found(service: str, status: int, kind: str, body: bytes, method: str, problem: str) -> None:
    assert judged(service, status, kind, body, method) == problem


@pytest.mark.parametrize(
    ("kind", "headers", "problem"),
    [
        (JSON, {}, "no nosniff"),
        (HTML, {"x-content-type-options": ["nosniff"]}, f"no policy for {HTML.partition(';')[0]}"),
        (
            HTML,
            {**PROTECTION, "content-security-policy": ["default-src 'none'; script-src *"]},
            "no policy for text/html",
        ),
        (JSON, {"x-content-type-options": ["nosniff"]}, None),
    ],
)
def test_responses_without_protection_are_found(kind: str, headers: dict[str, list[str]], problem: str | None) -> None:
    assert judged("home", 200, kind, b"{}", headers=headers) == problem
