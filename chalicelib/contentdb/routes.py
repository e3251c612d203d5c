"""ContentDB's HTTP API, in the order of its own API page."""

from chalicelib.contentdb import auth, file_routes, release_routes, screenshot_routes, wire
from chalicelib.contentdb.service import service
from chalicelib.core import credentials
from chalicelib.core.caller import Caller
from chalicelib.core.errors import NotFound
from chalicelib.web.request import Request
from chalicelib.web.response import Response

__all__ = ["file_routes", "release_routes", "screenshot_routes", "service"]


@service.route("GET", "/api/whoami", auth=auth.anyone, scope="read")
def whoami(request: Request, caller: Caller | None) -> Response:
    """Who the token belongs to."""
    return wire.render({"is_authenticated": caller is not None, "username": caller and caller.account.username})


@service.route("DELETE", "/api/delete-token", auth=auth.anyone, scope="read")
def delete_token(request: Request, caller: Caller | None) -> Response:
    """Deletes the currently used token."""
    if caller is None:
        raise NotFound("Token not found")
    credentials.revoke(caller.credential, caller)
    return wire.render_success()
