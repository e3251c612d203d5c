"""Log-in, in one or two steps, and log-out."""

from chalicelib.core.caller import Caller, Device
from chalicelib.core.identity import credentials, sessions


def begin(username: str, password: str, code: str | None, device: Device) -> tuple[Caller, str] | str:
    """Create a session; return its caller and its secret, or a ticket if the account needs a code and none was given.

    Raises the errors of sessions.prove_password and sessions.open_session.
    """
    account = sessions.prove_password(username, password, device)
    if account.two_factor and not code:
        return sessions.issue_ticket(account, device)
    credential, secret = sessions.open_session(account, code, device)
    return Caller(account, credential), secret


def finish(ticket: str, code: str, device: Device) -> tuple[Caller, str]:
    """Create a session with a ticket and a code. Raises the errors of sessions.redeem_ticket."""
    return sessions.redeem_ticket(ticket, code, device)


def log_out(caller: Caller) -> None:
    """End the session of this request."""
    credentials.revoke(caller.credential, caller)
