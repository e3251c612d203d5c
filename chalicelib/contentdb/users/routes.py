"""The routes of users, in the order of ContentDB's API page; our additions follow."""

from typing import Any

from chalicelib.contentdb import auth, wire
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index, values
from chalicelib.contentdb.users import profiles
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.snapshots import Value
from chalicelib.core.errors import Invalid
from chalicelib.core.tables import Account
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, LeavesNone, Permission, Scheme

USER = "/api/users/{username}"
LARGEST = 16 * 1024  # bytes of a request
_CONNECTIONS = ("github", "forums")
_OTHERS = tuple(name for name in values.PROFILE if name not in _CONNECTIONS)
_IGNORED = ("username", "rank", "links")  # ignored, so that a response can be sent back


@service.route("GET", USER, ANONYMOUS)
def read(request: Request) -> Response:
    """Read."""
    return wire.render(_render(request, profiles.get_account(request.params["username"])))


def _for_user(request: Request) -> Caller:
    """The caller; the user is looked up first."""
    profiles.get_account(request.params["username"])
    return auth.required(request)


@service.route(
    "PUT",
    USER,
    Scheme("token", _for_user),
    scope="write",
    permission=Permission("the user in the path, or moderator"),
    second_factor=auth.CODE_FOR_OTHERS_NAME,
    body=LARGEST,
    event=LeavesNone("a profile is no published work"),
)
def edit(request: Request, caller: Caller) -> Response:
    """Change a profile."""
    account = profiles.edit(request.params["username"], _parse(request), caller)
    return wire.render_success(user=_render(request, account))


def _parse(request: Request) -> dict[str, Any]:
    """The fields of a profile in a body. Raises Invalid."""
    given = wire.parse_object(request, (*_OTHERS, *_IGNORED, "connections"))
    connections = given.get("connections", {})
    if not isinstance(connections, dict) or not set(connections) <= set(_CONNECTIONS):
        raise Invalid("connections must be an object with github and forums")
    return {**{name: value for name, value in given.items() if name in _OTHERS}, **connections}


def _render(request: Request, account: Account) -> Value:
    name, base = account.username, request.base_url
    profile = index.profile_of(index.catalogue.snapshot(), name)
    return {
        **{field: getattr(profile, field) for field in _OTHERS},
        "username": name,
        "display_name": profile.display_name or name,
        "rank": account.rank.lower(),
        "connections": {field: getattr(profile, field) for field in _CONNECTIONS},
        "links": {"api_packages": f"{base}/api/packages/?author={name}", "profile": f"{base}/users/{name}/"},
    }
