"""A route declares its requirements; a route without one of them is rejected at its declaration."""

from pathlib import Path
from typing import Any

import pytest

from chalicelib import settings
from chalicelib.core.caller import Caller
from chalicelib.core.errors import CoreError, Forbidden
from chalicelib.core.registry import DeclarationError
from chalicelib.core.tables import Account, Credential, now
from chalicelib.web.errors import status_of
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response
from chalicelib.web.route import (
    ANONYMOUS,
    ANY,
    NO_SECOND_FACTOR,
    OWN,
    SMALL,
    Permission,
    Route,
    Scheme,
    SecondFactor,
    declare,
)
from chalicelib.web.service import Service
from chalicelib.web.site import Site
from chalicelib.web.slice import Slice
from tests.web.gateway_events import rest_event
from tests.web.route_table import table
from tests.web.toy import slice_of

RECORDED = Path(__file__).parent / "routes.txt"
HOW_TO_RECORD = "A route has changed: review it, then run `python -m tests.web.route_table > tests/web/routes.txt`"
CODE = SecondFactor("code")


def alice(request: Request) -> Caller:
    account = Account("account#7", "account", id=7, username="alice", email="a@b", created_at=now())
    return Caller(account, Credential("credential#x", "credential", id=3, service="toy"))


KEY, STRICT = Scheme("key", alice), Scheme("key", alice, CODE)


def handler(request: Request, caller: Caller | None = None) -> Response:
    return Response(204)


def declared(method: str, credential: Scheme | None, **requirements: Any) -> Route:
    return declare(method, "/things/{name}", handler, credential, **requirements)


@pytest.mark.parametrize(
    ("method", "credential", "requirements", "refusal"),
    [
        ("GET", None, {}, "GET /things/{name} declares no credential; ANONYMOUS is for routes without one."),
        ("POST", None, {"scope": "write"}, "POST /things/{name} declares no credential; "),
        ("GET", KEY, {}, "GET /things/{name} declares no permission."),
        ("POST", KEY, {"scope": "write"}, "POST /things/{name} declares no permission."),
        ("DELETE", KEY, {"permission": OWN}, "DELETE /things/{name} writes, and declares no scope."),
        ("GET", KEY, {"permission": OWN, "writes": True}, "GET /things/{name} writes, and declares no scope."),
        ("GET", ANONYMOUS, {"body": 2 * SMALL}, "GET /things/{name} has no body, and declares the size of one."),
        ("POST", ANONYMOUS, {"permission": OWN}, "POST /things/{name} is anonymous: "),
        ("POST", ANONYMOUS, {"scope": "write"}, "POST /things/{name} is anonymous: "),
        ("POST", ANONYMOUS, {"second_factor": CODE}, "POST /things/{name} is anonymous: "),
    ],
)
def test_a_route_without_its_requirements_is_rejected(
    method: str, credential: Scheme | None, requirements: dict[str, Any], refusal: str
) -> None:
    with pytest.raises(DeclarationError) as refused:
        declared(method, credential, **requirements)
    assert str(refused.value).startswith(refusal)


def test_a_service_rejects_such_a_route_immediately() -> None:
    service = Service("toy", render_error)
    with pytest.raises(DeclarationError, match="PUT /x declares no credential"):
        service.route("PUT", "/x")(handler)
    assert service.routes == []


def test_a_route_that_reads_needs_the_scope_read() -> None:
    route = declared("GET", STRICT, permission=OWN)
    assert (route.scope, route.writes, route.second_factor) == ("read", False, None)


def test_a_route_that_writes_requires_the_second_factor_of_its_scheme() -> None:
    route = declared("POST", STRICT, permission=OWN, scope="write")
    assert (route.scope, route.writes, route.second_factor) == ("write", True, CODE)


def test_a_route_can_declare_another_second_factor_or_none() -> None:
    other = declared("POST", STRICT, permission=OWN, scope="write", second_factor=NO_SECOND_FACTOR)
    assert other.second_factor == NO_SECOND_FACTOR


def test_a_route_with_another_method_can_be_read_only() -> None:
    assert declared("POST", KEY, permission=OWN, writes=False).scope == "read"
    assert not declared("POST", ANONYMOUS, writes=False).writes


def test_the_default_body_size_is_small_and_the_setting_is_the_maximum() -> None:
    sizes = [declared("POST", ANONYMOUS, body=size).largest for size in (SMALL, 2 * SMALL, lambda: 3 * SMALL, 2**40)]
    assert sizes == [SMALL, 2 * SMALL, 3 * SMALL, settings.current().max_body]
    with settings.override(max_body=10):
        assert declared("GET", ANONYMOUS).largest == 10


def render_error(request: Request, error: CoreError) -> Response:
    return json_response({"no": error.message}, status_of(error))


def refuse(request: Request, caller: Caller | None) -> None:
    raise Forbidden(f"{caller.account.username if caller else 'an anonymous caller'} may not {request.params['name']}")


def test_a_permission_is_checked_before_the_handler() -> None:
    service = Service("toy", render_error)
    service.route("GET", "/things/{name}", KEY, permission=Permission("never", refuse))(handler)
    service.route("GET", "/any/{name}", KEY, permission=ANY)(handler)
    site = Site([slice_of(service, "/")])
    assert site(rest_event("GET", "/things/look")).body == b'{"no":"alice may not look"}'
    assert site(rest_event("GET", "/any/look")).status == 204


def test_a_scope_that_no_key_of_the_service_can_have_is_rejected() -> None:
    service = Service("toy", render_error)
    service.route("POST", "/things", KEY, permission=OWN, scope="modul:")(handler)
    with pytest.raises(DeclarationError, match="POST /things has the scope modul:, which no key can have"):
        Slice(name="toy", service=service, routes=(), paths=("/",))


def test_the_table_of_all_routes_is_recorded() -> None:
    assert table() == RECORDED.read_text(), HOW_TO_RECORD
