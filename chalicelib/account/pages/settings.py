"""The pages of one's own account: overview, password and e-mail address, sessions, activity."""

from chalicelib.account import activity, auth, profile, shapes, wire
from chalicelib.account.pages import base, forms
from chalicelib.account.pages.forms import Filled
from chalicelib.core import addresses
from chalicelib.core.caller import Caller
from chalicelib.core.identity import sessions
from chalicelib.core.mail import transport
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import OWN


@base.page("", OWN)
def show_overview(request: Request, caller: Caller, filled: Filled) -> Response:
    """The state of the account, and the commands and settings for each client."""
    may_open = profile.may_enable_luadns(caller)
    return base.render(request, caller, "overview", filled, me=wire.me(request, caller), may_enable_luadns=may_open)


@base.form("", "luadns")
def switch_luadns(request: Request, caller: Caller) -> Response:
    """Enable or disable LuaDNS' API for the account."""
    given = forms.read(request, shapes.LUADNS)
    profile.switch_luadns(caller, **given)
    return base.go_to("", "luadns-on" if given["enabled"] else "luadns-off")


@base.page("/password", OWN, second_factor=auth.PROOF)
def show_password(request: Request, caller: Caller, filled: Filled) -> Response:
    """The forms for the password and the e-mail address."""
    confirmed = addresses.is_confirmed(caller.account)
    return base.render(request, caller, "password", filled, confirmed=confirmed, sends_mail=transport.is_on())


@base.form("/password", "password")
def change_password(request: Request, caller: Caller) -> Response:
    """Change the password."""
    profile.change_password(caller, **forms.read(request, shapes.NEW_PASSWORD), device=request.device)
    return base.go_to("/password", "password")


@base.form("/password", "email")
def change_email(request: Request, caller: Caller) -> Response:
    """Change the e-mail address."""
    profile.change_email(caller, **forms.read(request, shapes.NEW_EMAIL), device=request.device)
    return base.go_to("/password", "email")


@base.form("/password", "confirmation")
def request_confirmation(request: Request, caller: Caller) -> Response:
    """Send the link that confirms the e-mail address again."""
    addresses.request(caller.account)
    return base.go_to("/password", "confirmation-sent")


@base.page("/sessions", OWN)
def show_sessions(request: Request, caller: Caller, filled: Filled) -> Response:
    """List the account's sessions, newest first."""
    found = [wire.session(caller, one) for one in sessions.list_sessions(caller.account)]
    return base.render(request, caller, "sessions", filled, sessions=found[::-1])


@base.form("/sessions", "end")
def end_session(request: Request, caller: Caller) -> Response:
    """End a session."""
    sessions.end(caller, forms.read_id(request))
    return base.go_to("/sessions", "session-ended")


@base.form("/sessions", "end-others")
def end_other_sessions(request: Request, caller: Caller) -> Response:
    """End all other sessions."""
    sessions.end_all(caller.account, keep=caller.credential, by=caller)
    return base.go_to("/sessions", "sessions-ended")


@base.page("/activity", OWN)
def show_activity(request: Request, caller: Caller, filled: Filled) -> Response:
    """Show the activity log: operations by the account, and by others on it."""
    wanted = {**dict.fromkeys(shapes.ACTIVITY_PAGE), "before": request.argument("before")}
    found, following = activity.page(caller, wanted)
    entries = [wire.entry(one) for one in found]
    return base.render(request, caller, "activity", filled, entries=entries, following=following)
