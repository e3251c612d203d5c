"""The pages for registration, log-in (with a second step for two-factor) and log-out."""

from chalicelib import settings
from chalicelib.account import auth, cookies, log_in, shapes
from chalicelib.account.pages import base, forms
from chalicelib.account.pages.forms import Filled
from chalicelib.account.service import service
from chalicelib.core.caller import Caller
from chalicelib.core.identity import registration
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, OWN
from chalicelib.web.slice import offered

_SETTINGS = {"": "/keys", "api-keys": "/keys", "two-factor": "/two-factor", "sessions": "/sessions"}


@base.page("/register", credential=auth.VISITOR)
def show_register(request: Request, caller: None, filled: Filled) -> Response:
    """The registration form."""
    titles = [each.title for each in offered() if each.scopes]
    invitation = request.argument("invitation") or ""  # of a link in a mail
    mode = settings.current().registration
    return base.render(request, None, "register", filled, mode=mode, services=titles, invitation=invitation)


@base.form("/register", "register")
def register(request: Request, caller: None) -> Response:
    """Create the account."""
    registration.register(**forms.read(request, shapes.NEW_ACCOUNT), device=request.device)
    return base.go_to("/log-in", "registered")


@base.page("/log-in", credential=auth.VISITOR)
def show_log_in(request: Request, caller: None, filled: Filled) -> Response:
    """The log-in form; a caller with a session is redirected."""
    if not filled.error and auth.session(request):
        return base.go_to(_return_path(request))
    if filled.action == "code" and filled.about == "code":  # the ticket of the password is still valid
        return _ask_for_code(request, filled.value("ticket"), filled)
    return base.render(request, None, "log_in", filled, return_path=_return_path(request))


@base.form("/log-in", "password")
def check_password(request: Request, caller: None) -> Response:
    """Check the password."""
    given = forms.read(request, shapes.LOG_IN)
    entered = log_in.begin(given["username"] or "", given["password"] or "", None, request.device)
    return _ask_for_code(request, entered) if isinstance(entered, str) else _logged_in(request, *entered)


@base.form("/log-in", "code")
def check_code(request: Request, caller: None) -> Response:
    """Check the second factor."""
    given = forms.read(request, shapes.LOG_IN)
    return _logged_in(request, *log_in.finish(given["ticket"] or "", given["code"] or "", request.device))


@service.route("POST", "/account/log-out", auth.SESSION, scope="read", permission=OWN, page=True)
def log_out(request: Request, caller: Caller) -> Response:
    """Log out."""
    log_in.log_out(caller)
    response = base.go_to("/log-in", "logged-out")
    response.headers.append(cookies.clear_session(request))
    return response


@service.route("GET", "/settings", ANONYMOUS, page=True)
@service.route("GET", "/settings/{page}", ANONYMOUS, page=True)
def settings_of_luarocks(request: Request) -> Response:
    """Redirect from luarocks.org's settings URL: the client names it when a key is missing or wrong."""
    return base.go_to(_SETTINGS.get(request.params.get("page", ""), ""))


def _ask_for_code(request: Request, ticket: str, filled: Filled = forms.BLANK) -> Response:
    return base.render(request, None, "log_in_code", filled, ticket=ticket, return_path=_return_path(request))


def _logged_in(request: Request, caller: Caller, secret: str) -> Response:
    response = base.go_to(_return_path(request))
    response.headers.append(cookies.set_session(request, secret))
    return response


def _return_path(request: Request) -> str:
    """The page to return to after log-in; the overview unless `next` is a page of the account."""
    wanted = request.argument("next") or request.form.get("next") or ""
    return wanted if base.is_page(wanted) and wanted not in ("/log-in", "/register") else ""
