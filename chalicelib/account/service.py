"""The service, and how an operation of its JSON API is declared: once, for the route and for the OpenAPI document."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.account import wire
from chalicelib.account.shapes import Shape
from chalicelib.web.routing import Handler
from chalicelib.web.service import Service

API = "/account/api"
LARGEST_BODY = 64 * 1024

service = Service("account", wire.render_error, wire.finish)


@dataclass(frozen=True)
class Operation:
    """A method of a path: the body or query that it takes, what it gives with which status, who authenticates."""

    method: str
    path: str
    handler: Handler
    auth: Callable[..., Any]
    takes: Shape | None = None
    gives: Shape | None = None
    status: int = 200
    may_give: tuple[int, Shape] | None = None


operations: list[Operation] = []


def api(method: str, path: str, *, scope: str | None = None, **told: Any) -> Callable[[Handler], Handler]:
    """Declare that the decorated handler answers `method` on `path` below the API; `told`: Operation's other fields."""

    def declare(handler: Handler) -> Handler:
        operation = Operation(method, API + path, handler, **told)
        operations.append(operation)
        needed = scope or ("read" if method == "GET" else "write")
        asked = {"auth": operation.auth, "scope": needed, "limit": lambda: LARGEST_BODY}
        return service.route(method, operation.path, **asked)(handler)

    return declare
