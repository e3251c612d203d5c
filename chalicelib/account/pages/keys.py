"""Keys and tokens as pages."""

from chalicelib.account import keys, shapes, wire
from chalicelib.account.pages import base, forms
from chalicelib.account.pages.forms import Filled
from chalicelib.core import registry
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Invalid
from chalicelib.core.identity import credentials
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import OWN, SecondFactor
from chalicelib.web.slice import offered

_EXPIRIES = {"": "Never", "7": "In a week", "30": "In 30 days", "90": "In 90 days", "365": "In a year"}


@base.page("/keys", OWN, second_factor=SecondFactor("code, to open a window"))
def show_keys(request: Request, caller: Caller, filled: Filled) -> Response:
    """List all keys, newest first."""
    found = credentials.list_keys(caller.account)[::-1]
    live = [credentials.is_live(caller.account, key) for key in found]
    shown = [wire.key(caller.account, key) for key in found]
    return base.render(
        request,
        caller,
        "keys",
        filled,
        live=[key for key, valid in zip(shown, live, strict=True) if valid],
        ended=[key for key, valid in zip(shown, live, strict=True) if not valid],
        services=_titles(),
        expiries=_EXPIRIES,
    )


@base.form("/keys", "create")
def create_key(request: Request, caller: Caller) -> Response:
    """Create a key and show it once; its secret is in no URL and no cookie."""
    given = forms.read(request, shapes.NEW_KEY)
    key, secret = keys.create(caller, **{**given, "scope": _scope(request, given["service"])})
    return base.render(
        request, caller, "key_created", key=wire.key(caller.account, key), secret=secret, services=_titles()
    )


@base.form("/keys", "revoke")
def revoke_key(request: Request, caller: Caller) -> Response:
    """Revoke a key."""
    keys.revoke(caller, forms.read_id(request))
    return base.go_to("/keys", "key-revoked")


@base.form("/keys", "open-window")
def open_window(request: Request, caller: Caller) -> Response:
    """Let a LuaRocks key upload without the second factor for 15 minutes."""
    keys.open_window(caller, forms.read_id(request), **forms.read(request, shapes.CODE))
    return base.go_to("/keys", "window-open")


@base.form("/keys", "close-window")
def close_window(request: Request, caller: Caller) -> Response:
    """End the upload window early."""
    keys.close_window(caller, forms.read_id(request))
    return base.go_to("/keys", "window-closed")


def _scope(request: Request, service: str) -> str | None:
    """The selected scope: full access, reading, or one object. Raises Invalid."""
    may, name = request.form.get("may"), (request.form.get("name") or "").strip()
    kind = registry.current().scopes[service].kind
    if may == "all":
        return None
    if may == "read":
        return "read"
    if may != "one":
        raise Invalid("Choose the access of the key.", field="scope")
    if not name:
        raise Invalid(f"Enter the name of the {kind}.", field="scope")
    return f"{kind}:{name}"


def _titles() -> dict[str, str]:
    """The titles of the services that have keys."""
    return {each.name: each.title for each in offered() if each.scopes}
