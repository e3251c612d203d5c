"""A service: routes with their requirements, and one function that renders all its errors."""

import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, Unpack

from chalicelib.core.caller import Caller
from chalicelib.core.errors import CoreError, InternalError, TooLarge
from chalicelib.web.errors import MethodNotAllowed, NoSuchPath
from chalicelib.web.request import BodyPending, Request
from chalicelib.web.response import Response
from chalicelib.web.route import Handler, Requirements, Route, Scheme, declare
from chalicelib.web.routing import PathNode

_log = logging.getLogger(__name__)


class RenderError(Protocol):
    """The function that renders every error in a service's envelope."""

    def __call__(self, request: Request, error: CoreError) -> Response: ...


class Service:
    """The routes of a service. `finish` can change every response, for example add CORS headers."""

    def __init__(
        self,
        name: str,
        render_error: RenderError,
        finish: Callable[[Request, Response], None] | None = None,
    ) -> None:
        self.name = name
        self.routes: list[Route] = []
        self._render_error = render_error
        self._finish = finish

    def route(
        self, method: str, path: str, credential: Scheme | None = None, **requirements: Unpack[Requirements]
    ) -> Callable[[Handler], Handler]:
        """Declare that the decorated handler answers `method` on `path`; see route.declare for the requirements.

        The handler gets the request and, unless the credential is ANONYMOUS, the caller.
        """

        def add(handler: Handler) -> Handler:
            self.routes.append(declare(method, path, handler, credential, **requirements))
            return handler

        return add

    def answer(self, request: Request, node: PathNode[Any] | None) -> Response:
        """Answer a request for the node at its path, None without one. All errors have this service's format."""
        return self._render(request, node, lambda: self._run(request, node))

    def admit(self, request: Request, node: PathNode[Any] | None) -> Response | None:
        """Check a pending request; return the response if none of its body is needed.

        Afterwards the request is `admitted`, unless a requirement needs the body. That is only so with a small body.
        """
        try:
            route = _checked(request, node)
        except BodyPending:
            return None
        except Exception as error:
            return self.refuse(request, node, error)
        return self.answer(request, node) if route is None else None

    def refuse(self, request: Request, node: PathNode[Any] | None, error: Exception) -> Response:
        """The response for an error before the handler is called."""

        def fail() -> Response:
            raise error

        return self._render(request, node, fail)

    def _render(self, request: Request, node: PathNode[Any] | None, run: Callable[[], Response]) -> Response:
        template = node.path if node else "-"
        try:
            response = run()
        except CoreError as error:
            response = self._render_error(request, error)
        except Exception as error:
            _log.error("%s: %s %s failed\n%s", self.name, request.method, template, _trace(error))
            response = self._render_error(request, InternalError("Something went wrong here."))
        response.route, response.service = template, self.name
        if self._finish:
            self._finish(request, response)
        return response

    def _run(self, request: Request, node: PathNode[Any] | None) -> Response:
        route = _checked(request, node)
        if route is None:
            assert node is not None
            return Response(204, headers=[("Allow", ", ".join(node.methods))])
        if route.credential.authenticate is None:
            return route.handler(request)
        return route.handler(request, request.caller)


def _checked(request: Request, node: PathNode[Any] | None) -> Route | None:
    """The route of a request, all requirements of which it meets; None for OPTIONS. Raises the error of one it fails.

    The credential is used once, also if a later requirement needs the body and the checks are repeated with it.
    """
    if node is None:
        raise NoSuchPath("There is nothing at this path.")
    if request.method == "OPTIONS":
        return None
    route = node.routes.get("GET" if request.method == "HEAD" else request.method)
    if route is None:
        raise MethodNotAllowed("This path does not take this method.", allowed=node.methods)
    request.most_items = route.most_items
    if request.size > route.largest:
        raise TooLarge(f"The request is larger than {route.largest} bytes.")
    if request.admitted or route.credential.authenticate is None:
        return route
    if not request.caller_resolved:
        request.caller_resolved = True
        try:
            caller = route.credential.authenticate(request)
            request.caller = replace(caller, address=request.client_address) if caller else None
        except BodyPending:
            request.caller_resolved = False
            raise
    _check_caller(request, route, request.caller)
    request.admitted = request.pending
    return route


def _trace(error: BaseException | None) -> str:
    """Return the exceptions and their tracebacks, without messages, because these can quote a key from the request."""
    lines: list[str] = []
    while error is not None:
        lines += [f"{type(error).__module__}.{type(error).__qualname__}\n", *traceback.format_tb(error.__traceback__)]
        error = error.__cause__ or error.__context__
    return "".join(lines)


def _check_caller(request: Request, route: Route, caller: Caller | None) -> None:
    if route.permission and route.permission.check:
        route.permission.check(request, caller)
    if caller is None or route.scope is None:
        return
    caller.require(route.scope)
    if route.second_factor and route.second_factor.check:
        route.second_factor.check(request, caller)
