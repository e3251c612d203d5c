"""The second factor of uploads: tokens for one credential, and upload windows, in which a key needs no token."""

import time
from datetime import timedelta
from typing import Any

from chalicelib.core import audit
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, NotFound, SecondFactorRequired, Unauthenticated
from chalicelib.core.identity import credentials
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Credential

LIFETIME = timedelta(minutes=15)  # of tokens and windows


def issue_token(caller: Caller) -> tuple[str, int]:
    """Issue a token that replaces the second factor for this credential: (token, its expiry in epoch seconds)."""
    credential, token = credentials.create(
        caller.account,
        credentials.SECOND_FACTOR,
        ends_after=LIFETIME,
        bound_to=_binding(caller),
        by=caller,
    )
    return token, int(credential.ends_at.timestamp())


def open_window(caller: Caller, key: Credential | None = None) -> int:
    """Let a credential upload without a token for the lifetime of a token, for clients that cannot send one.

    The credential is `key`, or else the caller's own. Returns the end of the window in epoch seconds. The window closes
    when two-factor is turned off or enrolled again.
    """
    until = int(time.time() + LIFETIME.total_seconds())
    _set_window(caller, key, "two-factor.open-window", window_until=until, window_for=caller.account.two_factor)
    return until


def close_window(caller: Caller, key: Credential | None = None) -> None:
    """Close the window of `key`, or else of the caller's own credential: it needs the second factor again."""
    _set_window(caller, key, "two-factor.close-window", window_until=None, window_for=None)


def require(caller: Caller, token: str | None) -> None:
    """Raise SecondFactorRequired if the account needs it for uploads, and there is no valid token or open window."""
    account = caller.account
    if not (account.two_factor and account.second_factor_for_uploads) or window_of(account, caller.credential):
        return
    required = SecondFactorRequired("Two-factor authentication required")
    if not token:
        raise required
    try:
        credential = credentials.check(token, credentials.SECOND_FACTOR)
    except (Unauthenticated, Forbidden):
        raise required from None
    if credential.bound_to != _binding(caller):
        raise required


def window_of(account: Account, key: Credential) -> int | None:
    """The end of a credential's window, in epoch seconds; None if the window is closed."""
    until = int(key.window_until or 0)
    return until if key.window_for == account.two_factor and until > time.time() else None


def _set_window(caller: Caller, key: Credential | None, action: str, **values: Any) -> None:
    writes = Transaction()
    credential = key or caller.credential
    writes.update(
        credential,
        credential.assign(**values),
        Credential.pk.exists() & Credential.revoked_at.does_not_exist(),
        NotFound("There is no such key."),
    )
    writes.put(audit.entry_by(caller, action, f"credential#{int(credential.id)}"))
    writes.commit()


def _binding(caller: Caller) -> str:
    return f"{int(caller.credential.id)}#{caller.account.two_factor}"
