"""Hel's credential, the cookie of a session, to a caller."""

import logging

from chalicelib.core import credentials
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, NotFound, Unauthenticated
from chalicelib.web.request import Request
from chalicelib.web.routing import Authenticate

COOKIE = "auth_tkt"
_log = logging.getLogger(__name__)


def anyone(request: Request) -> Caller | None:
    """Who is logged in; None for everybody else, with an old cookie or a suspended account, too."""
    secret = request.cookies.get(COOKIE)
    if not secret:
        return None
    try:
        return credentials.identify(secret, credentials.SESSION)
    except (Unauthenticated, Forbidden, NotFound):
        return None


def member(view: str) -> Authenticate:
    """Who is logged in and not banned; raises Forbidden in the words of Hel's permission check for `view`."""

    def authenticate(request: Request) -> Caller:
        caller = request.caller = anyone(request)
        if caller is None or caller.account.rank == "BANNED":
            raise Forbidden(f"Unauthorized: {view} failed permission check")
        return caller

    return authenticate


def is_logged_in(request: Request) -> bool:
    """Whether the request came from somebody logged in, asked only where no route did; never raises.

    Errors are rendered with it, among them that the database is away.
    """
    if request.caller_asked:
        return request.caller is not None
    try:
        return anyone(request) is not None
    except Exception as error:
        _log.error("hel: who called is not known: %s", type(error).__qualname__)
        return False
