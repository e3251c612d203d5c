"""Every byte that a Hel client sees: inputs parsed, packages, pages and errors rendered."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from chalicelib import settings
from chalicelib.core.errors import CoreError, Invalid, NotFound
from chalicelib.core.views import Entry
from chalicelib.hel import auth, model
from chalicelib.hel.model import Document
from chalicelib.hel.users import SESSION_LIFETIME
from chalicelib.web.errors import MethodNotAllowed, headers_of, status_of
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response

VERSION = "3.4.0"
_NO_STATUS = {401: 403, 405: 404}  # Hel knows neither: not logged in is 403, a wrong method 404
_ROOM = 64 * 1024  # for the envelope around a page
_TITLES = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_EXPLANATIONS = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    409: "There was a conflict when trying to complete your request.",
    413: "The request body is larger than this server accepts.",
    429: "There were too many requests; try again later.",
    500: "The server has made a mistake.",
    503: "The server is too busy at the moment; try again later.",
}


def bad_request() -> Invalid:
    """What Hel says of a body that it cannot read."""
    return Invalid("Bad request.")


def parse_object(request: Request) -> Document:
    """The body as a JSON object, whatever its content type says. Raises Invalid."""
    try:
        data = request.json
    except Invalid:
        raise bad_request() from None
    if not isinstance(data, dict):
        raise bad_request()
    return data


def parse_fields(data: Document, *names: str) -> list[str]:
    """The texts in some fields, without blanks around them. Raises Invalid."""
    values = [data.get(name) for name in names]
    if not all(isinstance(value, str) for value in values):
        raise bad_request()
    return [str(value).strip() for value in values]


def parse_package(request: Request, creator: str) -> Document:
    """The package in the body, see model.parse. Raises Invalid."""
    return model.parse(parse_object(request), creator)


def render(request: Request, data: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """A success."""
    return _envelope(status, request.caller is not None, headers, data=data)


def render_page(request: Request, matches: Sequence[Entry], offset: int) -> Response:
    """One page of packages, whole.

    A page ends early rather than outgrow what may be sent at once; a client then goes on at offset + sent.
    """
    size = settings.current().hel_page
    page = matches[offset : offset + size]
    sent = _fitting([entry.keep("json", lambda entry: orjson.dumps(entry.value)) for entry in page])
    data = {
        "offset": offset,
        "total": len(matches),
        "sent": len(sent),
        "truncated": len(matches) > size or len(sent) < len(page),
        "list": [orjson.Fragment(package) for package in sent],
    }
    return render(request, data)


def render_error(request: Request, error: CoreError) -> Response:
    """A refusal: a message of its own, and its status in Hel's words."""
    status = status_of(error)
    status = _NO_STATUS.get(status, status)
    told = {"message": _message(request, error), "explanation": _EXPLANATIONS[status]}
    return _envelope(status, auth.is_logged_in(request), headers_of(error), **told)


def session_cookie(request: Request, secret: str) -> tuple[str, str]:
    """The header that hands out a session; an empty secret takes it back."""
    age = int(SESSION_LIFETIME.total_seconds()) if secret else 0
    secure = "; Secure" if request.secure else ""
    return "Set-Cookie", f"{auth.COOKIE}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"


def _envelope(status: int, logged_in: bool, headers: Iterable[tuple[str, str]], **told: Any) -> Response:
    body = {
        "success": status < 400,
        "title": _TITLES[status],
        **told,
        "code": status,
        "version": VERSION,
        "logged_in": logged_in,
    }
    return json_response(body, status, headers)


def _message(request: Request, error: CoreError) -> str:
    """Hel says nothing of a wrong method, and of an unknown path only the path."""
    if isinstance(error, MethodNotAllowed):
        return ""
    if isinstance(error, NotFound):
        return "/" + "/".join(request.segments)
    return error.message


def _fitting(packages: list[bytes]) -> list[bytes]:
    room = settings.current().max_answer - _ROOM
    for place, package in enumerate(packages):
        room -= len(package) + 1
        if room < 0 and place:
            return packages[:place]
    return packages
