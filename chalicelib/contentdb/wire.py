"""JSON, errors and headers of all ContentDB responses; parsers of bodies.

JSON has sorted keys, no blanks, only ASCII, and ends with a newline. Errors have two shapes: those of the API's own
rules, `{"error": TEXT, "success": false}`, and those of upstream's framework, `{"code", "description", "name",
"success"}`: raise a CoreError with `framework=True` for the latter.
"""

from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib import settings
from chalicelib.contentdb.store.errors import Moved, malformed, no_such_page
from chalicelib.contentdb.store.versions import is_game
from chalicelib.contentdb.texts import plain
from chalicelib.core import blobs
from chalicelib.core.errors import CoreError, InternalError, Invalid, NotFound, TooLarge
from chalicelib.web.conditional import etag_of
from chalicelib.web.encoding import CachedBody, PackedBody, accepts_gzip, encode, encoded
from chalicelib.web.errors import MethodNotAllowed, NoSuchPath, headers_of, status_of
from chalicelib.web.html import error_page, wants_html
from chalicelib.web.request import Request
from chalicelib.web.response import Response, canonical_json, redirect

LONGEST_REASON = 2000  # characters
ANSWERS = "contentdb/answers"  # no item refers to these blobs, so they may be removed after a day
VARY_LANGUAGE = ("Vary", "Accept-Language")
CORS = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type, Authorization"),
]

_SLOTS = (
    " Larger files: ask for an upload slot with POST /api/uploads/new/, send the file there, "
    "and name the slot as upload in place of file."
)


def render(data: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """A response as JSON."""
    return Response(status, canonical_json(data) + b"\n", [("Content-Type", "application/json"), *headers])


def render_cached(
    request: Request, body: CachedBody | PackedBody, seconds: int | None, *headers: tuple[str, str]
) -> Response:
    """A cached response that clients may cache for `seconds` (None: no Cache-Control).

    A body that is too large for a response is sent compressed if the client accepts that, or as a redirect to a copy.
    """
    largest = settings.current().max_answer
    if body.size > largest and (not accepts_gzip(request) or len(body.gzipped) > largest):
        copy = blobs.put(body.text(), ANSWERS)
        link = blobs.link(copy.key, method=request.method, filename="answer.json", content_type="application/json")
        if link:
            return redirect(link)
    cached = [cache_for(seconds)] if seconds is not None else []
    content, more = encoded(request, body)
    return Response(200, content, [("Content-Type", "application/json"), *cached, *headers, *more])


def render_large(request: Request, data: Any) -> Response:
    """A response of any size, rendered for this request; see `render_cached`."""
    return render_cached(request, CachedBody(canonical_json(data) + b"\n"), None)


def cache_for(seconds: int) -> tuple[str, str]:
    """The header with the seconds for which clients may cache a response."""
    return "Cache-Control", f"max-age={seconds}"


def render_success(**fields: Any) -> Response:
    """The response to a successful write."""
    return render({"success": True, **fields})


def render_error(request: Request, error: CoreError) -> Response:
    """An error in one of the two shapes, or as a page for browsers; or a redirect to a package's current name."""
    if isinstance(error, Moved):
        return _render_moved(request, error.detail["to"])
    if request.segments[0] == "packages" and wants_html(request):
        return error_page(request, error)
    status = status_of(error)
    if _is_for_dialog(request):
        return Response(status, f"{error.message}\n".encode(), [("Content-Type", "text/plain"), *headers_of(error)])
    if isinstance(error, TooLarge) and request.segments[-1] == "new":
        error.message += _SLOTS
    if isinstance(error, NoSuchPath | MethodNotAllowed) and request.method == "GET" and request.segments[0] == "api":
        return render({"success": False, "error": "Endpoint or method not found"}, 404)
    if error.detail.get("framework") or isinstance(error, NoSuchPath | MethodNotAllowed | TooLarge | InternalError):
        shape = {"success": False, "code": status, "name": HTTPStatus(status).phrase, "description": error.message}
        return render(shape, status, headers_of(error))
    return render({"success": False, "error": error.message}, status, headers_of(error))


def _is_for_dialog(request: Request) -> bool:
    """Whether the game requests data for its dialog, which would treat an error's JSON as that data."""
    return "for-client" in request.segments[4:5] and is_game(request.user_agent)


def finish(request: Request, response: Response) -> None:
    """Add headers: every web page may call the API; successful reads get an ETag, and bodies are compressed."""
    if request.method in ("GET", "HEAD") and response.status == 200 and response.header("ETag") is None:
        body = response.body
        response.headers.append(("ETag", body.etag if isinstance(body, CachedBody) else etag_of(body)))
    encode(request, response)
    response.headers.extend(CORS)


def parse_object(request: Request, known: Collection[str] | None = None) -> dict[str, Any]:
    """The body as a JSON object, with only `known` fields if any are given. Raises Invalid."""
    data = parse_json(request)
    if not isinstance(data, dict):
        raise Invalid("Expected the body to be a JSON object")
    if known is not None and (strange := [name for name in data if name not in known]):
        raise Invalid(f"{strange[0]} is not a known field")
    return data


def parse_texts(request: Request) -> list[str]:
    """The body as a JSON array of texts. Raises Invalid."""
    data = parse_json(request)
    if not isinstance(data, list) or not all(isinstance(item, str) for item in data):
        raise Invalid("Expected the body to be a JSON array of texts")
    return data


def parse_reason(request: Request, least: int = 0) -> str:
    """The `reason` in a JSON body of at least `least` characters; an empty body has none. Raises Invalid."""
    if not request.body.strip() and not least:
        return ""
    reason = parse_object(request, ("reason",)).get("reason", "")
    return plain.text("reason", reason, least, LONGEST_REASON)


def parse_id(request: Request, refusal: str) -> int:
    """The id in the path of a release, a screenshot or a review. Raises NotFound, for a huge one with `refusal`."""
    return parse_number(request, "id", refusal)


def parse_number(request: Request, parameter: str, refusal: str) -> int:
    """The number in the path under this parameter. Raises NotFound, for a huge one with `refusal`."""
    text = request.params[parameter]
    if not (text.isascii() and text.isdecimal()):
        raise no_such_page()
    if len(text) > 15:
        raise NotFound(refusal)
    return int(text)


def parse_json(request: Request) -> Any:
    """The body as JSON. Raises Invalid."""
    try:
        return request.json
    except Invalid:
        raise malformed("The body must be JSON.") from None


def _render_moved(request: Request, key: str) -> Response:
    """A redirect to the same page of the package's current name: 302, for other methods 307, with the same query."""
    segments = list(request.segments)
    start = segments.index("packages") + 1
    segments[start : start + 2] = key.split("/")
    path = "".join(f"/{quote(segment, safe='')}" for segment in segments)
    query = f"?{urlencode(request.query, doseq=True)}" if request.query else ""
    return redirect(f"{request.base_url}{path}/{query}", 302 if request.method in ("GET", "HEAD") else 307)
