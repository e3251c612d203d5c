"""LuaRocks.org's HTTP API and rock server, in the order of its own API page."""

import re

from chalicelib import settings
from chalicelib.core import accounts, two_factor
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.two_factor import NotEnabled
from chalicelib.luarocks import auth, index, rocks, wire
from chalicelib.luarocks.versions import TARGETS
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response
from chalicelib.web.service import Service

service = Service("luarocks", wire.render_error)
_LUA = "|".join(re.escape(target) for target in TARGETS)
_MANIFEST = re.compile(rf"(?P<member>manifest(-({_LUA}))?)(\.(?P<form>json|zip))?")


def _largest_upload() -> int:
    return settings.current().luarocks_max_upload


@service.route("GET", "/api/tool_version")
def tool_version(request: Request) -> Response:
    """Get Tool Version."""
    return json_response({"version": settings.current().luarocks_tool_version})


@service.route("GET", "/api/1/{key}/status", auth=auth.key, scope="read")
def status(request: Request, caller: Caller) -> Response:
    """Get API Key Status."""
    created_at = wire.render_date(caller.credential.created_at)
    return json_response({"user_id": int(caller.account.id), "created_at": created_at})


@service.route("GET", "/api/1/{key}/check_rockspec", auth=auth.key, scope="read")
def check_rockspec(request: Request, caller: Caller) -> Response:
    """Check Rockspec."""
    package, version = wire.parse_names(request)
    return wire.render_found(request, *rocks.find(int(caller.account.id), package, version))


@service.route("POST", "/api/1/{key}/verify_tfa", auth=auth.key, scope="module:")
def verify_tfa(request: Request, caller: Caller) -> Response:
    """Verify TFA."""
    try:
        two_factor.verify(caller.account, wire.parse_code(request))
    except NotEnabled as error:
        raise Invalid(error.message) from None
    token, expires = two_factor.issue_token(caller)
    return json_response({"success": True, "tfa_token": token, "expires": expires})


@service.route(
    "POST",
    "/api/1/{key}/upload",
    auth=auth.key,
    second_factor=auth.upload_token,
    scope="module:",
    limit=_largest_upload,
)
def upload(request: Request, caller: Caller) -> Response:
    """Upload Rockspec."""
    published = rocks.publish_rockspec(caller, wire.parse_file(request, "rockspec_file").content)
    module = published.module
    return json_response(
        {
            "module": wire.render_module(module),
            "version": wire.render_version(published.version),
            "module_url": wire.module_url(request, module.user, module.name),
            "manifests": [wire.ROOT_MANIFEST] if module.in_root else [],
            "is_new": published.is_new,
        }
    )


@service.route(
    "POST",
    "/api/1/{key}/upload_rock/{version_id}",
    auth=auth.key,
    second_factor=auth.upload_token,
    scope="module:",
    limit=_largest_upload,
)
def upload_rock(request: Request, caller: Caller) -> Response:
    """Upload Rock."""
    version_id = wire.parse_version_id(request)
    file = wire.parse_file(request, "rock_file")
    rock, version = rocks.publish_rock(caller, version_id, file.filename, file.content)
    module_url = wire.module_url(request, version.user, version.name)
    return json_response({"rock": wire.render_rock(rock), "module_url": module_url})


@service.route("GET", "/{file}")
def root_file(request: Request) -> Response:
    """The root manifest's files."""
    return _serve(request, index.ROOT)


@service.route("GET", "/manifests/{user}/{file}")
def user_file(request: Request) -> Response:
    """A user's own manifest and its files."""
    return _serve(request, request.params["user"].lower())


def _serve(request: Request, root: str) -> Response:
    view = index.catalogue.view()
    filename = request.params["file"]
    asked = _MANIFEST.fullmatch(filename)
    if asked is None:
        return wire.render_file(request, index.find_file(view, root, filename))
    if root != index.ROOT and not index.has_modules(view, root) and not accounts.find(root):
        raise NotFound("There is no such user.")
    return wire.render_manifest(view, root, asked["member"], asked["form"] or "lua")
