"""The tree of all paths: which routes stand where, and on whose ground.

The tree obeys API Gateway's rules, so that it can be declared there as it is: no trailing slashes, one variable name
per level, a fixed name before a variable one, no way back.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from chalicelib.web.route import Route

Owner = TypeVar("Owner")
_PATH = re.compile(r"(/([A-Za-z0-9._:-]+|\{[A-Za-z0-9_]+\}))+")


@dataclass
class Place(Generic[Owner]):
    """One path: its template, its routes by method, and who owns what lies below."""

    path: str
    routes: dict[str, Route] = field(default_factory=dict)
    owner: Owner | None = None
    fixed: dict[str, "Place[Owner]"] = field(default_factory=dict)
    variable: tuple[str, "Place[Owner]"] | None = None

    @property
    def is_page(self) -> bool:
        """Whether only browsers use this path."""
        return all(route.page for route in self.routes.values())

    @property
    def methods(self) -> list[str]:
        """What the path answers: HEAD follows GET, OPTIONS is always there."""
        implied = {"OPTIONS", "HEAD"} if "GET" in self.routes else {"OPTIONS"}
        return sorted(implied.union(self.routes))


class Tree(Generic[Owner]):
    """All paths. Raises ValueError for one that API Gateway would not take, or on another owner's ground."""

    def __init__(self) -> None:
        self._root: Place[Owner] = Place("/")

    def own(self, path: str, owner: Owner) -> None:
        """Let `owner` answer at and below `path`."""
        place = self._grow(path)
        if place.owner is not None:
            raise ValueError(f"{path} has an owner already")
        place.owner = owner

    def add(self, route: Route, owner: Owner) -> None:
        """Put a route in its place, which must lie on the owner's ground."""
        place = self._grow(route.path)
        if self.find(_split(route.path))[0] is not owner:
            raise ValueError(f"{route.path} lies on another owner's ground")
        if route.method in place.routes:
            raise ValueError(f"{route.method} {route.path} is declared twice")
        place.routes[route.method] = route

    def find(self, segments: tuple[str, ...]) -> tuple[Owner | None, Place[Owner] | None, Mapping[str, str]]:
        """Who answers for a path; the place there, None where nothing is; and the path parameters."""
        place, owner, params = self._root, self._root.owner, {}
        for segment in segments:
            if segment in place.fixed:
                place = place.fixed[segment]
            elif place.variable:
                name, place = place.variable
                params[name] = segment
            else:
                return owner, None, {}
            owner = place.owner or owner
        return owner, (place if place.routes else None), params

    def places(self) -> Iterator[Place[Owner]]:
        """Every path that has routes."""
        waiting = [self._root]
        while waiting:
            place = waiting.pop()
            if place.routes:
                yield place
            waiting.extend(place.fixed.values())
            if place.variable:
                waiting.append(place.variable[1])

    def _grow(self, path: str) -> Place[Owner]:
        if path != "/" and not _PATH.fullmatch(path):
            raise ValueError(f"{path} is no path that can be declared")
        place = self._root
        for segment in _split(path):
            below: Place[Owner] = Place(f"{place.path.rstrip('/')}/{segment}")
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
