"""The account service. An operation of its JSON API is declared once, for its route and for the OpenAPI document."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.account import wire
from chalicelib.account.auth import SESSION
from chalicelib.account.fields import Shape
from chalicelib.web.route import Handler, Permission, Requirements, Scheme, SecondFactor
from chalicelib.web.service import Service

API = "/account/api"

service = Service("account", wire.render_error, wire.finish)


@dataclass(frozen=True)
class Operation:
    """A method of a path: its body or query, its response and status, and its credential."""

    method: str
    path: str
    handler: Handler
    credential: Scheme
    accepts: Shape | None = None
    returns: Shape | None = None
    status: int = 200
    may_return: tuple[int, Shape] | None = None


operations: list[Operation] = []


def api(
    method: str,
    path: str,
    permission: Permission | None = None,
    *,
    credential: Scheme = SESSION,
    scope: str | None = None,
    second_factor: SecondFactor | None = None,
    **described: Any,
) -> Callable[[Handler], Handler]:
    """Declare the decorated handler for `method` on `path` below the API; `described`: fields of Operation."""
    requirements: Requirements = {}
    if permission:
        requirements["permission"] = permission
    if second_factor:
        requirements["second_factor"] = second_factor
    if not credential.anonymous and method != "GET":
        requirements["scope"] = scope or "write"

    def declare(handler: Handler) -> Handler:
        operations.append(Operation(method, API + path, handler, credential, **described))
        return service.route(method, API + path, credential, **requirements)(handler)

    return declare
