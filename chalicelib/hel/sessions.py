"""Log-in and log-out in Hel's dialect, with the account's password and second factor."""

from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import Invalid, Unauthenticated
from chalicelib.core.identity import credentials, sessions
from chalicelib.core.tables import Account
from chalicelib.hel import users


def log_in(nickname: str, password: str, code: str | None, device: Device) -> str:
    """Create a session and return its secret; `code` proves the second factor of an account that has one.

    Raises Invalid, accounts.Suspended or TooMany.
    """
    users.require_nickname(nickname)
    users.require_password(password)
    account = _prove_password(nickname, password, device)
    if account.two_factor and not code:
        raise Invalid('This account uses two-factor authentication: also send its current code as "code".')
    try:
        return sessions.open_session(account, code, device)[1]
    except Unauthenticated:
        raise Invalid("Incorrect verification code.") from None


def log_out(caller: Caller) -> None:
    """End the session of this request."""
    credentials.revoke(caller.credential, caller)


def _prove_password(nickname: str, password: str, device: Device) -> Account:
    try:
        return sessions.prove_password(nickname, password, device)
    except Unauthenticated:
        raise Invalid("Incorrect nickname and/or password.") from None
