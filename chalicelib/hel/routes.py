"""Hel's HTTP API, in the order of its own wiki; our own routes are below /hel."""

from collections.abc import Callable
from typing import Any

from chalicelib import settings
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Invalid
from chalicelib.hel import (
    administration,
    auth,
    cors,
    file_wire,
    files,
    index,
    inputs,
    packages,
    search,
    sessions,
    users,
    wire,
)
from chalicelib.hel.model import Document
from chalicelib.hel.pages import users as user_pages
from chalicelib.web.bodies import SMALL
from chalicelib.web.html import wants_html
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, ANY, OWN, Handler, Leaves, LeavesNone
from chalicelib.web.service import Service

service = Service("hel", wire.render_error, cors.finish)
_NO_WORK = LeavesNone("accounts and sessions are no published works")


def _any_method(path: str, **requirements: Any) -> Callable[[Handler], Handler]:
    """Declare a handler for every method, as Hel does."""

    def declare(handler: Handler) -> Handler:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            service.route(method, path, **requirements)(handler)
        return handler

    return declare


@service.route("GET", "/packages", auth.ANYONE, permission=ANY)
def get_packages(request: Request, caller: Caller | None) -> Response:
    """List or search packages."""
    parsed = search.parse(request.query)
    matches = search.find(index.catalogue.snapshot(), parsed)
    return wire.render_page(request, matches, parsed.offset, parsed.limit, parsed.page_bytes, parsed.fields)


@service.route(
    "POST",
    "/packages",
    auth.ANYONE,
    scope="package:",
    permission=auth.member("create_package"),
    body=packages.LARGEST,
    event=Leaves("package", "publish"),
)
def create_package(request: Request, caller: Caller) -> Response:
    """Create a package."""
    warnings = packages.create(caller, inputs.parse_package(request, caller.account.username))
    return wire.render_created(request, warnings)


@service.route("GET", "/packages/{owner}", auth.ANYONE, permission=ANY)
def get_package(request: Request, caller: Caller | None) -> Response:
    """Return a package. The path parameter is called `owner` because ContentDB has paths of authors below it."""
    return wire.render_package(request, *packages.get(request.params["owner"]))


@service.route(
    "PATCH",
    "/packages/{owner}",
    auth.ANYONE,
    scope="package:",
    permission=auth.member("update_package", "owner of the package, or admin"),
    second_factor=administration.RECENT_CODE_FOR_OTHERS,
    body=packages.LARGEST,
    event=Leaves("package", "publish", "change", "transfer", "archive", "restore"),
)
def update_package(request: Request, caller: Caller) -> Response:
    """Change a package."""
    warnings = packages.update(caller, request.params["owner"], lambda: inputs.parse_distinct(request))
    return wire.render_no_content(warnings)


@service.route(
    "DELETE",
    "/packages/{owner}",
    auth.ANYONE,
    scope="package:",
    permission=auth.member("delete_package", "owner of the package, or admin"),
    second_factor=administration.RECENT_CODE_FOR_OTHERS,
    event=Leaves("package", "delete"),
)
def delete_package(request: Request, caller: Caller) -> Response:
    """Delete a package."""
    packages.delete(caller, request.params["owner"])
    return wire.render_no_content()


@service.route("GET", "/users", auth.ANYONE, permission=ANY)
def get_users(request: Request, caller: Caller | None) -> Response:
    """List users."""
    matches = users.list_users(request.query.get("groups", []))
    return wire.render_page(request, matches, _offset(request), settings.current().hel_page)


@service.route(
    "POST",
    "/users",
    auth.ANYONE,
    scope="write",
    permission=auth.admin("create_user"),
    second_factor=auth.RECENT_CODE,
    event=_NO_WORK,
)
def create_user(request: Request, caller: Caller) -> Response:
    """Create a user."""
    try:
        users.create(*inputs.parse_new_user(request))
    except Invalid:
        raise inputs.bad_user() from None
    return wire.render(request, "", 201)


@service.route("GET", "/users/{nick}", auth.ANYONE_BUT_BROWSERS, permission=auth.user_or_browser("get_user"))
def get_user(request: Request, caller: Caller | None) -> Response:
    """Return a user; for browsers, the page of the user's works."""
    user = users.get(request.params["nick"])
    return user_pages.render_user(request, user) if wants_html(request) else wire.render_user(request, user)


@service.route(
    "PATCH",
    "/users/{nick}",
    auth.ANYONE,
    scope="write",
    permission=auth.user("update_user"),
    second_factor=auth.RECENT_CODE_FOR_OTHERS,
    event=_NO_WORK,
)
def update_user(request: Request, caller: Caller) -> Response:
    """Change a user."""
    users.update(caller, request.params["nick"], inputs.parse_user(request), request.device)
    return wire.render_no_content()


@service.route(
    "DELETE",
    "/users/{nick}",
    auth.ANYONE,
    scope="write",
    permission=auth.admin("delete_user"),
    second_factor=auth.RECENT_CODE,
    event=_NO_WORK,
)
def delete_user(request: Request, caller: Caller) -> Response:
    """Delete a user."""
    users.delete(caller, request.params["nick"])
    return wire.render_no_content()


@_any_method("/auth", credential=auth.SESSION, scope="read", permission=OWN, writes=True, event=_NO_WORK)
def authenticate(request: Request, caller: Caller | None) -> Response:
    """Register, log in or log out, depending on `action`."""
    data = inputs.parse_object(request)
    if caller is None:
        return _log_in_or_register(request, data)
    if data.get("action") == "log-out":
        sessions.log_out(caller)
        return wire.render(request, "Logged out successfully.", headers=[wire.session_cookie(request, "")])
    if data.get("action") in ("log-in", "register"):
        return wire.render(request, "You're already logged in.")
    raise inputs.bad_request()


@_any_method("/profile", credential=auth.ANYONE, permission=OWN, writes=False)
def profile(request: Request, caller: Caller | None) -> Response:
    """Return the caller's nickname."""
    return wire.render(request, {"nickname": caller.account.username} if caller else {})


@service.route("GET", "/hel/files", auth.ANYONE, permission=auth.member("list_files", "own"))
def list_files(request: Request, caller: Caller) -> Response:
    """List the caller's stored files."""
    return file_wire.render_files(request, files.list_files(caller), _offset(request))


@service.route(
    "POST",
    "/hel/files",
    auth.ANYONE,
    scope="package:",
    permission=auth.member("store_file"),
    body=lambda: files.largest() + SMALL,
    event=Leaves("file", "publish"),
)
def store_file(request: Request, caller: Caller) -> Response:
    """Store a file, whose URL a package can name."""
    name, place, content = inputs.parse_file(request)
    file, is_new = files.store(caller, name, content)
    return wire.render(request, file_wire.render_file(request, file, place), 201 if is_new else 200)


@service.route("GET", "/hel/files/{nick}/{sha256}/{name}", ANONYMOUS)
def get_file(request: Request) -> Response:
    """Return a stored file; HEAD returns its size and counts no download."""
    nick, sha256 = request.params["nick"], request.params["sha256"]
    if request.method == "HEAD":
        return file_wire.render_size(files.get(nick, sha256))
    return file_wire.render_content(files.download(nick, sha256), sha256)


@service.route(
    "DELETE",
    "/hel/files/{nick}/{sha256}/{name}",
    auth.ANYONE,
    scope="write",
    permission=auth.member("delete_file", "owner of the file, or admin"),
    second_factor=administration.RECENT_CODE_FOR_OTHERS,
    event=Leaves("file", "delete"),
)
def delete_file(request: Request, caller: Caller) -> Response:
    """Delete a stored file."""
    files.delete(caller, request.params["nick"], request.params["sha256"])
    return wire.render_no_content()


@service.route("GET", "/hel/index", ANONYMOUS)
def get_index(request: Request) -> Response:
    """Return all packages, for mirrors and tools."""
    return wire.render_index(request, index.catalogue.snapshot(), _offset(request))


@service.route("GET", "/hel/module", ANONYMOUS)
def get_module(request: Request) -> Response:
    """Return the file that configures hpm for this server."""
    return wire.render_module(request)


@service.route("GET", "/hel/statistics/{name}", ANONYMOUS)
def get_statistics(request: Request) -> Response:
    """Return the views and downloads of a package by day."""
    return wire.render(request, packages.by_day(request.params["name"]))


def _offset(request: Request) -> int:
    return search.parse_offset(request.argument("offset") or "")


def _log_in_or_register(request: Request, data: Document) -> Response:
    if data.get("action") == "log-in":
        nickname, password, code = inputs.parse_fields({"code": "", **data}, "nickname", "password", "code")
        secret = sessions.log_in(nickname, password, code, request.device)
        cookie = wire.session_cookie(request, secret)
        return wire.render(request, "Logged in successfully.", headers=[cookie])
    if data.get("action") == "register":
        nickname, email, password = inputs.parse_fields(data, "nickname", "email", "password")
        (invitation,) = inputs.parse_fields({"invitation": "", **data}, "invitation")
        users.register(nickname, email, password, invitation, request.device)
        return wire.render(request, "Account created successfully!")
    raise inputs.bad_request()
