"""The tree of all paths: which service and which routes stand where.

The tree obeys API Gateway's rules, so that it can be declared there as it is: no trailing slashes, one variable name
per level, a fixed name before a variable one, no way back.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.core.credentials import Caller
from chalicelib.web.request import Request
from chalicelib.web.response import Response

if TYPE_CHECKING:
    from chalicelib.web.service import Service

View = Callable[..., Response]
Authenticate = Callable[[Request], Caller | None]
SecondFactor = Callable[[Request, Caller], None]


@dataclass(frozen=True)
class Route:
    """A method and a path such as `/api/1/{key}/upload`, and what is asked of the caller.

    `auth` says who calls, or raises; without it the view gets no caller. `second_factor` raises unless the caller
    has proved one. `scope` is what the credential must allow, see `credentials.allows`. `limit` tells the largest
    body, in bytes.
    """

    method: str
    path: str
    view: View
    auth: Authenticate | None = None
    second_factor: SecondFactor | None = None
    scope: str = "write"
    limit: Callable[[], int] | None = None


@dataclass
class Place:
    """One path: its template, its routes by method, and the service that owns what lies below."""

    path: str
    routes: dict[str, Route] = field(default_factory=dict)
    service: "Service | None" = None
    fixed: dict[str, "Place"] = field(default_factory=dict)
    variable: tuple[str, "Place"] | None = None

    @property
    def methods(self) -> list[str]:
        """What the path answers: HEAD follows GET, OPTIONS is always there."""
        implied = {"OPTIONS", "HEAD"} if "GET" in self.routes else {"OPTIONS"}
        return sorted(implied.union(self.routes))


class Tree:
    """All paths. Raises ValueError for a path that API Gateway would not take, or that two services want."""

    def __init__(self) -> None:
        self._root = Place("/")

    def own(self, path: str, service: "Service") -> None:
        """Let `service` say what is wrong at and below `path`."""
        self._grow(path).service = service

    def add(self, route: Route, service: "Service") -> None:
        """Put a route in its place, which must lie on the service's own ground."""
        place = self._grow(route.path)
        if self.owner(_split(route.path)) is not service:
            raise ValueError(f"{route.path} is not {service.name}'s")
        if route.method in place.routes:
            raise ValueError(f"{route.method} {route.path} is declared twice")
        place.routes[route.method] = route

    def find(self, segments: tuple[str, ...]) -> tuple[Place | None, Mapping[str, str]]:
        """The place at a path, with its decoded parameters; None where nothing is."""
        place, params = self._root, {}
        for segment in segments:
            if segment in place.fixed:
                place = place.fixed[segment]
            elif place.variable:
                name, place = place.variable
                params[name] = segment
            else:
                return None, {}
        return (place if place.routes else None), params

    def owner(self, segments: tuple[str, ...]) -> "Service | None":
        """The service that answers for a path, whether something is there or not."""
        place, service = self._root, self._root.service
        for segment in segments:
            if segment in place.fixed:
                place = place.fixed[segment]
            elif place.variable:
                place = place.variable[1]
            else:
                break
            service = place.service or service
        return service

    def places(self) -> Iterator[Place]:
        """Every path that has routes."""
        waiting = [self._root]
        while waiting:
            place = waiting.pop()
            if place.routes:
                yield place
            waiting.extend(place.fixed.values())
            if place.variable:
                waiting.append(place.variable[1])

    def _grow(self, path: str) -> Place:
        if path != "/" and (not path.startswith("/") or path.endswith("/") or "//" in path):
            raise ValueError(f"{path} is no path that can be declared")
        place = self._root
        for segment in _split(path):
            below = Place(f"{place.path.rstrip('/')}/{segment}")
            if not segment.startswith("{"):
                place = place.fixed.setdefault(segment, below)
                continue
            name, variable = place.variable or (segment[1:-1], below)
            if name != segment[1:-1]:
                raise ValueError(f"{path}: its sibling is called {{{name}}} at this level")
            place.variable = (name, variable)
            place = variable
        return place


def _split(path: str) -> tuple[str, ...]:
    return tuple(segment for segment in path.split("/") if segment)
