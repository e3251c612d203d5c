"""The account API for one's own account; admin_routes.py has the routes for administrators."""

from chalicelib.account import (
    activity,
    auth,
    cookies,
    keys,
    log_in,
    openapi,
    profile,
    second_factor,
    shapes,
    ssh_key,
    wire,
)
from chalicelib.account.service import API, api, service
from chalicelib.core import addresses
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Invalid
from chalicelib.core.identity import credentials, recovery, registration, sessions
from chalicelib.core.identity.sessions import TICKET_LIFETIME
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, OWN


@api("POST", "/register", credential=auth.VISITOR, accepts=shapes.NEW_ACCOUNT, returns=shapes.USERNAME, status=201)
def register(request: Request, caller: None) -> Response:
    """Create an account, without a session."""
    account = registration.register(**wire.read(request, shapes.NEW_ACCOUNT), device=request.device)
    return wire.render({"username": account.username}, 201)


@api(
    "POST",
    "/log-in",
    credential=auth.VISITOR,
    accepts=shapes.LOG_IN,
    returns=shapes.CREATED_SESSION,
    may_return=(202, shapes.TICKET),
)
def begin_session(request: Request, caller: None) -> Response:
    """Log in, for a cookie or a Bearer token; with two-factor either at once with its code, or in two steps."""
    given = wire.read(request, shapes.LOG_IN)
    if given["ticket"]:
        return _session_created(request, *log_in.finish(given["ticket"], given["code"] or "", request.device))
    if given["username"] is None or given["password"] is None:
        raise Invalid("Send username and password, or ticket and code.")
    entered = log_in.begin(given["username"], given["password"], given["code"], request.device)
    if isinstance(entered, str):
        return wire.render({"ticket": entered, "expires_in": int(TICKET_LIFETIME.total_seconds())}, 202)
    return _session_created(request, *entered)


@api("POST", "/log-out", OWN, status=204, scope="read")
def end_session(request: Request, caller: Caller) -> Response:
    """Log out: end the session."""
    log_in.log_out(caller)
    return wire.render_no_content([cookies.clear_session(request)])


@api("GET", "/me", OWN, returns=shapes.ME)
def who_am_i(request: Request, caller: Caller) -> Response:
    """Return the caller's account."""
    return wire.render(wire.me(request, caller))


@api("PUT", "/password", OWN, second_factor=auth.PROOF, accepts=shapes.NEW_PASSWORD, status=204)
def change_password(request: Request, caller: Caller) -> Response:
    """Change the password; other sessions end."""
    profile.change_password(caller, **wire.read(request, shapes.NEW_PASSWORD), device=request.device)
    return wire.render_no_content()


@api("PUT", "/email", OWN, second_factor=auth.PROOF, accepts=shapes.NEW_EMAIL, status=204)
def change_email(request: Request, caller: Caller) -> Response:
    """Change the e-mail address, which is also the username for LuaDNS' API."""
    profile.change_email(caller, **wire.read(request, shapes.NEW_EMAIL), device=request.device)
    return wire.render_no_content()


@api("POST", "/email/confirmation", OWN, status=204)
def request_confirmation(request: Request, caller: Caller) -> Response:
    """Send the link that confirms the e-mail address again."""
    addresses.request(caller.account)
    return wire.render_no_content()


@api("PUT", "/email/confirmation", credential=auth.VISITOR, accepts=shapes.LINK, status=204)
def confirm_email(request: Request, caller: None) -> Response:
    """Confirm an e-mail address with the link that was sent to it."""
    addresses.confirm(**wire.read(request, shapes.LINK))
    return wire.render_no_content()


@api("POST", "/password-link", credential=auth.VISITOR, accepts=shapes.NAME, status=204)
def request_password_link(request: Request, caller: None) -> Response:
    """Send a link for a new password, if there is such an account with a confirmed address."""
    recovery.request(**wire.read(request, shapes.NAME), address=request.client_address)
    return wire.render_no_content()


@api("PUT", "/password-link", credential=auth.VISITOR, accepts=shapes.PASSWORD_BY_LINK, status=204)
def set_password_by_link(request: Request, caller: None) -> Response:
    """Set a new password with a link, which is valid once for 30 minutes; all sessions end."""
    recovery.set_password(**wire.read(request, shapes.PASSWORD_BY_LINK))
    return wire.render_no_content()


@api("PUT", "/luadns", OWN, accepts=shapes.LUADNS, status=204)
def switch_luadns(request: Request, caller: Caller) -> Response:
    """Enable LuaDNS' API for the account, if the operator permits self-service, or disable it."""
    profile.switch_luadns(caller, **wire.read(request, shapes.LUADNS))
    return wire.render_no_content()


@api("GET", "/sessions", OWN, returns=shapes.SESSIONS)
def list_sessions(request: Request, caller: Caller) -> Response:
    """List the account's sessions."""
    return wire.render({"sessions": [wire.session(caller, one) for one in sessions.list_sessions(caller.account)]})


@api("DELETE", "/sessions", OWN, status=204)
def end_other_sessions(request: Request, caller: Caller) -> Response:
    """End all sessions except the caller's."""
    sessions.end_all(caller.account, keep=caller.credential, by=caller)
    return wire.render_no_content()


@api("DELETE", "/sessions/{id}", OWN, status=204)
def end_one_session(request: Request, caller: Caller) -> Response:
    """End a session."""
    sessions.end(caller, wire.read_id(request))
    return wire.render_no_content()


@api("GET", "/keys", OWN, returns=shapes.KEYS)
def list_keys(request: Request, caller: Caller) -> Response:
    """List all keys and tokens, without their secrets."""
    return wire.render({"keys": [wire.key(caller.account, key) for key in credentials.list_keys(caller.account)]})


@api("POST", "/keys", OWN, accepts=shapes.NEW_KEY, returns=shapes.CREATED_KEY, status=201)
def create_key(request: Request, caller: Caller) -> Response:
    """Create a key."""
    key, secret = keys.create(caller, **wire.read(request, shapes.NEW_KEY))
    return wire.render({**wire.key(caller.account, key), "key": secret}, 201)


@api("DELETE", "/keys/{id}", OWN, status=204)
def revoke_key(request: Request, caller: Caller) -> Response:
    """Revoke a key."""
    keys.revoke(caller, wire.read_id(request))
    return wire.render_no_content()


@api("PUT", "/keys/{id}/upload-window", OWN, second_factor=auth.CODE, accepts=shapes.CODE, returns=shapes.WINDOW)
def open_upload_window(request: Request, caller: Caller) -> Response:
    """Let a LuaRocks key upload without the second factor for 15 minutes."""
    until = keys.open_window(caller, wire.read_id(request), **wire.read(request, shapes.CODE))
    return wire.render({"upload_window_until": wire.moment(until)})


@api("DELETE", "/keys/{id}/upload-window", OWN, status=204)
def close_upload_window(request: Request, caller: Caller) -> Response:
    """End the upload window early."""
    keys.close_window(caller, wire.read_id(request))
    return wire.render_no_content()


@api("GET", "/two-factor", OWN, returns=shapes.TWO_FACTOR)
def get_two_factor(request: Request, caller: Caller) -> Response:
    """Return whether two-factor is on, and the number of unused recovery codes."""
    return wire.render(wire.two_factor_of(caller.account))


@api("POST", "/two-factor", OWN, returns=shapes.ENROLLING, status=201)
def begin_two_factor(request: Request, caller: Caller) -> Response:
    """Return a new secret for an authenticator; it is inactive until one of its codes confirms it within an hour."""
    secret, uri = second_factor.begin(caller)
    return wire.render({"secret": secret, "uri": uri}, 201)


@api(
    "POST", "/two-factor/confirm", OWN, second_factor=auth.PROOF, accepts=shapes.CONFIRM, returns=shapes.RECOVERY_CODES
)
def confirm_two_factor(request: Request, caller: Caller) -> Response:
    """Turn two-factor on; other sessions end."""
    codes = second_factor.confirm(caller, **wire.read(request, shapes.CONFIRM), device=request.device)
    return wire.render({"recovery_codes": codes})


@api(
    "POST",
    "/two-factor/recovery-codes",
    OWN,
    second_factor=auth.PROOF,
    accepts=shapes.PROOF,
    returns=shapes.RECOVERY_CODES,
)
def renew_recovery_codes(request: Request, caller: Caller) -> Response:
    """Replace the recovery codes; other sessions end."""
    codes = second_factor.renew_recovery_codes(caller, **wire.read(request, shapes.PROOF), device=request.device)
    return wire.render({"recovery_codes": codes})


@api("PUT", "/two-factor/for-uploads", OWN, second_factor=auth.PROOF, accepts=shapes.FOR_UPLOADS, status=204)
def require_two_factor_for_uploads(request: Request, caller: Caller) -> Response:
    """Set whether uploads to LuaRocks need a code too."""
    second_factor.require_for_uploads(caller, **wire.read(request, shapes.FOR_UPLOADS), device=request.device)
    return wire.render_no_content()


@api("POST", "/two-factor/disable", OWN, second_factor=auth.PROOF, accepts=shapes.PROOF, status=204)
def disable_two_factor(request: Request, caller: Caller) -> Response:
    """Turn two-factor off; other sessions end."""
    second_factor.disable(caller, **wire.read(request, shapes.PROOF), device=request.device)
    return wire.render_no_content()


@api("GET", "/ssh-key", OWN, returns=shapes.SSH_KEY)
def get_ssh_key(request: Request, caller: Caller) -> Response:
    """Return the public SSH key for private Git repositories, and the pinned host keys of servers."""
    return wire.render(wire.ssh_key(*ssh_key.get(caller)))


@api("POST", "/ssh-key", OWN, returns=shapes.SSH_KEY, status=201)
def create_ssh_key(request: Request, caller: Caller) -> Response:
    """Create an SSH key, which replaces the former one."""
    ssh_key.create(caller)
    return wire.render(wire.ssh_key(*ssh_key.get(caller)), 201)


@api("DELETE", "/ssh-key", OWN, status=204)
def delete_ssh_key(request: Request, caller: Caller) -> Response:
    """Delete the SSH key."""
    ssh_key.delete(caller)
    return wire.render_no_content()


@api("DELETE", "/ssh-key/hosts/{server}", OWN, status=204)
def forget_ssh_host(request: Request, caller: Caller) -> Response:
    """Remove the pinned host key of a server, such as `git.example.org:22`, so that the next one is pinned."""
    ssh_key.forget_host(caller, request.params["server"])
    return wire.render_no_content()


@api("GET", "/activity", OWN, accepts=shapes.ACTIVITY_PAGE, returns=shapes.ACTIVITY)
def list_activity(request: Request, caller: Caller) -> Response:
    """List operations by the account, and by others on it, newest first."""
    parameters = wire.read_query(request, shapes.ACTIVITY_PAGE)
    found, following = activity.page(caller, parameters)
    return wire.render({"activity": [wire.entry(one) for one in found], "next": following})


@service.route("GET", f"{API}/openapi.json", ANONYMOUS)
def get_openapi(request: Request) -> Response:
    """Return this API as an OpenAPI document."""
    return wire.render_document(openapi.document())


def _session_created(request: Request, caller: Caller, secret: str) -> Response:
    return wire.render(wire.created_session(caller, secret), headers=[cookies.set_session(request, secret)])
