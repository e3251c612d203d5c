"""How responses travel: compressed for clients that ask for it, and readable by the web pages of other sites."""

from chalicelib import settings
from chalicelib.web.encoding import encode
from chalicelib.web.request import Request
from chalicelib.web.response import Response

_CORS = ("Access-Control-Allow-Origin", "*")
_EXPOSED = ("Access-Control-Expose-Headers", "ETag")  # of those that a page may not read anyway
_PREFLIGHT = (
    ("Access-Control-Allow-Methods", "GET, HEAD"),
    ("Access-Control-Allow-Headers", "If-Modified-Since, If-None-Match"),
    ("Access-Control-Max-Age", "86400"),
)


def finish(request: Request, response: Response) -> None:
    """Add the headers to a response, except to a page for people."""
    if (response.header("Content-Type") or "").startswith("text/html"):
        return
    if request.method in ("GET", "HEAD"):
        encode(request, response)
    if settings.current().luarocks_reads != "public" or "{key}" in response.route:
        return
    response.headers.append(_CORS)
    if request.method == "OPTIONS":
        response.headers.extend(_PREFLIGHT)
    elif request.headers.get("origin"):
        response.headers.append(_EXPOSED)
