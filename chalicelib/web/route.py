"""Routes and their requirements. The service checks most requirements before it calls the handler.

Importing a module fails if one of its routes leaves out a requirement. Defaults are the stricter choice, or follow from
the method: see `declare`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from chalicelib import settings
from chalicelib.core.caller import Caller
from chalicelib.core.registry import DeclarationError
from chalicelib.web.bodies import SMALL
from chalicelib.web.request import Request
from chalicelib.web.response import Response

Handler = Callable[..., Response]
Authenticate = Callable[[Request], Caller | None]
Size = int | Callable[[], int]


@dataclass(frozen=True)
class SecondFactor:
    """A proof in addition to the credential. `check(request, caller)` raises without it.

    Without a check the handler verifies the proof, which is in the body.
    """

    name: str
    check: Callable[[Request, Caller], None] | None = None


@dataclass(frozen=True)
class Permission:
    """The relation of the caller to the object of the route. `check(request, caller)` raises Forbidden.

    Without a check the rules decide, on the items that the operation reads anyway; the name says their requirement.
    """

    name: str
    check: Callable[[Request, Caller | None], None] | None = None


@dataclass(frozen=True)
class Scheme:
    """A way for callers to prove who they are.

    `authenticate(request)` returns the caller, or None for one who need not be known, or raises. Routes that write
    require `second_factor` unless they declare another one. An anonymous scheme never has a caller.
    """

    name: str
    authenticate: Authenticate | None
    second_factor: SecondFactor | None = None
    anonymous: bool = False


ANONYMOUS = Scheme("anonymous", None, anonymous=True)
NO_SECOND_FACTOR = SecondFactor("none")
OWN = Permission("own")  # the route concerns only the caller, and objects that belong to the caller
ANY = Permission("any")  # every caller with the credential and the scope


class Bulk(NamedTuple):
    """What a route that changes many objects takes: the most objects in its body, and their seconds of CPU at most.

    Every other route takes at most two seconds.
    """

    items: Size
    seconds: float


@dataclass(frozen=True)
class Leaves:
    """The published event of a route: its kind, and the actions that it can have; see core/published.py."""

    kind: str
    actions: tuple[str, ...]

    def __init__(self, kind: str, *actions: str) -> None:
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "actions", actions)

    def __str__(self) -> str:
        return f"{self.kind}: {', '.join(self.actions)}"


@dataclass(frozen=True)
class LeavesNone:
    """The reason why a route leaves no published event although it writes."""

    reason: str

    def __str__(self) -> str:
        return f"none: {self.reason}"


@dataclass(frozen=True)
class Route:
    """A method and a path such as `/api/1/{key}/upload`, and its requirements.

    `scope` is what the credential must cover, see `caller.allows`; None for an anonymous route. `writes` says that the
    route changes something for the caller; counters and dates of last use do not count. A `page` is for browsers alone.
    A `slow` route can take more than a tenth of a second: the one-machine server gives those few threads of their own.
    `bulk` bounds a route that changes many objects at once. A route that writes names the published
    `event` that it leaves, or why it leaves none, unless its whole slice leaves none.
    """

    method: str
    path: str
    handler: Handler
    credential: Scheme
    permission: Permission | None
    scope: str | None
    second_factor: SecondFactor | None
    body: Size
    writes: bool
    page: bool
    slow: bool
    bulk: Bulk | None
    event: Leaves | LeavesNone | None

    @property
    def largest(self) -> int:
        """The largest body, in bytes."""
        return min(_current(self.body), settings.current().max_body)

    @property
    def most_items(self) -> int | None:
        """The largest number of objects in the body of a route that changes many; None for other routes."""
        return None if self.bulk is None else _current(self.bulk.items)


class Requirements(TypedDict, total=False):
    """The requirements besides the credential, see Route."""

    permission: Permission
    scope: str
    second_factor: SecondFactor
    body: Size
    writes: bool
    page: bool
    slow: bool
    bulk: Bulk
    event: Leaves | LeavesNone


def _current(size: Size) -> int:
    return size() if callable(size) else size


def declare(
    method: str,
    path: str,
    handler: Handler,
    credential: Scheme | None = None,
    *,
    permission: Permission | None = None,
    scope: str | None = None,
    second_factor: SecondFactor | None = None,
    body: Size = SMALL,
    writes: bool | None = None,
    page: bool = False,
    slow: bool = False,
    bulk: Bulk | None = None,
    event: Leaves | LeavesNone | None = None,
) -> Route:
    """A route, with defaults for the requirements left out. Raises DeclarationError with the method and the path.

    Every method but GET writes. A route that only reads needs the scope `read`; one that writes names its scope, and
    requires the second factor of its scheme.
    """
    name = f"{method} {path}"
    if credential is None:
        raise DeclarationError(f"{name} declares no credential; ANONYMOUS is for routes without one.")
    if method == "GET" and body != SMALL:
        raise DeclarationError(f"{name} has no body, and declares the size of one.")
    writes = method != "GET" if writes is None else writes
    if credential.anonymous:
        if permission or scope or second_factor:
            raise DeclarationError(f"{name} is anonymous: it has no permission, scope or second factor.")
        return Route(method, path, handler, credential, None, None, None, body, writes, page, slow, bulk, event)
    if permission is None:
        raise DeclarationError(f"{name} declares no permission.")
    if scope is None and writes:
        raise DeclarationError(f"{name} writes, and declares no scope.")
    required = second_factor or (credential.second_factor if writes else None)
    scope = scope or "read"
    return Route(method, path, handler, credential, permission, scope, required, body, writes, page, slow, bulk, event)
