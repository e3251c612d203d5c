"""The account API for administrators and moderators: other accounts, and invitations."""

from chalicelib.account import activity, auth, invites, members, shapes, wire
from chalicelib.account.service import api
from chalicelib.core.caller import Caller
from chalicelib.core.identity import accounts, invitations
from chalicelib.web.request import Request
from chalicelib.web.response import Response

_MEMBER = "/members/{username}"


@api("GET", "/members", auth.MANAGER, accepts=shapes.PAGE, returns=shapes.MEMBERS)
def list_members(request: Request, caller: Caller) -> Response:
    """List all accounts, oldest first."""
    parameters = wire.read_query(request, shapes.PAGE)
    found, following = members.page(parameters["after"], parameters["limit"])
    return wire.render({"members": [wire.member(caller, account) for account in found], "next": following})


@api("GET", _MEMBER, auth.MANAGER, returns=shapes.PERSON)
def get_member(request: Request, caller: Caller) -> Response:
    """Return an account, with its works and, for administrators, its keys and sessions."""
    account = accounts.named(request.params["username"])
    return wire.render(wire.person(caller, account, members.works_of(account.username)))


@api(
    "PATCH", _MEMBER, auth.MANAGER, second_factor=auth.RECENT_CODE, accepts=shapes.MEMBER_CHANGES, returns=shapes.MEMBER
)
def change_member(request: Request, caller: Caller) -> Response:
    """Change an account's rank, suspend or restore it, enable or disable LuaDNS' API for it."""
    changed = members.change(caller, request.params["username"], **wire.read(request, shapes.MEMBER_CHANGES))
    return wire.render(wire.member(caller, changed))


@api("DELETE", f"{_MEMBER}/sessions", auth.MANAGER, second_factor=auth.RECENT_CODE, status=204)
def end_sessions_of_member(request: Request, caller: Caller) -> Response:
    """End all sessions of an account."""
    members.end_sessions(caller, request.params["username"])
    return wire.render_no_content()


@api(
    "PUT",
    f"{_MEMBER}/password",
    auth.ADMINISTRATOR,
    second_factor=auth.RECENT_CODE,
    accepts=shapes.RESET_PASSWORD,
    status=204,
)
def reset_password_of_member(request: Request, caller: Caller) -> Response:
    """Set the password of another account, for a user who has lost it; its sessions end."""
    members.set_password(caller, request.params["username"], **wire.read(request, shapes.RESET_PASSWORD))
    return wire.render_no_content()


@api("DELETE", f"{_MEMBER}/two-factor", auth.ADMINISTRATOR, second_factor=auth.RECENT_CODE, status=204)
def reset_two_factor_of_member(request: Request, caller: Caller) -> Response:
    """Turn off an account's second factor, for a user who has lost it."""
    members.reset_two_factor(caller, request.params["username"])
    return wire.render_no_content()


@api("GET", "/activity/all", auth.ADMINISTRATOR, accepts=shapes.SERVER_ACTIVITY_PAGE, returns=shapes.ACTIVITY)
def list_server_activity(request: Request, caller: Caller) -> Response:
    """List the actions of all accounts, newest first. A page with a filter can have fewer entries than its limit."""
    found, following = activity.page_of_server(wire.read_query(request, shapes.SERVER_ACTIVITY_PAGE))
    return wire.render({"activity": [wire.entry(one) for one in found], "next": following})


@api("GET", "/invitations", auth.ADMINISTRATOR, accepts=shapes.PAGE, returns=shapes.INVITATIONS)
def list_invitations(request: Request, caller: Caller) -> Response:
    """List all invitations, oldest first. Invitations are deleted 30 days after they expire."""
    parameters = wire.read_query(request, shapes.PAGE)
    found, following = invites.page(parameters["after"], parameters["limit"])
    return wire.render({"invitations": [wire.invitation(invitation) for invitation in found], "next": following})


@api(
    "POST",
    "/invitations",
    auth.ADMINISTRATOR,
    accepts=shapes.NEW_INVITATION,
    returns=shapes.CREATED_INVITATION,
    status=201,
)
def invite(request: Request, caller: Caller) -> Response:
    """Create an invitation, with which one person can create an account."""
    invitation, secret = invites.create(caller, **wire.read(request, shapes.NEW_INVITATION))
    return wire.render({**wire.invitation(invitation), "invitation": secret}, 201)


@api("DELETE", "/invitations/{id}", auth.ADMINISTRATOR, status=204)
def revoke_invitation(request: Request, caller: Caller) -> Response:
    """Revoke an unused invitation."""
    invitations.revoke(wire.read_id(request), caller)
    return wire.render_no_content()
