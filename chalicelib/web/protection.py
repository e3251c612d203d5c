"""The security headers of every response: a browser that opens it guesses no type and runs nothing in it.

The pages in `web/html.py` have a Content-Security-Policy of their own. JSON needs none, because no browser renders it.
"""

from dataclasses import replace

from chalicelib.web.response import Response

NOSNIFF = ("X-Content-Type-Options", "nosniff")
POLICY = "Content-Security-Policy"
INERT = "default-src 'none'; frame-ancestors 'none'; sandbox"  # also for files of users
INERT_IMAGE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # an SVG image may have styles


def protected(response: Response) -> Response:
    """Return the response with its security headers."""
    headers = [NOSNIFF]
    kind = (response.header("Content-Type") or "").partition(";")[0].strip().lower()
    if kind not in ("", "application/json") and response.header(POLICY) is None:
        headers.append((POLICY, INERT_IMAGE if kind == "image/svg+xml" else INERT))
    return replace(response, headers=[*response.headers, *headers])
