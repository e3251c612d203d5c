"""The pages for a forgotten password, and behind the one-time links in mails.

A link's page only shows a form, because programs follow links in mails to examine them.
"""

from chalicelib.account import auth, shapes
from chalicelib.account.pages import base, forms
from chalicelib.account.pages.forms import Filled
from chalicelib.core import addresses
from chalicelib.core.identity import recovery
from chalicelib.core.mail import transport
from chalicelib.web.request import Request
from chalicelib.web.response import Response

_FORGOTTEN = "/forgotten-password"
_NEW_PASSWORD = "/new-password/{token}"  # noqa: S105, a path
_CONFIRM = "/confirm/{token}"


@base.page(_FORGOTTEN, credential=auth.VISITOR)
def show_forgotten(request: Request, caller: None, filled: Filled) -> Response:
    """The form that requests a link for a new password."""
    return base.render(request, None, "forgotten_password", filled, sends_mail=transport.is_on())


@base.form(_FORGOTTEN, "request")
def request_link(request: Request, caller: None) -> Response:
    """Send the link, if there is such an account."""
    recovery.request(**forms.read(request, shapes.NAME), address=request.client_address)
    return base.go_to("/log-in", "link-sent")


@base.page(_NEW_PASSWORD, credential=auth.VISITOR)
def show_new_password(request: Request, caller: None, filled: Filled) -> Response:
    """The form for a new password. Raises Forbidden for an invalid link."""
    token = request.params["token"]
    account = recovery.account_of(token)
    return base.render(
        request,
        None,
        "new_password",
        filled,
        path=recovery.PATH + token,
        username=account.username,
        needs_code=bool(account.two_factor),
    )


@base.form(_NEW_PASSWORD, "set")
def set_password(request: Request, caller: None) -> Response:
    """Set the password."""
    given = {**forms.read(request, _WITHOUT_TOKEN), "token": request.params["token"]}
    recovery.set_password(**given)
    return base.go_to("/log-in", "password-set")


@base.page(_CONFIRM, credential=auth.VISITOR)
def show_confirm(request: Request, caller: None, filled: Filled) -> Response:
    """The button that confirms an address. Raises Forbidden for an invalid link."""
    token = request.params["token"]
    account = addresses.account_of(token)
    values = {"path": addresses.PATH + token, "username": account.username, "email": account.email}
    return base.render(request, None, "confirm_address", filled, **values)


@base.form(_CONFIRM, "confirm")
def confirm(request: Request, caller: None) -> Response:
    """Confirm the address."""
    addresses.confirm(request.params["token"])
    return base.go_to("" if auth.session(request) else "/log-in", "confirmed")


_WITHOUT_TOKEN = {name: field for name, field in shapes.PASSWORD_BY_LINK.items() if name != "token"}
