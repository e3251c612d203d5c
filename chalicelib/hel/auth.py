"""Hel's credentials, the cookie of a session or a key, to a caller; and who may do what (ACE)."""

import logging
from collections.abc import Callable

from chalicelib.core import credentials
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, NotFound, Unauthenticated
from chalicelib.web.html import wants_html
from chalicelib.web.request import Request

COOKIE = "auth_tkt"
_log = logging.getLogger(__name__)


def session(request: Request) -> Caller | None:
    """Who has logged in, by cookie.

    None for everybody else, with an old cookie or a suspended account, too.
    """
    return _identify(request.cookies.get(COOKIE), credentials.SESSION)


def anyone(request: Request) -> Caller | None:
    """Who calls, by `Authorization: Bearer KEY` or else by cookie; None as with `session`."""
    return _identify(request.bearer, "hel") if request.bearer else session(request)


def member(permission: str) -> Callable[[Request], Caller]:
    """Who is known and not banned; raises Forbidden in the words of Hel's permission check for `permission`."""

    def authenticate(request: Request) -> Caller:
        caller = request.caller = anyone(request)
        if caller is None or caller.account.rank == "BANNED":
            raise refusal(permission)
        return caller

    return authenticate


def admin(permission: str) -> Callable[[Request], Caller]:
    """An administrator who has logged in: no key changes who may do what."""

    def authenticate(request: Request) -> Caller:
        caller = member(permission)(request)
        if not is_admin(caller):
            raise refusal(permission)
        return _with_session(caller)

    return authenticate


def user(permission: str) -> Callable[[Request], Caller]:
    """The user whom the path names, or an administrator; to change something, who has logged in."""

    def authenticate(request: Request) -> Caller:
        caller = member(permission)(request)
        if caller.account.username.lower() != request.params["nick"].lower() and not is_admin(caller):
            raise refusal(permission)
        return caller if request.method in ("GET", "HEAD") else _with_session(caller)

    return authenticate


def user_or_visitor(permission: str) -> Callable[[Request], Caller | None]:
    """As `user`; nobody in particular for a browser, whose page shows only what is public."""
    authenticate = user(permission)
    return lambda request: None if wants_html(request) else authenticate(request)


def is_admin(caller: Caller) -> bool:
    """Whether all is allowed to the caller: Hel's group `admins`."""
    return caller.account.rank == "ADMIN"


def refusal(permission: str) -> Forbidden:
    """What Hel says when its permission check fails."""
    return Forbidden(f"Unauthorized: {permission} failed permission check")


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


def _identify(secret: str | None, service: str) -> Caller | None:
    if not secret:
        return None
    try:
        return credentials.identify(secret, service)
    except (Unauthenticated, Forbidden, NotFound):
        return None


def _with_session(caller: Caller) -> Caller:
    if caller.credential.service != credentials.SESSION:
        raise Forbidden("A key may not change users: log in.")
    return caller
