"""A service: its routes, their requirements, and its errors."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import settings
from chalicelib.core.caller import Caller
from chalicelib.core.declaration import Scopes
from chalicelib.core.errors import (
    Busy,
    Conflict,
    CoreError,
    Forbidden,
    Invalid,
    SecondFactorRequired,
    TooMany,
    Unauthenticated,
)
from chalicelib.core.tables import Account, Credential, now
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.protection import NOSNIFF
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response, json_response, redirect
from chalicelib.web.route import ANONYMOUS, ANY, Scheme, SecondFactor
from chalicelib.web.service import Service
from chalicelib.web.site import Site
from tests.web.gateway_events import local_event, rest_event
from tests.web.toy import slice_of

SECRET = "aSecretThatNoLogMayContain0123456789abcd"
SCOPES = {"full": None, "reader": "read", "say": "module:say"}
happened: list[str] = []


def render_error(request: Request, error: CoreError) -> Response:
    """Render an error in the toy's dialect: `{"no": message}`."""
    return json_response({"no": error.message}, status_of(error), headers_of(error))


toy = Service("toy", render_error)


@pytest.fixture(autouse=True)
def clear_happened() -> None:
    happened.clear()


def key(request: Request) -> Caller:
    """Authenticate with the key in the path."""
    happened.append("auth")
    name = request.params["key"]
    if name == "boom":
        raise KeyError(SECRET)
    if name not in SCOPES:
        raise Unauthenticated("Invalid key")
    account = Account("account#7", "account", id=7, username="alice", email="a@b", created_at=now())
    return Caller(account, Credential("credential#x", "credential", id=3, service="toy", scope=SCOPES[name]))


def maybe(request: Request) -> Caller | None:
    """Authenticate with the key in the path, or return None for the key `none`."""
    return key(request) if request.params["key"] != "none" else None


def code(request: Request, caller: Caller) -> None:
    """Check the second factor."""
    happened.append("second factor")
    if request.headers.get("x-code") != "123456":
        raise SecondFactorRequired("Code required")


MODULES = Scopes("module", "NAME", "[a-z]+")
CODE = SecondFactor("code", code)
KEY = Scheme("key", key)
KEY_OR_NONE = Scheme("key or none", maybe)


@toy.route("GET", "/things/{key}/{name}", ANONYMOUS)
def show(request: Request) -> Response:
    happened.append("view")
    return json_response({"params": request.params, "query": request.query})


@toy.route("POST", "/things/{key}/{name}", KEY, scope="write", permission=ANY, body=10)
def write(request: Request, caller: Caller) -> Response:
    happened.append("view")
    return json_response({"by": caller.account.username, "same": caller is request.caller, "size": len(request.body)})


@toy.route("PUT", "/things/{key}/{name}", KEY, second_factor=CODE, scope="module:", permission=ANY)
def replace(request: Request, caller: Caller) -> Response:
    happened.append("view")
    return bytes_response(b"replaced", "text/plain", 201)


@toy.route("DELETE", "/things/{key}/{name}", KEY_OR_NONE, second_factor=CODE, scope="read", permission=ANY)
def remove(request: Request, caller: Caller | None) -> Response:
    happened.append("view")
    return Response(204, headers=[("X-By", caller.account.username if caller else "none")])


ERRORS: dict[str, Callable[[], Exception]] = {
    "invalid": lambda: Invalid("Not so."),
    "conflict": lambda: Conflict("Taken."),
    "too-many": lambda: TooMany("Slow down.", retry_after=7),
    "busy": lambda: Busy("Later.", retry_after=2),
    "forbidden": lambda: Forbidden("No."),
    "value": lambda: ValueError(f"bad {SECRET}"),
    "assertion": lambda: AssertionError(SECRET),
    "recursion": lambda: RecursionError(SECRET),
    "memory": lambda: MemoryError(SECRET),
    "unicode": lambda: UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
}


@toy.route("GET", "/fails/{key}/{how}", ANONYMOUS)
def fails(request: Request) -> Response:
    raise ERRORS[request.params["how"]]()


@toy.route("GET", "/chained/{key}", ANONYMOUS)
def chained(request: Request) -> Response:
    try:
        raise LookupError(request.params["key"])
    except LookupError as error:
        raise RuntimeError(f"{request.raw_path} {request.query}") from error


kept = bytes_response(b"kept", "text/plain")


@toy.route("GET", "/kept", ANONYMOUS)
def keep(request: Request) -> Response:
    return kept


@toy.route("GET", "/sized", ANONYMOUS)
def sized(request: Request) -> Response:
    return bytes_response(b"", "text/plain", headers=[("content-length", "12345")])


@toy.route("GET", "/elsewhere", ANONYMOUS)
def elsewhere(request: Request) -> Response:
    return redirect(f"{request.base_url}/x")


@toy.route("GET", "/caller", ANONYMOUS)
def anonymous(request: Request) -> Response:
    return json_response(request.caller)


site = Site([slice_of(toy, "/", scopes=MODULES)])


def answer(method: str, path: str, **more: Any) -> Response:
    return site(rest_event(method, path, **more))


def status_and_body(response: Response) -> tuple[int, bytes]:
    return response.status, response.body


def test_a_handler_gets_decoded_parameters_and_all_query_values() -> None:
    response = answer("GET", "//things/a%2Fb/m%C3%B3d+%201/", query={"tag": ["x", "y"]})
    expected = '{"params":{"key":"a/b","name":"mód+ 1"},"query":{"tag":["x","y"]}}'
    assert status_and_body(response) == (200, expected.encode())


def test_an_event_of_chalice_local_gives_the_same_response() -> None:
    response = site(local_event("GET", "/things/a%2Fb/m%C3%B3d+%201/", query={"tag": ["x", "y"]}))
    assert status_and_body(response) == status_and_body(
        answer("GET", "/things/a%2Fb/m%C3%B3d+%201", query={"tag": ["x", "y"]})
    )


def test_an_anonymous_route_does_not_authenticate() -> None:
    answer("GET", "/things/unknown/x")
    assert happened == ["view"]
    assert status_and_body(answer("GET", "/caller")) == (200, b"null")


def test_an_authenticated_handler_gets_its_caller() -> None:
    assert status_and_body(answer("POST", "/things/full/x", body=b"12345")) == (
        200,
        b'{"by":"alice","same":true,"size":5}',
    )


def test_an_unauthenticated_request_does_not_reach_the_handler() -> None:
    assert status_and_body(answer("PUT", "/things/unknown/x")) == (401, b'{"no":"Invalid key"}')
    assert happened == ["auth"]


def test_the_scope_write_needs_an_unlimited_key() -> None:
    assert [answer("POST", f"/things/{name}/x").status for name in ("full", "say", "reader")] == [200, 403, 403]


def test_the_scope_is_checked_before_the_second_factor() -> None:
    assert status_and_body(answer("PUT", "/things/reader/x")) == (
        403,
        b'{"no":"This key may not do that: its scope is read."}',
    )
    assert happened == ["auth"]


@pytest.mark.parametrize("name", ["full", "say"])
def test_the_second_factor_is_checked_before_the_handler(name: str) -> None:
    assert status_and_body(answer("PUT", f"/things/{name}/x")) == (403, b'{"no":"Code required"}')
    assert happened == ["auth", "second factor"]


@pytest.mark.parametrize("name", ["full", "say"])
def test_the_handler_answers_with_the_second_factor(name: str) -> None:
    assert status_and_body(answer("PUT", f"/things/{name}/x", headers={"X-Code": "123456"})) == (201, b"replaced")
    assert happened == ["auth", "second factor", "view"]


def test_a_credential_can_be_optional() -> None:
    response = answer("DELETE", "/things/none/x")
    assert (response.status, response.headers) == (204, [("X-By", "none"), NOSNIFF])
    assert happened == ["view"]


def test_an_optional_credential_is_checked_completely() -> None:
    assert answer("DELETE", "/things/unknown/x").status == 401
    assert answer("DELETE", "/things/reader/x").status == 403
    response = answer("DELETE", "/things/reader/x", headers={"X-Code": "123456"})
    assert (response.status, response.headers) == (204, [("X-By", "alice"), NOSNIFF])


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "x"])
def test_an_unknown_path_gets_the_service_s_error(method: str) -> None:
    assert status_and_body(answer(method, "/nothing/here")) == (
        404,
        b"" if method == "HEAD" else b'{"no":"There is nothing at this path."}',
    )


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "CONNECT", "PROPFIND", "get", ""])
def test_a_wrong_method_gets_the_allowed_ones(method: str) -> None:
    event = rest_event("GET", "/things/full/x")
    event["httpMethod"] = event["requestContext"]["httpMethod"] = method
    response = site(event)
    assert status_and_body(response) == (405, b'{"no":"This path does not take this method."}')
    assert response.header("allow") == "DELETE, GET, HEAD, OPTIONS, POST, PUT"
    assert happened == []


def test_head_on_a_path_without_get_is_a_wrong_method() -> None:
    posts = Service("posts", render_error)
    posts.route("POST", "/only", ANONYMOUS)(lambda request: Response())
    response = Site([slice_of(posts, "/")])(rest_event("HEAD", "/only"))
    assert (response.status, response.body, response.header("Allow")) == (405, b"", "OPTIONS, POST")


@pytest.mark.parametrize("path", ["/things/unknown/x", "/fails/x/value"])
def test_options_returns_the_methods_without_authentication(path: str) -> None:
    response = answer("OPTIONS", path)
    methods = "DELETE, GET, HEAD, OPTIONS, POST, PUT" if "things" in path else "GET, HEAD, OPTIONS"
    assert (response.status, response.body, response.headers) == (204, b"", [("Allow", methods), NOSNIFF])
    assert happened == []


@pytest.mark.parametrize(
    "path", ["/things/a/b", "/kept", "/fails/x/invalid", "/fails/x/too-many", "/nowhere", "/elsewhere"]
)
def test_head_is_get_without_the_body(path: str) -> None:
    got, head = answer("GET", path), answer("HEAD", path)
    assert (head.status, head.body) == (got.status, b"")
    assert head.headers == [*got.headers, ("Content-Length", str(len(got.body)))]


def test_head_keeps_the_length_of_the_handler() -> None:
    assert answer("HEAD", "/sized").headers == answer("GET", "/sized").headers


def test_head_does_not_change_a_cached_response() -> None:
    answer("HEAD", "/kept")
    assert status_and_body(answer("GET", "/kept")) == (200, b"kept")
    assert kept.headers == [("Content-Type", "text/plain")]


@pytest.mark.parametrize(("size", "status"), [(0, 200), (10, 200), (11, 413), (100_000, 413)])
def test_a_route_has_a_maximum_body_size(size: int, status: int) -> None:
    assert answer("POST", "/things/full/x", body=b"x" * size).status == status


def test_the_body_size_is_checked_before_authentication() -> None:
    assert status_and_body(answer("POST", "/things/unknown/x", body=b"x" * 11)) == (
        413,
        b'{"no":"The request is larger than 10 bytes."}',
    )
    assert happened == []


def test_the_settings_limit_the_body_size_of_all_routes() -> None:
    with settings.override(max_body=4):
        statuses = [answer(method, "/things/full/x", body=b"12345").status for method in ("POST", "PUT", "GET")]
        assert statuses == [413, 413, 413]
        assert answer("POST", "/things/full/x", body=b"1234").status == 200


@pytest.mark.parametrize(
    ("how", "status", "body", "retry_after"),
    [
        ("invalid", 400, b'{"no":"Not so."}', None),
        ("forbidden", 403, b'{"no":"No."}', None),
        ("conflict", 409, b'{"no":"Taken."}', None),
        ("too-many", 429, b'{"no":"Slow down."}', "7"),
        ("busy", 503, b'{"no":"Later."}', "2"),
    ],
)
def test_an_error_has_the_service_s_format(how: str, status: int, body: bytes, retry_after: str | None) -> None:
    response = answer("GET", f"/fails/x/{how}")
    assert (*status_and_body(response), response.header("Retry-After")) == (status, body, retry_after)


@pytest.mark.parametrize("how", ["value", "assertion", "recursion", "memory", "unicode", "no-such-failure"])
def test_an_unexpected_exception_is_a_500_without_details(how: str) -> None:
    assert status_and_body(answer("GET", f"/fails/x/{how}")) == (500, b'{"no":"Something went wrong here."}')


def test_an_exception_in_authentication_is_a_500() -> None:
    assert status_and_body(answer("POST", "/things/boom/x")) == (500, b'{"no":"Something went wrong here."}')


def test_an_exception_in_a_route_s_limit_is_a_500() -> None:
    broken = Service("broken", render_error)
    broken.route("POST", "/", ANONYMOUS, body=lambda: 1 // 0)(lambda request: Response())
    assert Site([slice_of(broken, "/")])(rest_event("POST", "/")).status == 500


def test_a_body_that_cannot_be_decoded_is_a_400() -> None:
    event = {**rest_event("POST", "/things/full/x"), "body": "x", "isBase64Encoded": True}
    assert status_and_body(site(event)) == (400, b'{"no":"The body is not Base64."}')


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", f"/fails/{SECRET}/value", "/fails/{key}/{how}"),
        ("GET", f"/fails/{SECRET}/{SECRET}", "/fails/{key}/{how}"),
        ("POST", f"/things/boom/{SECRET}", "/things/{key}/{name}"),
        ("GET", f"/chained/{SECRET}", "/chained/{key}"),
        ("HEAD", f"/chained/{SECRET}", "/chained/{key}"),
    ],
)
def test_the_log_has_the_route_and_the_traceback_but_no_data_of_the_request(
    method: str, path: str, template: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Authorization": f"Bearer {SECRET}", "Cookie": f"session={SECRET}"}
    with caplog.at_level(logging.DEBUG):
        answer(method, path, query={"token": [SECRET]}, headers=headers)
    (record,) = caplog.records
    assert caplog.text.count(f"toy: {method} {template} failed") == 1
    assert (record.levelname, SECRET in caplog.text, "test_service.py" in caplog.text) == ("ERROR", False, True)


def test_the_log_has_the_exception_and_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    answer("GET", "/chained/x")
    assert [caplog.text.count(name) for name in ("builtins.RuntimeError", "builtins.LookupError")] == [1, 1]


def test_expected_errors_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for path in ("/fails/x/invalid", "/fails/x/busy", "/nowhere", "/things/x/y"):
            answer("GET", path)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", f"/things/{SECRET}/x", "/things/{key}/{name}"),
        ("POST", f"/things/{SECRET}/x", "/things/{key}/{name}"),
        ("PATCH", f"/things/{SECRET}/x", "/things/{key}/{name}"),
        ("HEAD", f"/fails/{SECRET}/value", "/fails/{key}/{how}"),
        ("GET", f"/{SECRET}", "-"),
    ],
)
def test_a_response_has_its_route_for_the_log(method: str, path: str, route: str) -> None:
    assert answer(method, path).route == route


@pytest.mark.parametrize("path", ["/things/a/b", "/nowhere", "/fails/x/invalid", "/fails/x/value"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PATCH"])
def test_finish_changes_every_response(method: str, path: str) -> None:
    def finish(request: Request, response: Response) -> None:
        response.headers.append(("Access-Control-Allow-Origin", request.headers["origin"]))

    finished = Service("finished", render_error, finish)
    finished.routes = toy.routes
    response = Site([slice_of(finished, "/", scopes=MODULES)])(
        rest_event(method, path, headers={"Origin": "https://a.example"})
    )
    assert response.header("access-control-allow-origin") == "https://a.example"
    assert response.status == answer(method, path).status
