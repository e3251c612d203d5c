"""The page of the second factor."""

import re

from chalicelib.account import second_factor, shapes, wire
from chalicelib.account.pages import base, forms
from chalicelib.account.pages.forms import BLANK, Filled
from chalicelib.core.caller import Caller
from chalicelib.core.identity import codes
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import OWN, SecondFactor

_SECRET = re.compile(r"[A-Z2-7]{16,64}")


@base.page("/two-factor", OWN, second_factor=SecondFactor("password and code, except to begin"))
def show_two_factor(request: Request, caller: Caller, filled: Filled) -> Response:
    """The state of the second factor, and the forms that change it."""
    secret = filled.value("secret")
    if filled.action == "confirm" and _SECRET.fullmatch(secret) and not caller.account.two_factor:
        return _ask_to_confirm(request, caller, secret, filled)
    return base.render(request, caller, "two_factor", filled, state=wire.two_factor_of(caller.account))


@base.form("/two-factor", "begin")
def begin(request: Request, caller: Caller) -> Response:
    """Show a new secret, as a QR code and as text; it is inactive until a code confirms it."""
    secret, _ = second_factor.begin(caller)
    return _ask_to_confirm(request, caller, secret, BLANK)


@base.form("/two-factor", "confirm")
def confirm(request: Request, caller: Caller) -> Response:
    """Turn two-factor on, and show the recovery codes once."""
    recovery = second_factor.confirm(caller, **forms.read(request, shapes.CONFIRM), device=request.device)
    return _show_codes(request, caller, recovery)


@base.form("/two-factor", "recovery-codes")
def renew_recovery_codes(request: Request, caller: Caller) -> Response:
    """Replace the recovery codes."""
    recovery = second_factor.renew_recovery_codes(caller, **forms.read(request, shapes.PROOF), device=request.device)
    return _show_codes(request, caller, recovery)


@base.form("/two-factor", "for-uploads")
def require_for_uploads(request: Request, caller: Caller) -> Response:
    """Set whether uploads need the second factor too."""
    given = forms.read(request, shapes.FOR_UPLOADS)
    second_factor.require_for_uploads(caller, **given, device=request.device)
    return base.go_to("/two-factor", "uploads-on" if given["for_uploads"] else "uploads-off")


@base.form("/two-factor", "disable")
def disable(request: Request, caller: Caller) -> Response:
    """Turn two-factor off."""
    second_factor.disable(caller, **forms.read(request, shapes.PROOF), device=request.device)
    return base.go_to("/two-factor", "two-factor-off")


def _ask_to_confirm(request: Request, caller: Caller, secret: str, filled: Filled) -> Response:
    """The form to confirm a secret. It contains the secret, so that a wrong code does not end the enrolment."""
    image = _qr(codes.uri_of(secret, caller.account.username))
    return base.render(request, caller, "two_factor_confirm", filled, secret=secret, image=image)


def _show_codes(request: Request, caller: Caller, recovery: list[str]) -> Response:
    return base.render(request, caller, "recovery_codes", recovery_codes=recovery)


def _qr(text: str) -> str:
    """A QR code as SVG, for use inside HTML."""
    import segno

    return segno.make(text, error="m").svg_inline(omitsize=True, svgclass="qr", lineclass=None, light="#fff")
