"""A request is checked by its path and headers before its body is read, decoded or parsed."""

from typing import Any

import pytest

from chalicelib.core.caller import Caller
from chalicelib.core.errors import Busy, CoreError, Forbidden, SecondFactorRequired, Unauthenticated
from chalicelib.core.tables import Account, Credential, now
from chalicelib.web.bodies import SMALL
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response
from chalicelib.web.route import ANONYMOUS, ANY, Permission, Scheme, SecondFactor
from chalicelib.web.service import Service
from chalicelib.web.site import Admission, Site
from tests.web.gateway_events import rest_event
from tests.web.toy import slice_of

LARGE = 10 * SMALL
FORM = {"Content_Type": "application/x-www-form-urlencoded"}
happened: list[str] = []


def render_error(request: Request, error: CoreError) -> Response:
    return json_response({"no": error.message}, status_of(error), headers_of(error))


def key(request: Request) -> Caller:
    happened.append("auth")
    if request.params["key"] == "unknown":
        raise Unauthenticated("Invalid key")
    account = Account("account#7", "account", id=7, username="alice", email="a@b", created_at=now())
    scope = "read" if request.params["key"] == "reader" else None
    return Caller(account, Credential("credential#x", "credential", id=3, service="toy", scope=scope))


def by_form(request: Request) -> Caller:
    """Authenticate by a field of the form, as cookies do with their CSRF token."""
    if request.small_form.get("proof") != "right":
        raise Forbidden("The proof is wrong.")
    return key(request)


def code(request: Request, caller: Caller) -> None:
    happened.append("code")
    if (request.headers.get("x-code") or request.small_form.get("code")) != "123456":
        raise SecondFactorRequired("Code required")


def guests(request: Request, caller: Caller | None) -> None:
    if request.params["key"] == "guest":
        raise Forbidden("Not for guests.")


toy = Service("toy", render_error)
KEY = Scheme("key", key)


@toy.route(
    *("POST", "/files/{key}", KEY),
    scope="write",
    permission=Permission("no guests", guests),
    second_factor=SecondFactor("code", code),
    body=LARGE,
)
def send(request: Request, caller: Caller) -> Response:
    happened.append("handler")
    return json_response({"by": caller.account.username, "size": len(request.body)})


@toy.route("POST", "/forms/{key}", Scheme("proof", by_form), scope="write", permission=ANY)
def submit(request: Request, caller: Caller) -> Response:
    happened.append("handler")
    return json_response(request.form.fields)


@toy.route("POST", "/open", ANONYMOUS, body=LARGE)
def take(request: Request) -> Response:
    return json_response(len(request.body))


site = Site([slice_of(toy, "/")])


@pytest.fixture(autouse=True)
def clear() -> None:
    happened.clear()


def admit(path: str, method: str = "POST", **headers: str) -> Admission:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return site.admit(rest_event(method, path, headers=named))


def refusal(path: str, method: str = "POST", **headers: str) -> tuple[int, bytes]:
    refused = admit(path, method, **headers).refusal
    assert refused
    return refused.status, refused.body


def admitted(path: str, **headers: str) -> Admission:
    admission = admit(path, **headers)
    assert admission.refusal is None
    return admission


@pytest.mark.parametrize(
    ("path", "headers", "status", "message", "checks"),
    [
        ("/nothing", {}, 404, "There is nothing at this path.", []),
        ("/files/full", {"Content_Length": str(LARGE + 1)}, 413, f"The request is larger than {LARGE} bytes.", []),
        ("/files/unknown", {}, 401, "Invalid key", ["auth"]),
        ("/files/guest", {}, 403, "Not for guests.", ["auth"]),
        ("/files/reader", {}, 403, "This key may not do that: its scope is read.", ["auth"]),
        ("/files/full", {"X_Code": "0"}, 403, "Code required", ["auth", "code"]),
        ("/files/full", {"Content_Length": str(SMALL + 1)}, 403, "Code required", ["auth", "code"]),
        ("/forms/full", {"Content_Length": str(SMALL + 1)}, 413, f"The request is larger than {SMALL} bytes.", []),
    ],
)
def test_a_request_is_refused_without_its_body(
    path: str, headers: dict[str, str], status: int, message: str, checks: list[str]
) -> None:
    assert refusal(path, **headers) == (status, b'{"no":"%s"}' % message.encode())
    assert happened == checks


@pytest.mark.parametrize(
    ("method", "path", "status"), [("OPTIONS", "/open", 204), ("PUT", "/open", 405), ("HEAD", "/x", 404)]
)
def test_a_response_that_needs_no_body_waits_for_none(method: str, path: str, status: int) -> None:
    assert refusal(path, method)[0] == status


def test_an_admitted_request_is_answered_with_its_body_and_checked_once() -> None:
    admission = admitted("/files/full", X_Code="123456", Content_Length=str(LARGE))
    assert (happened, admission.limit) == (["auth", "code"], LARGE)
    response = admission.answer(b"x" * LARGE)
    assert (response.status, response.body) == (200, b'{"by":"alice","size":%d}' % LARGE)
    assert happened == ["auth", "code", "handler"]


def test_an_anonymous_request_is_admitted() -> None:
    assert admitted("/open").answer(b"12345").body == b"5"


def test_an_admitted_request_can_still_be_refused_in_the_service_s_format() -> None:
    refused = admitted("/open").refuse(Busy("Later.", retry_after=5))
    assert (refused.status, refused.body, refused.header("Retry-After")) == (503, b'{"no":"Later."}', "5")
    assert (refused.route, refused.service) == ("/open", "toy")


def test_a_body_above_the_limit_is_refused_when_its_length_was_not_declared() -> None:
    assert admitted("/open").answer(b"x" * (LARGE + 1)).status == 413


def test_a_second_factor_in_a_small_form_is_checked_when_the_form_is_there() -> None:
    admission = admitted("/files/full", Content_Length="11", **FORM)
    assert admission.answer(b"code=123456").status == 200
    assert happened == ["auth", "code", "code", "handler"]


def test_a_credential_in_a_small_form_is_checked_when_the_form_is_there() -> None:
    for body, status in ((b"proof=right", 200), (b"proof=wrong", 403)):
        assert admitted("/forms/full", Content_Length="11", **FORM).answer(body).status == status
    assert happened == ["auth", "handler"]


def test_a_form_without_a_declared_length_has_no_proof_above_the_small_size() -> None:
    admission = admitted("/files/full", **FORM)
    assert admission.answer(b"code=123456&x=" + b"x" * SMALL).status == 403


@pytest.mark.parametrize("path", ["/files/unknown", "/files/guest", "/files/reader"])
def test_a_refused_event_of_lambda_is_not_decoded(path: str) -> None:
    event: dict[str, Any] = {**rest_event("POST", path), "body": "no base64!", "isBase64Encoded": True}
    assert site(event).status in (401, 403)


def test_the_size_of_an_event_of_lambda_is_computed_without_decoding_it() -> None:
    for size, status in ((LARGE, 200), (LARGE + 1, 413), (LARGE + 2, 413)):
        assert site(rest_event("POST", "/open", body=b"x" * size)).status == status
