"""The declaration of a page of the account: a function that shows it, and the forms on it.

A form is sent to its page's path, with its name as `action`. After success the browser is redirected to a page with a
confirmation (`go_to`); after an error the page is shown again with the values that were filled in.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from chalicelib.account import auth, csrf
from chalicelib.account.pages import forms
from chalicelib.account.pages.forms import BLANK, Filled
from chalicelib.account.service import service
from chalicelib.core.caller import Caller
from chalicelib.core.errors import CoreError, Invalid
from chalicelib.web import html
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.request import Request
from chalicelib.web.response import Response, redirect
from chalicelib.web.route import Handler, Permission, Requirements, Scheme, SecondFactor

ROOT = "/account"
_MENU = {
    "": "Overview",
    "/keys": "Keys",
    "/two-factor": "Two-factor",
    "/password": "Password and e-mail",
    "/sessions": "Sessions",
    "/notifications": "Notifications",
    "/activity": "Activity",
}
_MENU_OF_MANAGERS = {"/people": "People"}
_MENU_OF_ADMINISTRATORS = {**_MENU_OF_MANAGERS, "/invitations": "Invitations"}
# The confirmations. The URL contains only the key, so a link cannot make a page show another text.
_DONE = {
    "registered": "Your account has been created: log in.",
    "logged-out": "You are logged out.",
    "luadns-on": "LuaDNS' API is enabled for your account.",
    "luadns-off": "LuaDNS' API is disabled for your account. Your zones remain and are still served.",
    "key-revoked": "The key is revoked.",
    "window-open": "This key can upload without a code for 15 minutes.",
    "window-closed": "Uploads with the key need a code again.",
    "uploads-on": "Uploads to LuaRocks need the second factor.",
    "uploads-off": "Uploads to LuaRocks do not need the second factor.",
    "two-factor-off": "Two-factor is off. You are logged out everywhere else.",
    "password": "Your password is changed. You are logged out everywhere else.",
    "email": "Your e-mail address is changed.",
    "confirmation-sent": "The link is on its way to your address.",
    "confirmed": "Your e-mail address is confirmed.",
    "link-sent": "If there is such an account with a confirmed address, the link is on its way to it.",
    "password-set": "Your password is changed: log in with it.",
    "invited": "The invitation is on its way.",
    "notifications-read": "All notifications are read.",
    "notification-deleted": "The notification is deleted.",
    "notification-settings": "The settings are saved.",
    "feed-off": "The feed is turned off.",
    "session-ended": "The session has ended.",
    "sessions-ended": "You are logged out everywhere else.",
    "changed": "The account is changed.",
    "logged-them-out": "The account is logged out everywhere.",
    "password-reset": "The password of this account is changed, and it is logged out everywhere.",
    "two-factor-reset": "Two-factor is off for this account, and it is logged out everywhere.",
    "invitation-revoked": "The invitation is revoked.",
}

Show = Callable[[Request, Any, Filled], Response]  # the second argument is the caller; None on pages without a session


@dataclass
class _Page:
    show: Show
    credential: Scheme
    requirements: Requirements  # of the page's forms
    forms: dict[str, Handler] = field(default_factory=dict)


_pages: dict[str, _Page] = {}


def page(
    path: str,
    permission: Permission | None = None,
    *,
    credential: Scheme = auth.SESSION,
    second_factor: SecondFactor | None = None,
) -> Callable[[Show], Show]:
    """Declare the decorated function as the page at `path` below ROOT; its forms require `second_factor`."""
    shown: Requirements = {"permission": permission, "page": True} if permission else {"page": True}
    sent: Requirements = shown if credential.anonymous else {**shown, "scope": "write"}
    if second_factor:
        sent = {**sent, "second_factor": second_factor}

    def declare(show: Show) -> Show:
        _pages[path] = _Page(show, credential, sent)
        service.route("GET", ROOT + path, credential, **shown)(lambda request, caller: show(request, caller, BLANK))
        return show

    return declare


def form(path: str, action: str) -> Callable[[Handler], Handler]:
    """Declare the decorated function as the handler of a form on the page at `path`."""

    def declare(handler: Handler) -> Handler:
        declared = _pages[path]
        if not declared.forms:
            service.route("POST", ROOT + path, declared.credential, **declared.requirements)(
                lambda request, caller: _submit(declared, request, caller)
            )
        declared.forms[action] = handler
        return handler

    return declare


def render(
    request: Request, caller: Caller | None, template: str, filled: Filled = BLANK, **values: object
) -> Response:
    """Render a page of the account."""
    error = filled.error
    return html.page(
        request,
        f"account/{template}.html",
        status=status_of(error) if error else HTTPStatus.OK,
        headers=headers_of(error) if error else (),
        private=True,
        account=caller.account if caller else None,
        here=_path_of(request),
        menu=_menu_of(caller),
        csrf_token=csrf.token_of(request),
        done=_DONE.get(request.argument("done") or ""),
        filled=filled,
        **values,
    )


def go_to(path: str, done: str = "") -> Response:
    """Redirect the browser to another page of the account, which shows the confirmation `done`."""
    assert not done or done in _DONE
    return redirect(f"{ROOT}{path}?done={done}" if done else ROOT + path, 303)


def is_page(path: str) -> bool:
    """Whether `path` is a page below ROOT: log-in redirects to no other address."""
    return path in _pages


def _path_of(request: Request) -> str:
    """The request's path below ROOT."""
    return "".join(f"/{segment}" for segment in request.segments[1:])


def _menu_of(caller: Caller | None) -> dict[str, str]:
    rank = caller.account.rank if caller else ""
    return _MENU | {"ADMIN": _MENU_OF_ADMINISTRATORS, "MODERATOR": _MENU_OF_MANAGERS}.get(rank, {})


def _submit(declared: _Page, request: Request, caller: Caller) -> Response:
    action = request.form.get("action") or ""
    handler = declared.forms.get(action)
    if handler is None:
        raise Invalid("There is no such form on this page.")
    try:
        return handler(request, caller)
    except CoreError as error:
        return declared.show(request, caller, forms.rejected(request, action, error))
