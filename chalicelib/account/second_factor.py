"""The caller's own second factor. Every change needs the password and a code."""

from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import Forbidden, Unauthenticated
from chalicelib.core.identity import proof, two_factor


def begin(caller: Caller) -> tuple[str, str]:
    """A new secret and its URI, inactive until `confirm`. Raises Conflict."""
    return two_factor.begin(caller.account)


def confirm(caller: Caller, password: str, code: str, for_uploads: bool | None, device: Device) -> list[str]:
    """Activate the secret and return the recovery codes; other sessions end.

    Raises Conflict; Forbidden or TooMany for a wrong password or code.
    """
    proof.prove_password(caller, password, device)  # the code belongs to the new secret
    try:
        return two_factor.confirm(caller.account, code, required_for_uploads=bool(for_uploads), by=caller)
    except Unauthenticated as error:
        raise _wrong_code(error) from None


def renew_recovery_codes(caller: Caller, password: str, code: str, device: Device) -> list[str]:
    """Replace the recovery codes and return the new ones; other sessions end. Raises the errors of `confirm`."""
    _prove(caller, password, code, device)
    return two_factor.renew_recovery_codes(caller.account, caller)


def require_for_uploads(caller: Caller, password: str, code: str, for_uploads: bool, device: Device) -> None:
    """Set whether uploads to LuaRocks need the second factor. Raises the errors of `confirm`."""
    _prove(caller, password, code, device)
    two_factor.require_for_uploads(caller.account, for_uploads, caller)


def disable(caller: Caller, password: str, code: str, device: Device) -> None:
    """Turn the second factor off; other sessions end. Raises the errors of `confirm`."""
    _prove(caller, password, code, device)
    two_factor.disable(caller.account, caller)


def use_code(caller: Caller, code: str) -> None:
    """Use up a code. Raises Conflict without two-factor; Forbidden or TooMany for a wrong code."""
    try:
        two_factor.verify(caller.account, code)
    except Unauthenticated as error:
        raise _wrong_code(error) from None


def _prove(caller: Caller, password: str, code: str, device: Device) -> None:
    if not caller.account.two_factor:
        use_code(caller, code)  # raises Conflict
    proof.prove(caller, password, code, device)


def _wrong_code(error: Unauthenticated) -> Forbidden:
    return Forbidden(error.message, field="code")
