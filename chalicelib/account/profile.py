"""One's own account: password, e-mail address, LuaDNS. Password and address need the current password."""

from chalicelib import settings
from chalicelib.core import accounts, passwords, sessions
from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import Forbidden, Unauthenticated

LUADNS = "luadns_enabled"  # the switch of an account that enables LuaDNS' API


def prove_password(caller: Caller, password: str, device: Device, field: str = "password") -> None:
    """Raise Forbidden for a wrong password, and TooMany as at log-in, so that a stolen session cannot guess it."""
    try:
        sessions.prove_password(caller.account.username, password, device)
    except Unauthenticated:
        raise Forbidden("This is not your password.", field=field) from None


def change_password(caller: Caller, current_password: str, password: str, device: Device) -> None:
    """Change the password; other sessions end. Raises the errors of `prove_password`, and Invalid."""
    account = caller.account
    passwords.check_chosen(password, account.username, account.email)
    prove_password(caller, current_password, device, "current_password")
    accounts.set_password(account, password, caller, keep=caller.credential)


def change_email(caller: Caller, password: str, email: str, device: Device) -> None:
    """Change the e-mail address. Raises the errors of `prove_password`, Invalid, EmailTaken or Conflict."""
    accounts.check_email(email)
    prove_password(caller, password, device)
    accounts.set_email(caller.account, email, caller)


def may_enable_luadns(caller: Caller) -> bool:
    """Whether the caller can enable LuaDNS' API: administrators can, users if the operator permits self-service."""
    return settings.current().luadns_self_service or caller.account.rank == "ADMIN"


def switch_luadns(caller: Caller, enabled: bool) -> None:
    """Enable or disable LuaDNS' API for the caller's account. Raises Forbidden."""
    if enabled and not may_enable_luadns(caller):
        raise Forbidden("Only an administrator can enable LuaDNS' API here.")
    accounts.switch(caller.account, LUADNS, enabled, caller)
