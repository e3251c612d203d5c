"""LuaRocks.org's HTTP API, in the order of its own API page.

Upstream routes any method to a path, and clients rely on it: lux asks for the version with POST.
"""

from collections.abc import Callable
from typing import Unpack

from chalicelib import settings
from chalicelib.core import uploads
from chalicelib.core.caller import Caller
from chalicelib.core.identity import upload_factor
from chalicelib.luarocks import auth, index, rocks, wire
from chalicelib.luarocks.sandbox import SOURCE_LIMIT
from chalicelib.luarocks.service import service
from chalicelib.web.bodies import SMALL
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response
from chalicelib.web.route import ANONYMOUS, NO_SECOND_FACTOR, OWN, Handler, Leaves, LeavesNone, Requirements, Scheme
from chalicelib.web.slice import upload_url

_NO_WORK = LeavesNone("it changes a key or a slot, not a module")
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_METHODS_WITH_A_FILE = ("PATCH", "POST", "PUT")  # the others have no body by the rules of HTTP


def _any(
    path: str, credential: Scheme, methods: tuple[str, ...] = _METHODS, **requirements: Unpack[Requirements]
) -> Callable[[Handler], Handler]:
    """Declare a handler for all these methods."""

    def declare(handler: Handler) -> Handler:
        for method in methods:
            service.route(method, path, credential, **requirements)(handler)
        return handler

    return declare


def _largest_upload() -> int:
    return settings.current().luarocks_max_upload


def _largest_rockspec() -> int:
    """The largest body with a rockspec and its signature, in bytes."""
    return min(_largest_upload(), SOURCE_LIMIT + SMALL)


@_any("/api/tool_version", ANONYMOUS, writes=False)
def tool_version(request: Request) -> Response:
    """Get Tool Version."""
    return json_response({"version": settings.current().luarocks_tool_version})


@_any("/api/1/{key}/status", auth.KEY, permission=OWN, writes=False)
def status(request: Request, caller: Caller) -> Response:
    """Get API Key Status."""
    created_at = wire.render_date(caller.credential.created_at)
    return json_response({"user_id": int(caller.account.id), "created_at": created_at})


@_any("/api/1/{key}/check_rockspec", auth.KEY, permission=OWN, writes=False)
def check_rockspec(request: Request, caller: Caller) -> Response:
    """Check Rockspec."""
    package, version = wire.parse_names(request)
    return wire.render_found(request, *rocks.find(index.catalogue.snapshot(), int(caller.account.id), package, version))


@_any(
    "/api/1/{key}/verify_tfa",
    auth.KEY,
    writes=True,
    scope="module:",
    permission=OWN,
    second_factor=auth.CODE,
    event=_NO_WORK,
)
def verify_tfa(request: Request, caller: Caller) -> Response:
    """Verify TFA."""
    auth.use_code(caller, wire.parse_code(request))
    token, expires = upload_factor.issue_token(caller)
    return json_response({"success": True, "tfa_token": token, "expires": expires})


@service.route(
    "POST",
    "/api/1/{key}/upload_window",
    auth.KEY,
    scope="module:",
    permission=OWN,
    second_factor=auth.CODE,
    event=_NO_WORK,
)
def open_upload_window(request: Request, caller: Caller) -> Response:
    """Not on the API page: let clients without two-factor support upload with this key for 15 minutes."""
    auth.use_code(caller, wire.parse_code(request))
    return json_response({"success": True, "expires": upload_factor.open_window(caller)})


@service.route(
    "DELETE",
    "/api/1/{key}/upload_window",
    auth.KEY,
    scope="module:",
    permission=OWN,
    second_factor=NO_SECOND_FACTOR,
    event=_NO_WORK,
)
def close_upload_window(request: Request, caller: Caller) -> Response:
    """Not on the API page: require a code again."""
    upload_factor.close_window(caller)
    return json_response({"success": True})


@_any(
    "/api/1/{key}/upload",
    auth.KEY,
    _METHODS_WITH_A_FILE,
    scope="module:",
    permission=auth.MODULE_OWNER,
    body=_largest_rockspec,
    event=Leaves("version", "publish", "change"),
)
def upload(request: Request, caller: Caller) -> Response:
    """Upload Rockspec."""
    source = wire.parse_file(request, "rockspec_file").content
    published = rocks.publish_rockspec(caller, source, wire.parse_signature(request, "rockspec_sig"))
    return json_response(
        {
            "module": wire.render_module(published.module),
            "version": wire.render_version(published.module, published.version_name),
            "module_url": wire.module_url(request, published.module),
            "manifests": [wire.ROOT_MANIFEST] if published.module.in_root else [],
            "is_new": published.is_new,
        }
    )


@service.route("POST", "/api/1/{key}/upload_slot", auth.KEY, scope="module:", permission=OWN, event=_NO_WORK)
def open_upload_slot(request: Request, caller: Caller) -> Response:
    """Not on the API page: open an upload slot for a rock that is too large for a request."""
    return json_response(uploads.open_slot(caller, wire.PURPOSE, _largest_upload(), upload_url(request)).as_json())


@_any(
    "/api/1/{key}/upload_rock/{version_id}",
    auth.KEY,
    _METHODS_WITH_A_FILE,
    scope="module:",
    permission=auth.MODULE_OWNER,
    body=_largest_upload,
    event=Leaves("rock", "publish", "change"),
)
def upload_rock(request: Request, caller: Caller) -> Response:
    """Upload Rock."""
    target = rocks.find_target(caller, wire.parse_version_id(request))
    file, slot = wire.parse_rock(request, caller)
    signature = wire.parse_signature(request, "rock_sig")
    module = rocks.publish_rock(caller, target, file.filename, file.content, signature, slot)
    rock = wire.render_rock(module, target.version_name, rocks.arch_of(file.filename))
    return json_response({"rock": rock, "module_url": wire.module_url(request, module)})
