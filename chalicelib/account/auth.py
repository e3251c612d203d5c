"""Authenticates a session by its cookie or as a Bearer token, and checks ranks."""

from chalicelib.account import cookies, csrf
from chalicelib.core.caller import Caller
from chalicelib.core.errors import CoreError, Forbidden, Unauthenticated
from chalicelib.core.identity import credentials, proof
from chalicelib.web.origin import check_origin
from chalicelib.web.request import Request
from chalicelib.web.route import Permission, Scheme, SecondFactor


def visitor(request: Request) -> None:
    """Accept every client, without a session. Raises Forbidden for another site's request, see web.origin."""
    if request.method not in csrf.SAFE_METHODS:
        check_origin(request)


def session(request: Request) -> Caller | None:
    """The caller, or None without a valid session or for a suspended account. For pages that greet their reader."""
    secret = request.bearer or cookies.session_of(request)
    if not secret:
        return None
    try:
        return credentials.identify(secret, credentials.SESSION)
    except (Unauthenticated, Forbidden):
        return None


def member(request: Request) -> Caller:
    """The caller. Raises Unauthenticated; Forbidden for a suspended account.

    A request by cookie that changes something must contain the session's CSRF token, see csrf.check.
    """
    if request.bearer:
        return _identify(request.bearer)
    secret = cookies.session_of(request)
    if secret is None:
        raise _unauthenticated("Log in first.")
    if request.method not in csrf.SAFE_METHODS:
        csrf.check(request, secret)
    return _identify(secret)


def _identify(secret: str) -> Caller:
    try:
        return credentials.identify(secret, credentials.SESSION)
    except (Unauthenticated, credentials.Revoked):
        raise _unauthenticated("Your session has ended: log in again.") from None


def _unauthenticated(message: str) -> CoreError:
    return Unauthenticated(message, challenge="Bearer")


def _ranked(*ranks: str) -> Permission:
    def check(request: Request, caller: Caller | None) -> None:
        if caller is None or caller.account.rank not in ranks:
            raise Forbidden("This is for administrators.")

    return Permission(" or ".join(ranks), check)


SESSION = Scheme("session", member)
VISITOR = Scheme("anonymous, from this site", visitor, anonymous=True)
# The path contains a secret. Programs follow such links too: mail servers, feed readers.
LINK = Scheme("link with a secret", lambda request: None, anonymous=True)

MANAGER = _ranked("ADMIN", "MODERATOR")
ADMINISTRATOR = _ranked("ADMIN")

# The handler checks these, which are in the body.
PROOF = SecondFactor("password, and code of two-factor")
CODE = SecondFactor("code")
RECENT_CODE_IN_FORM = SecondFactor("recent code of two-factor")


def _check_recent_code(request: Request, caller: Caller) -> None:
    proof.require_recent(caller, request.second_factor_code)


RECENT_CODE = SecondFactor("recent code of two-factor", _check_recent_code)
