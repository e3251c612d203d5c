"""Cross-origin requests (CORS): every origin can read public data, configured origins can send the user's cookie.

Hel's own server accepted the cookie from every origin, so any page could act for a logged-in user.
"""

from chalicelib import settings
from chalicelib.web.request import Request
from chalicelib.web.response import Response

_METHODS = "OPTIONS,HEAD,GET,POST,PUT,DELETE,PATCH"
_EXPOSED = "Content-Type,Date,Content-Length,Authorization,X-Request-ID"


def finish(request: Request, response: Response) -> None:
    """Add the CORS headers; a preflight gets 200 on any path, as from Hel."""
    origin = request.headers.get("origin")
    method = request.headers.get("access-control-request-method")
    if request.method == "OPTIONS" and origin and method:
        response.status, response.body = 200, b""
        response.headers = [("Access-Control-Allow-Methods", _METHODS)]
        if names := request.headers.get("access-control-request-headers"):
            response.headers.append(("Access-Control-Allow-Headers", names))
    trusted = origin is not None and origin in settings.current().hel_origins
    response.headers.append(("Access-Control-Allow-Origin", origin if origin and trusted else "*"))
    response.headers.append(("Vary", "Origin"))
    if trusted:
        response.headers.append(("Access-Control-Allow-Credentials", "true"))
    if origin:
        response.headers.append(("Access-Control-Expose-Headers", _EXPOSED))
