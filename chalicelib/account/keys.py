"""An account's keys and tokens, of every service."""

from datetime import timedelta

from chalicelib.account import second_factor
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict
from chalicelib.core.identity import credentials, upload_factor
from chalicelib.core.tables import Credential

MOST = 200  # live keys of one account


def create(
    caller: Caller, service: str, scope: str | None, expires_in_days: int | None, comment: str | None
) -> tuple[Credential, str]:
    """Create a key; return it and its secret, which cannot be read again. Raises Invalid, or Conflict after `MOST`."""
    if sum(credentials.is_live(caller.account, key) for key in credentials.list_keys(caller.account)) >= MOST:
        raise Conflict(f"An account has at most {MOST} keys: revoke unused ones first.")
    ends_after = timedelta(days=expires_in_days) if expires_in_days else None
    return credentials.create(
        caller.account, service, scope=scope, ends_after=ends_after, comment=comment or "", by=caller
    )


def revoke(caller: Caller, number: int) -> None:
    """Revoke a key. Raises NotFound."""
    credentials.revoke(credentials.own(caller.account, number, *credentials.services()), caller)


def open_window(caller: Caller, number: int, code: str) -> int:
    """Let one LuaRocks key upload without a token for 15 minutes; `code` proves the second factor.

    Returns the end in epoch seconds. Raises NotFound, and the errors of second_factor.use_code.
    """
    key = credentials.own(caller.account, number, "luarocks")
    second_factor.use_code(caller, code)
    return upload_factor.open_window(caller, key)


def close_window(caller: Caller, number: int) -> None:
    """Require the second factor from this key again. Raises NotFound."""
    upload_factor.close_window(caller, credentials.own(caller.account, number, "luarocks"))
