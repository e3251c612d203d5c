"""Rejects requests that another site makes a browser send (CSRF); see docs/decisions/0019.

A request that changes something by a session's cookie must contain the session's token, which no other site can read.
Registration and log-in have no session yet: there only the origin of the request is checked.
"""

import hmac

from chalicelib.account import cookies
from chalicelib.core.errors import Forbidden
from chalicelib.web.origin import check_origin
from chalicelib.web.request import Request

HEADER = "X-CSRF-Token"
FIELD = "csrf_token"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def token_of(request: Request) -> str | None:
    """The token for the forms of a page in this request's session; None without a cookie."""
    secret = cookies.session_of(request)
    return token_for(secret) if secret else None


def token_for(secret: str) -> str:
    """The token of the session with this secret, which cannot be derived from the token."""
    return hmac.digest(secret.encode(), b"csrf", "sha256").hex()


def check(request: Request, secret: str) -> None:
    """Raise Forbidden unless the request comes from this site and contains the session's token."""
    check_origin(request)
    given = request.headers.get(HEADER.lower()) or request.small_form.get(FIELD)
    if not given:
        raise Forbidden(f"Send the session's CSRF token, as the header {HEADER} or the form's field {FIELD}.")
    if not hmac.compare_digest(given.encode(), token_for(secret).encode()):
        raise Forbidden("The CSRF token is not this session's: load the page again.")
