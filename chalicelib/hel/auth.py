"""Authenticates a session's cookie or a key, and checks Hel's permissions (its ACEs)."""

import logging

from chalicelib import settings
from chalicelib.core import deletion
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, NotFound, Unauthenticated
from chalicelib.core.identity import credentials, proof
from chalicelib.core.tables import Account, Credential
from chalicelib.web.html import wants_html
from chalicelib.web.origin import check_origin
from chalicelib.web.request import Request
from chalicelib.web.route import Permission, Scheme, SecondFactor

COOKIE = "auth_tkt"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_log = logging.getLogger(__name__)


def session(request: Request) -> Caller | None:
    """The caller by cookie.

    None without a cookie, with an expired session, or for a suspended account.
    """
    return _identify(request.cookies.get(COOKIE), credentials.SESSION)


def browser_session(request: Request) -> Caller | None:
    """The caller by cookie. Raises Forbidden for another site's request, see web.origin: log-in needs no cookie."""
    check_origin(request, settings.current().hel_origins)
    return session(request)


def anyone(request: Request) -> Caller | None:
    """The caller by `Authorization: Bearer KEY`, else by cookie; None as for `session`."""
    if request.bearer:
        return _identify(request.bearer, "hel")
    if request.method not in _SAFE_METHODS and COOKIE in request.cookies:
        return browser_session(request)
    return session(request)


def member(permission: str, relation: str = "any user") -> Permission:
    """Require a caller who is not banned; others get Hel's error for a failed check of `permission`.

    `relation` describes a further requirement, which the service checks.
    """

    def check(request: Request, caller: Caller | None) -> None:
        _require_member(permission, caller)

    return Permission(f"{permission}: {relation}", check)


def admin(permission: str) -> Permission:
    """Require an administrator with a session: keys cannot change users' permissions."""

    def check(request: Request, caller: Caller | None) -> None:
        member = _require_member(permission, caller)
        if not is_admin(member):
            raise refusal(permission)
        _require_session(member)

    return Permission(f"{permission}: admin", check)


def user(permission: str) -> Permission:
    """Require the user in the path or an administrator; writes also need a session."""

    def check(request: Request, caller: Caller | None) -> None:
        member = _require_member(permission, caller)
        if not is_self(request, member) and not is_admin(member):
            raise refusal(permission)
        if request.method not in _SAFE_METHODS:
            _require_session(member)

    return Permission(f"{permission}: the user in the path, or admin", check)


def user_or_browser(permission: str) -> Permission:
    """As `user`, but browsers pass too: their page shows only public data."""
    required = user(permission)

    def check(request: Request, caller: Caller | None) -> None:
        if required.check and not wants_html(request):
            required.check(request, caller)

    return Permission(f"{required.name}; browsers get the public page", check)


def console() -> Caller:
    """The administrator at the command line, who has no account."""
    account = Account(id=deletion.CONSOLE.account_id, username=deletion.CONSOLE.username, rank="ADMIN")
    return Caller(account, Credential("", "credential"))


def is_admin(caller: Caller) -> bool:
    """Whether the caller is an administrator: in Hel's group `admins`."""
    return caller.account.rank == "ADMIN"


def refusal(permission: str) -> Forbidden:
    """Hel's error for a failed permission check."""
    return Forbidden(f"Unauthorized: {permission} failed permission check")


def is_logged_in(request: Request) -> bool:
    """Whether the request has a valid credential, authenticated here if no route did it; never raises.

    The rendering of errors needs it, also while the database is unavailable.
    """
    if request.caller_resolved:
        return request.caller is not None
    try:
        return anyone(request) is not None
    except Exception as error:
        _log.error("hel: the caller cannot be authenticated: %s", type(error).__qualname__)
        return False


def _identify(secret: str | None, service: str) -> Caller | None:
    if not secret:
        return None
    try:
        return credentials.identify(secret, service)
    except (Unauthenticated, Forbidden, NotFound):
        return None


def _require_member(permission: str, caller: Caller | None) -> Caller:
    if caller is None or caller.account.rank == "BANNED":
        raise refusal(permission)
    return caller


def _require_session(caller: Caller) -> None:
    if caller.credential.service != credentials.SESSION:
        raise Forbidden("A key may not change users: log in.")


def is_self(request: Request, caller: Caller) -> bool:
    """Whether the caller is the user in the path."""
    return caller.account.username.lower() == request.params["nick"].lower()


def check_recent_code(request: Request, caller: Caller) -> None:
    """Require a recent proof of the second factor, see core.proof.require_recent."""
    proof.require_recent(caller, request.second_factor_code)


def _check_recent_code_for_others(request: Request, caller: Caller) -> None:
    if not is_self(request, caller):
        check_recent_code(request, caller)


def _anyone_but_browsers(request: Request) -> Caller | None:
    return None if wants_html(request) else anyone(request)


SESSION = Scheme("session or none", browser_session)
ANYONE = Scheme("key, session or none", anyone)
ANYONE_BUT_BROWSERS = Scheme("key, session or none", _anyone_but_browsers)

RECENT_CODE = SecondFactor("recent code of two-factor", check_recent_code)
RECENT_CODE_FOR_OTHERS = SecondFactor("recent code of two-factor, for other users", _check_recent_code_for_others)
