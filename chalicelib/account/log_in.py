"""Logging in, at once or in two steps, and out."""

from chalicelib.core import credentials, sessions
from chalicelib.core.caller import Caller, Device


def begin(username: str, password: str, code: str | None, device: Device) -> tuple[Caller, str] | str:
    """A session: who it is, and its secret. Or a ticket, where the account needs a code and none was given.

    Raises as sessions.prove_password and sessions.open_session.
    """
    account = sessions.prove_password(username, password, device)
    if account.two_factor and not code:
        return sessions.issue_ticket(account, device)
    credential, secret = sessions.open_session(account, code, device)
    return Caller(account, credential), secret


def finish(ticket: str, code: str, device: Device) -> tuple[Caller, str]:
    """The session that a ticket and a code open. Raises as sessions.redeem_ticket."""
    return sessions.redeem_ticket(ticket, code, device)


def log_out(caller: Caller) -> None:
    """End the session that the caller came with."""
    credentials.revoke(caller.credential, caller)
