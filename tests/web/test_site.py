"""All services on one host, through Chalice: the owner of a path, and the conversion of its response."""

import base64
import logging
from typing import Any

import pytest
from chalice.app import Chalice

from chalicelib.core.errors import CoreError
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response, json_response, redirect
from chalicelib.web.route import ANONYMOUS
from chalicelib.web.service import Service
from chalicelib.web.site import ALL_METHODS, Site
from tests.web.gateway_events import local_event, rest_event
from tests.web.toy import slice_of

BINARY = bytes(range(256))
NOSNIFF = {"X-Content-Type-Options": "nosniff"}
INERT = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox"}


def service_with_errors(name: str) -> Service:
    """Return a service whose errors contain its name."""

    def render_error(request: Request, error: CoreError) -> Response:
        return json_response({name: status_of(error)}, headers=headers_of(error), status=status_of(error))

    return Service(name, render_error)


root, files, api = service_with_errors("root"), service_with_errors("files"), service_with_errors("api")


@root.route("GET", "/", ANONYMOUS)
def welcome(request: Request) -> Response:
    return bytes_response(b"welcome", "text/plain; charset=utf-8")


@files.route("GET", "/{file}", ANONYMOUS)
def file(request: Request) -> Response:
    return bytes_response(request.params["file"].encode(), "text/plain")


@api.route("GET", "/api/binary", ANONYMOUS)
def binary(request: Request) -> Response:
    return bytes_response(BINARY, "application/x-rock")


@api.route("GET", "/api/cookies", ANONYMOUS)
def cookies(request: Request) -> Response:
    return json_response({}, headers=[("Set-Cookie", "a=1"), ("X-One", "1"), ("Set-Cookie", "b=2; Path=/")])


@api.route("POST", "/api/{name}/echo", ANONYMOUS)
def echo(request: Request) -> Response:
    return bytes_response(request.body, request.headers.get("content-type", "application/octet-stream"))


@api.route("GET", "/api/elsewhere", ANONYMOUS)
def elsewhere(request: Request) -> Response:
    return redirect(request.query["to"][0])


@api.route("GET", "/api/bare", ANONYMOUS)
def bare(request: Request) -> Response:
    return Response(204)


@api.route("GET", "/api/dated", ANONYMOUS)
def dated(request: Request) -> Response:
    return bytes_response(b"dated", "text/plain", headers=[("ETag", '"1"')])


@api.route("GET", "/api/pages/{page}", ANONYMOUS, page=True)
def page(request: Request) -> Response:
    return bytes_response(request.params["page"].encode(), "text/html")


@api.route("GET", "/api/policy", ANONYMOUS)
def policy(request: Request) -> Response:
    return bytes_response(b"", "text/html", headers=[("Content-Security-Policy", "default-src 'self'")])


@api.route("GET", "/api/broken", ANONYMOUS)
def broken(request: Request) -> Response:
    raise RuntimeError(request.argument("why"))


SLICES = (slice_of(root, "/", "/{file}/{below}"), slice_of(files, "/{file}"), slice_of(api, "/api"))


@pytest.fixture
def app() -> Chalice:
    mounted = Chalice("toy", configure_logs=False)
    Site(SLICES).mount(mounted)
    return mounted


def send(app: Chalice, event: dict[str, Any]) -> tuple[int, bytes, dict[str, Any]]:
    """Return status, bytes and headers as API Gateway converts Lambda's response."""
    answer = app(event, None)
    body = base64.b64decode(answer["body"]) if answer.get("isBase64Encoded") else answer["body"].encode()
    return answer["statusCode"], body, {**answer["headers"], **answer["multiValueHeaders"]}


def get(app: Chalice, path: str, **more: Any) -> tuple[int, bytes, dict[str, Any]]:
    return send(app, rest_event("GET", path, **more))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", (200, b"welcome")),
        ("/manifest", (200, b"manifest")),
        ("/a%2Fb", (200, b"a/b")),
        ("/m%C3%B3d/", (200, "mód".encode())),
        ("/a/b", (404, b'{"root":404}')),
        ("/a/b/c/d", (404, b'{"root":404}')),
        ("/api", (404, b'{"api":404}')),
        ("/api/nothing/here", (404, b'{"api":404}')),
        ("/api/x/echo", (405, b'{"api":405}')),
        ("/api/broken", (500, b'{"api":500}')),
        ("/API", (200, b"API")),
    ],
)
def test_the_deepest_owner_answers_in_its_format(app: Chalice, path: str, answer: tuple[int, bytes]) -> None:
    assert get(app, path)[:2] == answer


@pytest.mark.parametrize("path", ["/api/binary", "/api/binary/", "//api//binary", "/api//binary//"])
def test_double_and_trailing_slashes_are_ignored(app: Chalice, path: str) -> None:
    assert get(app, path)[:2] == (200, BINARY)


@pytest.mark.parametrize("path", ["/", "/api/bare", "/api/x/echo", "/api/nothing", "/api/broken", "/nowhere/at/all"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_browsers_guess_the_type_of_no_response(app: Chalice, method: str, path: str) -> None:
    assert send(app, rest_event(method, path))[2]["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("content_type", "policy"),
    [
        ("text/html; charset=utf-8", INERT["Content-Security-Policy"]),
        ("Text/HTML", INERT["Content-Security-Policy"]),
        ("application/xhtml+xml", INERT["Content-Security-Policy"]),
        ("text/plain", INERT["Content-Security-Policy"]),
        ("application/octet-stream", INERT["Content-Security-Policy"]),
        ("image/svg+xml", "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        ("application/json", None),
    ],
)
def test_browsers_run_nothing_in_a_response(app: Chalice, content_type: str, policy: str | None) -> None:
    headers = send(app, rest_event("POST", "/api/x/echo", headers={"Content-Type": content_type}, body=b"<b>"))[2]
    assert headers.get("Content-Security-Policy") == policy


def test_a_response_can_have_a_policy_of_its_own(app: Chalice) -> None:
    assert get(app, "/api/policy")[2]["Content-Security-Policy"] == "default-src 'self'"


@pytest.mark.parametrize("headers", [{}, {"Accept": "text/html"}, {"Accept": "*/*"}, {"Accept": ""}])
def test_bytes_are_unchanged_with_any_accept_header(app: Chalice, headers: dict[str, str]) -> None:
    shown = {"Content-Type": "application/x-rock", **NOSNIFF, **INERT}
    assert get(app, "/api/binary", headers=headers) == (200, BINARY, shown)


def test_only_binary_bodies_are_encoded_in_base64(app: Chalice) -> None:
    answers = [app(rest_event("GET", path), None) for path in ("/", "/api/binary", "/api/cookies", "/api/broken")]
    assert [answer["isBase64Encoded"] for answer in answers] == [False, True, False, False]


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "text/plain", "image/png", "x", "", "multipart/form-data"]
)
@pytest.mark.parametrize("make", [rest_event, local_event])
def test_any_content_type_is_accepted(app: Chalice, make: Any, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    event = make("POST", "/api/x/echo", headers=headers, body=BINARY)
    assert send(app, event)[:2] == (200, BINARY)


def test_repeated_cookies_are_all_sent(app: Chalice) -> None:
    assert get(app, "/api/cookies") == (
        200,
        b"{}",
        {"Content-Type": "application/json", "Set-Cookie": ["a=1", "b=2; Path=/"], "X-One": "1", **NOSNIFF},
    )


def test_a_response_can_have_no_headers_and_body(app: Chalice) -> None:
    assert get(app, "/api/bare") == (204, b"", NOSNIFF)


def test_head_has_the_length_and_no_body(app: Chalice) -> None:
    assert send(app, rest_event("HEAD", "/api/binary")) == (
        200,
        b"",
        {"Content-Type": "application/x-rock", "Content-Length": "256", **NOSNIFF, **INERT},
    )


@pytest.mark.parametrize("path", ["/", "/manifest", "/api/binary", "/api/x/echo", "/api/nothing", "/api/broken"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
def test_the_resource_of_the_event_is_ignored(app: Chalice, method: str, path: str) -> None:
    """A request without a declared path or method goes to the root's greedy resource."""
    resources = ["/{proxy+}", "/", "/api/binary", "/api/{name}/echo"]
    answers = [send(app, rest_event(method, path, resource=resource)) for resource in resources]
    assert answers == [answers[0]] * len(resources)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_client_with_a_current_response_gets_304(app: Chalice, method: str) -> None:
    event = rest_event(method, "/api/dated", headers={"If-None-Match": '"1"'})
    assert send(app, event) == (304, b"", {"ETag": '"1"', **NOSNIFF})


@pytest.mark.parametrize(
    ("to", "location"),
    [
        ("/.blobs/x?y=z", "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/prod/.blobs/x?y=z"),
        ("https://bucket.test/x", "https://bucket.test/x"),
    ],
)
def test_a_redirect_is_absolute(app: Chalice, to: str, location: str) -> None:
    status, _, headers = get(app, "/api/elsewhere", query={"to": [to]}, stage="prod")
    assert (status, headers["Location"]) == (302, location)


def test_the_stage_in_the_context_s_path_is_ignored(app: Chalice) -> None:
    assert get(app, "/api/binary", stage="prod")[:2] == (200, BINARY)


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_chalice_local_gets_the_same_responses(app: Chalice, method: str) -> None:
    for path in ("/", "/manifest", "/api/binary", "/api/x/echo", "/api/nothing", "/a/b/c"):
        assert send(app, local_event(method, path)) == send(app, rest_event(method, path))


def test_an_exception_is_logged_once_without_its_message(app: Chalice, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        get(app, "/api/broken", query={"why": ["because-of-me"]})
    assert [record.name for record in caplog.records] == ["chalicelib.web.service", "moonbase.access"]
    assert "because-of-me" not in caplog.text


def test_each_request_is_logged_with_its_route_but_not_its_path(app: Chalice, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "moonbase.access"):
        send(app, rest_event("POST", "/api/SECRET/echo", query={"token": ["SECRET"]}, body=b"12345"))
        get(app, "/no/SECRET/here")
    logged = [
        {
            name: getattr(record, name)
            for name in ("request_id", "client", "service", "method", "route", "status", "bytes")
        }
        for record in caplog.records
    ]
    each = {"request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "client": "203.0.113.7"}
    assert logged == [
        {**each, "service": "api", "method": "POST", "route": "/api/{name}/echo", "status": 200, "bytes": 5},
        {**each, "service": "root", "method": "GET", "route": "-", "status": 404, "bytes": 12},
    ]
    assert all(record.ms >= 0 for record in caplog.records)
    assert "SECRET" not in caplog.text


def test_the_paths_and_a_root_for_all_requests_are_declared(app: Chalice) -> None:
    """The root has one variable child in API Gateway, so the files in it are served by the greedy resource."""
    assert {path: sorted(methods) for path, methods in app.routes.items()} == {
        "/": ALL_METHODS,
        "/{proxy+}": ALL_METHODS,
        "/api/binary": ["GET", "HEAD", "OPTIONS"],
        "/api/cookies": ["GET", "HEAD", "OPTIONS"],
        "/api/{name}/echo": ["OPTIONS", "POST"],
        "/api/elsewhere": ["GET", "HEAD", "OPTIONS"],
        "/api/bare": ["GET", "HEAD", "OPTIONS"],
        "/api/policy": ["GET", "HEAD", "OPTIONS"],
        "/api/broken": ["GET", "HEAD", "OPTIONS"],
        "/api/dated": ["GET", "HEAD", "OPTIONS"],
    }


def test_a_page_is_served_by_the_root_s_resource(app: Chalice) -> None:
    assert get(app, "/api/pages/one", resource="/{proxy+}")[:2] == (200, b"one")


def test_the_paths_of_pages_are_declared_for_chalice_local() -> None:
    mounted, site = Chalice("toy", configure_logs=False), Site(SLICES)
    site.mount(mounted)
    before = set(mounted.routes)
    site.mount_pages(mounted)
    assert set(mounted.routes) - before == {"/api/pages/{page}"}


def test_a_service_cannot_have_routes_below_another_s_path() -> None:
    with pytest.raises(ValueError, match="belongs to another owner"):
        Site([slice_of(api, "/"), slice_of(root, "/api")])
