"""One's own second factor. Whatever changes it asks for the password and a code."""

from chalicelib.account import profile
from chalicelib.core import two_factor
from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import Forbidden, Unauthenticated


def begin(caller: Caller) -> tuple[str, str]:
    """A secret and its URI, which are not in force before `confirm`. Raises Conflict."""
    return two_factor.begin(caller.account)


def confirm(caller: Caller, password: str, code: str, for_uploads: bool | None, device: Device) -> list[str]:
    """Put the secret in force; returns the recovery codes. Other sessions end.

    Raises Conflict; Forbidden or TooMany for a wrong password or code.
    """
    profile.prove_password(caller, password, device)
    try:
        return two_factor.confirm(caller.account, code, required_for_uploads=bool(for_uploads), by=caller)
    except Unauthenticated as error:
        raise _wrong_code(error) from None


def renew_recovery_codes(caller: Caller, password: str, code: str, device: Device) -> list[str]:
    """New recovery codes in the place of the old ones. Other sessions end. Raises as `confirm`."""
    _prove(caller, password, code, device)
    return two_factor.renew_recovery_codes(caller.account, caller)


def require_for_uploads(caller: Caller, password: str, code: str, for_uploads: bool, device: Device) -> None:
    """Whether uploads to LuaRocks need it. Raises as `confirm`."""
    _prove(caller, password, code, device)
    two_factor.require_for_uploads(caller.account, for_uploads, caller)


def disable(caller: Caller, password: str, code: str, device: Device) -> None:
    """Turn it off. Other sessions end. Raises as `confirm`."""
    _prove(caller, password, code, device)
    two_factor.disable(caller.account, caller)


def use_code(caller: Caller, code: str) -> None:
    """Use up a code. Raises Conflict where two-factor is off, Forbidden or TooMany for a wrong one."""
    try:
        two_factor.verify(caller.account, code)
    except Unauthenticated as error:
        raise _wrong_code(error) from None


def _prove(caller: Caller, password: str, code: str, device: Device) -> None:
    profile.prove_password(caller, password, device)
    use_code(caller, code)


def _wrong_code(error: Unauthenticated) -> Forbidden:
    return Forbidden(error.message, field="code")
