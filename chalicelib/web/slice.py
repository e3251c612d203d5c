"""The declaration of a service: the fields of core/declaration.py, and its routes, paths and providers for pages.

A further provider (search, events, statistics) is one more optional field.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType

from chalicelib.core import registry
from chalicelib.core.caller import Caller
from chalicelib.core.declaration import Declaration
from chalicelib.core.registry import DeclarationError
from chalicelib.web.request import Request
from chalicelib.web.service import Service


@dataclass(frozen=True)
class Work:
    """Something that a user has published; `path` begins with a slash."""

    name: str
    summary: str
    path: str


@dataclass(frozen=True)
class Shelf:
    """The public works of users in one service: `works_of(username)`, the name in the letter case of the account."""

    title: str
    works_of: Callable[[str], list[Work]]


@dataclass(frozen=True)
class Pending:
    """Something that waits for a moderator; `path` begins with a slash, and `kind` is the service's noun."""

    kind: str
    title: str
    author: str
    since: datetime
    path: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Slice(Declaration):
    """A service.

    `pending` returns what waits for a moderator, oldest first: only what the caller can decide; None is the
    administrator at the command line. `routes` are the modules that declare routes on `service`. It answers at and
    below each of `paths`, unless another slice has a deeper path. Clients send the files of upload slots to
    `upload_path`, unless they send them to S3. `no_events` is the reason why no route of the slice leaves a published
    event; otherwise each route that writes declares its own.
    """

    service: Service
    routes: tuple[ModuleType, ...]
    paths: tuple[str, ...]
    works: Shelf | None = None
    pending: Callable[[Caller | None], list[Pending]] | None = None
    upload_path: str | None = None
    no_events: str = ""

    def __post_init__(self) -> None:
        known = {None, "read", "write", *([f"{self.scopes.kind}:"] if self.scopes else [])}
        for route in self.service.routes:
            if route.scope not in known:
                raise DeclarationError(
                    f"{route.method} {route.path} has the scope {route.scope}, which no key can have."
                )
            if route.writes and not (route.event or self.no_events):
                raise DeclarationError(
                    f"{route.method} {route.path} writes, and declares no event, nor why it has none."
                )

    def names(self) -> Iterator[str]:
        yield from super().names()
        yield from (f"path {path}" for path in self.paths)
        if self.works:
            yield f"shelf {self.works.title}"
        if self.upload_path:
            yield "path of uploads"


def offered() -> Iterator[Slice]:
    """The services that this server offers, in the order of app.py."""
    current = registry.current()
    return (each for each in current.declarations if isinstance(each, Slice) and current.offers(each.name))


def upload_url(request: Request) -> str:
    """Return the absolute URL to which clients send the files of upload slots."""
    path = next(each.upload_path for each in offered() if each.upload_path)
    return request.base_url + path
