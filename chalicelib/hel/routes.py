"""Hel's HTTP API, in the order of its own wiki."""

from collections.abc import Callable
from typing import Any

from chalicelib.core.caller import Caller
from chalicelib.hel import auth, cors, index, packages, search, users, wire
from chalicelib.hel.model import Document
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.routing import View
from chalicelib.web.service import Service

service = Service("hel", wire.render_error, cors.finish)
LARGEST_PACKAGE = 1024 * 1024
LARGEST_FORM = 64 * 1024


def _any_method(path: str, **asked: Any) -> Callable[[View], View]:
    """Declare a view for every method, as Hel has it."""

    def declare(view: View) -> View:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            service.route(method, path, **asked)(view)
        return view

    return declare


@service.route("GET", "/packages", auth=auth.anyone, scope="read")
def get_packages(request: Request, caller: Caller | None) -> Response:
    """Package list, and package search."""
    tests = search.parse(request.query)
    matches = search.find(index.catalogue.view(), tests)
    return wire.render_page(request, matches, search.parse_offset(request.argument("offset")))


@service.route("POST", "/packages", auth=auth.member("create_package"), limit=lambda: LARGEST_PACKAGE)
def create_package(request: Request, caller: Caller) -> Response:
    """Create a package."""
    packages.create(caller, wire.parse_package(request, caller.account.username))
    return wire.render(request, "", 201)


@_any_method("/auth", auth=auth.anyone, scope="read", limit=lambda: LARGEST_FORM)
def authenticate(request: Request, caller: Caller | None) -> Response:
    """Register, log in, log out: `action` says which."""
    data = wire.parse_object(request)
    if caller is None:
        return _enter(request, data)
    if data.get("action") == "log-out":
        users.log_out(caller)
        return wire.render(request, "Logged out successfully.", headers=[wire.session_cookie(request, "")])
    if data.get("action") in ("log-in", "register"):
        return wire.render(request, "You're already logged in.")
    raise wire.bad_request()


@_any_method("/profile", auth=auth.anyone, scope="read")
def profile(request: Request, caller: Caller | None) -> Response:
    """Who is logged in."""
    return wire.render(request, {"nickname": caller.account.username} if caller else {})


def _enter(request: Request, data: Document) -> Response:
    if data.get("action") == "log-in":
        nickname, password, code = wire.parse_fields({"code": "", **data}, "nickname", "password", "code")
        cookie = wire.session_cookie(request, users.log_in(nickname, password, code))
        return wire.render(request, "Logged in successfully.", headers=[cookie])
    if data.get("action") == "register":
        users.register(*wire.parse_fields(data, "nickname", "email", "password"))
        return wire.render(request, "Account created successfully!")
    raise wire.bad_request()
