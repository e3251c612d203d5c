"""All services on one host: finds who answers, and mounts the paths on Chalice."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from chalice import app as chalice

from chalicelib.core import registry
from chalicelib.core.declaration import Declaration
from chalicelib.core.errors import CoreError
from chalicelib.web.bodies import SMALL
from chalicelib.web.conditional import not_modified
from chalicelib.web.protection import protected
from chalicelib.web.request import Event, Request
from chalicelib.web.response import Response
from chalicelib.web.route import Route
from chalicelib.web.routing import PathNode, Tree
from chalicelib.web.service import Service
from chalicelib.web.slice import Slice

ALL_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]

_access_log = logging.getLogger("moonbase.access")


class Site:
    """The services among some declarations, by the paths that they own; the deepest owner on the way answers.

    `before_writing` is called before each request to a route that writes, and raises an error that refuses it.
    """

    def __init__(
        self, declarations: Iterable[Declaration], before_writing: Callable[[], object] = lambda: None
    ) -> None:
        self._before_writing = before_writing
        self.tree: Tree[Service] = Tree()
        slices = [each for each in declarations if isinstance(each, Slice)]
        for each in slices:
            for path in each.paths:
                self.tree.own(path, each.service)
        for each in slices:
            for route in each.service.routes:
                self.tree.add(route, each.service)

    def __call__(self, event: Event) -> Response:
        """Answer an API Gateway REST event; the body is left out for HEAD."""
        return Admission(self.tree, event, self._before_writing, pending=False).answer(b"")

    def admit(self, event: Event) -> "Admission":
        """Check a request by its method, path and headers, before its body is read."""
        return Admission(self.tree, event, self._before_writing, pending=True)

    def is_slow(self, event: Event) -> bool:
        """Whether the route of a request is declared slow."""
        request = Request(event)
        _, node, _ = self.tree.find(request.segments)
        route = _route(request, node)
        return route is not None and route.slow

    def mount(self, app: chalice.Chalice) -> None:
        """Declare the paths that programs use to Chalice, and answer before its own checks.

        Chalice rejects content types (415) and requests without Accept (400), and turns exceptions into a 500 of its
        own. Middleware runs before these checks, so it produces every response; the declared views only create API
        Gateway's resources. A request that matches no resource or method reaches the root's `{proxy+}` and is looked up
        in our tree. Pages are served that way, because API Gateway allows 300 resources.
        """
        app.api.binary_types = ["*/*"]
        app.register_middleware(self._middleware, "http")
        for path in ("/", "/{proxy+}"):
            app.route(path, methods=ALL_METHODS)(_declared)
        for node in self.tree.nodes():
            if not _is_root_file(node.path) and not node.is_page:
                app.route(node.path, methods=node.methods)(_declared)

    def mount_pages(self, app: chalice.Chalice) -> None:
        """Also declare the paths of pages, for `chalice local`: there `{proxy+}` matches one segment only."""
        for node in self.tree.nodes():
            if not _is_root_file(node.path) and node.is_page:
                app.route(node.path, methods=node.methods)(_declared)

    def _middleware(self, request: chalice.Request, get_response: Any) -> chalice.Response:
        began, event = time.monotonic(), request.to_original_event()
        response = self(event)
        _log_access(Request(event), response, time.monotonic() - began)
        return _Answer(response)


class Admission:
    """A request and the node at its path. `refusal` is the response if a pending request needs no body."""

    def __init__(
        self, tree: Tree[Service], event: Event, before_writing: Callable[[], object], *, pending: bool
    ) -> None:
        self._before_writing = before_writing
        self._request = Request(event, pending=pending)
        service, node, params = tree.find(self._request.segments)
        assert service is not None, "every path has an owner: the root has one"
        self._service = service
        self._node = node if registry.current().offers(service.name) else None
        self._request.params = dict(params)
        refused = self._refused_write() or service.admit(self._request, self._node) if pending else None
        self.refusal = self._completed(refused) if refused else None

    @property
    def limit(self) -> int:
        """The largest body to read, in bytes: a small one if the requirements need it, else the route's."""
        route = _route(self._request, self._node)
        if route is None or (self._request.pending and route.credential.authenticate and not self._request.admitted):
            return SMALL
        return route.largest

    def answer(self, body: bytes) -> Response:
        """Answer the request; `body` is that of a pending one."""
        if self._request.pending:
            self._request.receive(body)
        return self._completed(self._refused_write() or self._service.answer(self._request, self._node))

    def refuse(self, error: CoreError) -> Response:
        """The response for an error that the gateway found while it read the body."""
        return self._completed(self._service.refuse(self._request, self._node, error))

    def _refused_write(self) -> Response | None:
        """The response if the route writes and must not now."""
        route = _route(self._request, self._node)
        if route is None or not route.writes:
            return None
        try:
            self._before_writing()
        except Exception as error:
            return self._service.refuse(self._request, self._node, error)
        return None

    def _completed(self, response: Response) -> Response:
        request = self._request
        response = _with_whole_location(request, not_modified(request, protected(response)))
        return _without_body(response) if request.method == "HEAD" else response


def _route(request: Request, node: PathNode[Any] | None) -> Route | None:
    return node.routes.get("GET" if request.method == "HEAD" else request.method) if node else None


def _log_access(request: Request, response: Response, seconds: float) -> None:
    """One line per request. Lambda writes it as JSON: the message and these fields.

    It has the route's template instead of the path, which may contain an API key.
    """
    fields = {
        "request_id": request.id,
        "client": request.client_address,
        "service": response.service,
        "method": request.method,
        "route": response.route,
        "status": response.status,
        "bytes": len(response.body),
        "ms": round(seconds * 1000, 1),
    }
    _access_log.info("%s %s %d", request.method, response.route, response.status, extra=fields)


class _Answer(chalice.Response):
    """Our answer in API Gateway's form: text as it is, other bytes in Base64.

    Chalice would send everything in Base64, as all types are binary here. Whether API Gateway undoes that for a client
    without an Accept header, such as LuaSocket, is not documented; of text there is nothing to undo.
    """

    def __init__(self, response: Response) -> None:
        headers: dict[str, list[str]] = {}
        for name, value in response.headers:
            headers.setdefault(name, []).append(value)
        one_or_more = {name: values if len(values) > 1 else values[0] for name, values in headers.items()}
        super().__init__(response.body, one_or_more, response.status)

    def to_dict(self, binary_types: list[str] | None = None) -> dict[str, Any]:
        text = _as_text(self.body)
        if text is None:
            return super().to_dict(binary_types)
        return {**super().to_dict(), "body": text, "isBase64Encoded": False}


def _as_text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _is_root_file(path: str) -> bool:
    """Whether the root's own resources serve the path: the root has one variable child, which is `{proxy+}`."""
    return path == "/" or (path.startswith("/{") and path.count("/") == 1)


def _with_whole_location(request: Request, response: Response) -> Response:
    """A redirect to a path of this host, with the host as the client wrote it: LuaSocket follows nothing else."""
    location = response.header("Location")
    if location is None or not location.startswith("/"):
        return response
    rest = [(name, value) for name, value in response.headers if name.lower() != "location"]
    return replace(response, headers=[*rest, ("Location", request.base_url + location)])


def _without_body(response: Response) -> Response:
    """What HEAD gets: all of it but the bytes. A handler may keep the answer that it returned, so it stays whole."""
    headers = [*response.headers]
    if response.header("Content-Length") is None and response.status not in (204, 304):
        headers.append(("Content-Length", str(len(response.body))))
    return replace(response, body=b"", headers=headers)


def _declared(**params: str) -> None:
    """What API Gateway's resources point at; the middleware has answered before."""
    raise AssertionError("the site's middleware answers every request")
