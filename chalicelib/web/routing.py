"""The tree of all paths, with the routes and the owner of each.

The tree follows API Gateway's rules, so that its paths can be declared there unchanged: no trailing slashes, one
variable name per level, precedence of a fixed name over a variable one, and no backtracking.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from chalicelib.web.route import Route

Owner = TypeVar("Owner")
_PATH = re.compile(r"(/([A-Za-z0-9._:-]+|\{[A-Za-z0-9_]+\}))+")


@dataclass
class PathNode(Generic[Owner]):
    """One path: its template, its routes by method, and the owner of the paths at and below it, if it has its own."""

    path: str
    routes: dict[str, Route] = field(default_factory=dict)
    owner: Owner | None = None
    fixed: dict[str, "PathNode[Owner]"] = field(default_factory=dict)
    variable: tuple[str, "PathNode[Owner]"] | None = None

    @property
    def is_page(self) -> bool:
        """Whether only browsers use this path."""
        return all(route.page for route in self.routes.values())

    @property
    def methods(self) -> list[str]:
        """The supported methods, sorted: those of the routes, HEAD with GET, and always OPTIONS."""
        implied = {"OPTIONS", "HEAD"} if "GET" in self.routes else {"OPTIONS"}
        return sorted(implied.union(self.routes))


class Tree(Generic[Owner]):
    """All paths. Raises ValueError for a path that API Gateway does not support or that belongs to another owner."""

    def __init__(self) -> None:
        self._root: PathNode[Owner] = PathNode("/")

    def own(self, path: str, owner: Owner) -> None:
        """Assign `path` and all paths below it to `owner`, except those with a deeper owner."""
        node = self._grow(path)
        if node.owner is not None:
            raise ValueError(f"{path} has an owner already")
        node.owner = owner

    def add(self, route: Route, owner: Owner) -> None:
        """Add a route, whose path must belong to `owner`."""
        node = self._grow(route.path)
        if self.find(_split(route.path))[0] is not owner:
            raise ValueError(f"{route.path} belongs to another owner")
        if route.method in node.routes:
            raise ValueError(f"{route.method} {route.path} is declared twice")
        node.routes[route.method] = route

    def find(self, segments: tuple[str, ...]) -> tuple[Owner | None, PathNode[Owner] | None, Mapping[str, str]]:
        """Return the owner of a path, its node (None if it has no routes), and the path parameters."""
        node, owner, params = self._root, self._root.owner, {}
        for segment in segments:
            if segment in node.fixed:
                node = node.fixed[segment]
            elif node.variable:
                name, node = node.variable
                params[name] = segment
            else:
                return owner, None, {}
            owner = node.owner or owner
        return owner, (node if node.routes else None), params

    def nodes(self) -> Iterator[PathNode[Owner]]:
        """Yield every node with routes."""
        pending = [self._root]
        while pending:
            node = pending.pop()
            if node.routes:
                yield node
            pending.extend(node.fixed.values())
            if node.variable:
                pending.append(node.variable[1])

    def _grow(self, path: str) -> PathNode[Owner]:
        if path != "/" and not _PATH.fullmatch(path):
            raise ValueError(f"{path} is not a path that can be declared")
        node = self._root
        for segment in _split(path):
            below: PathNode[Owner] = PathNode(f"{node.path.rstrip('/')}/{segment}")
            if not segment.startswith("{"):
                node = node.fixed.setdefault(segment, below)
                continue
            name, variable = node.variable or (segment[1:-1], below)
            if name != segment[1:-1]:
                raise ValueError(f"{path}: its sibling is called {{{name}}} at this level")
            node.variable = (name, variable)
            node = variable
        return node


def _split(path: str) -> tuple[str, ...]:
    return tuple(segment for segment in path.split("/") if segment)
