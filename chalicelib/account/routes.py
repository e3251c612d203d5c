"""The account API: one's own account. What is for administrators stands in admin_routes.py."""

from chalicelib.account import auth, cookies, keys, log_in, shapes, wire
from chalicelib.account.service import api, service
from chalicelib.core import registration
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Invalid
from chalicelib.core.sessions import TICKET_LIFETIME
from chalicelib.web.request import Request
from chalicelib.web.response import Response

__all__ = ["service"]


@api("POST", "/register", auth=auth.visitor, takes=shapes.NEW_ACCOUNT, gives=shapes.USERNAME, status=201)
def register(request: Request, caller: None) -> Response:
    """Open an account; it is not logged in by that."""
    account = registration.register(**wire.read(request, shapes.NEW_ACCOUNT), device=request.device)
    return wire.render({"username": account.username}, 201)


@api(
    "POST",
    "/log-in",
    auth=auth.visitor,
    takes=shapes.LOG_IN,
    gives=shapes.SESSION_BEGUN,
    may_give=(202, shapes.TICKET),
)
def begin_session(request: Request, caller: None) -> Response:
    """Log in, by cookie and for scripts; where two-factor is on, at once with its code, or in two steps."""
    given = wire.read(request, shapes.LOG_IN)
    if given["ticket"]:
        return _begun(request, *log_in.finish(given["ticket"], given["code"] or "", request.device))
    if given["username"] is None or given["password"] is None:
        raise Invalid("Send username and password, or ticket and code.")
    entered = log_in.begin(given["username"], given["password"], given["code"], request.device)
    if isinstance(entered, str):
        return wire.render({"ticket": entered, "expires_in": int(TICKET_LIFETIME.total_seconds())}, 202)
    return _begun(request, *entered)


@api("POST", "/log-out", auth=auth.member, status=204, scope="read")
def end_session(request: Request, caller: Caller) -> Response:
    """Log out: the session ends."""
    log_in.log_out(caller)
    return wire.render_nothing([cookies.clear_session(request)])


@api("GET", "/me", auth=auth.member, gives=shapes.ME)
def who_am_i(request: Request, caller: Caller) -> Response:
    """Who is logged in."""
    return wire.render(wire.me(request, caller))


@api("GET", "/keys", auth=auth.member, gives=shapes.KEYS)
def list_keys(request: Request, caller: Caller) -> Response:
    """All keys and tokens, without their secrets."""
    return wire.render({"keys": [wire.key(caller, key) for key in keys.listed(caller)]})


@api("POST", "/keys", auth=auth.member, takes=shapes.NEW_KEY, gives=shapes.KEY_MADE, status=201)
def create_key(request: Request, caller: Caller) -> Response:
    """Make a key."""
    key, secret = keys.create(caller, **wire.read(request, shapes.NEW_KEY))
    return wire.render({**wire.key(caller, key), "key": secret}, 201)


@api("DELETE", "/keys/{id}", auth=auth.member, status=204)
def revoke_key(request: Request, caller: Caller) -> Response:
    """Revoke a key for good."""
    keys.revoke(caller, wire.read_id(request))
    return wire.render_nothing()


def _begun(request: Request, caller: Caller, secret: str) -> Response:
    return wire.render(wire.begun(caller, secret), headers=[cookies.set_session(request, secret)])
