"""Proofs of identity beyond a credential. Every door to the same change asks for the same proof."""

import time

from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import Forbidden, SecondFactorRequired, Unauthenticated
from chalicelib.core.identity import sessions, two_factor
from chalicelib.core.tables import Credential

RECENT = 900  # seconds for which a session's proof of the second factor is valid for acts on other accounts
_CODE_MISSING = "This account uses two-factor authentication: send a current code too."


def prove(caller: Caller, password: str, code: str | None, device: Device, field: str = "password") -> None:
    """Check what a change of the caller's password, address or second factor requires: the password, and a code.

    Raises Forbidden for a wrong password (with `field`) or code; SecondFactorRequired if the account has a second
    factor and there is no code; and TooMany as at log-in, so that a stolen session cannot guess either.
    """
    prove_password(caller, password, device, field)
    if caller.account.two_factor:
        prove_code(caller, code)


def prove_password(caller: Caller, password: str, device: Device, field: str = "password") -> None:
    """Check the password alone, see `prove`."""
    try:
        sessions.prove_password(caller.account.username, password, device)
    except Unauthenticated:
        raise Forbidden("This is not your password.", field=field) from None


def prove_code(caller: Caller, code: str | None) -> None:
    """Use up a code of the caller's second factor. Raises SecondFactorRequired without one, Forbidden, TooMany."""
    if not code:
        raise SecondFactorRequired(_CODE_MISSING, field="code")
    try:
        two_factor.verify(caller.account, code)
    except Unauthenticated as error:
        raise Forbidden(error.message, field="code") from None


def needs_code(caller: Caller) -> bool:
    """Whether `require_recent` needs a code: the account has a second factor, and this session did not prove it lately.

    The log-in is a proof for `RECENT` seconds.
    """
    if not caller.account.two_factor:
        return False
    proved_at = caller.credential.proved_at
    return proved_at is None or proved_at < time.time() - RECENT


def require_recent(caller: Caller, code: str | None) -> None:
    """Check what acts on other accounts require: a recent proof of the second factor, if the caller has one.

    A code renews the proof of the session. Raises as `prove_code`.
    """
    if needs_code(caller):
        prove_code(caller, code)
        actions = caller.credential.assign(proved_at=int(time.time()))
        caller.credential.update_or_read(actions, Credential.pk.exists())
