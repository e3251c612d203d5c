"""One's own account: password, e-mail address, LuaDNS. Password and address need a proof (core/identity/proof.py)."""

from chalicelib import settings
from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import Forbidden
from chalicelib.core.identity import accounts, passwords, proof

LUADNS = "luadns_enabled"  # the switch of an account that enables LuaDNS' API


def change_password(caller: Caller, current_password: str, password: str, code: str | None, device: Device) -> None:
    """Change the password; other sessions end. Raises Invalid, and the errors of proof.prove."""
    account = caller.account
    passwords.check_chosen(password, account.username, account.email)
    proof.prove(caller, current_password, code, device, "current_password")
    accounts.set_password(account, password, caller, keep=caller.credential)


def change_email(caller: Caller, password: str, email: str, code: str | None, device: Device) -> None:
    """Change the e-mail address. Raises Invalid, EmailTaken, Conflict, and the errors of proof.prove."""
    accounts.check_email(email)
    proof.prove(caller, password, code, device)
    accounts.set_email(caller.account, email, caller)


def may_enable_luadns(caller: Caller) -> bool:
    """Whether the caller can enable LuaDNS' API: administrators can, users if the operator permits self-service."""
    return settings.current().luadns_self_service or caller.account.rank == "ADMIN"


def switch_luadns(caller: Caller, enabled: bool) -> None:
    """Enable or disable LuaDNS' API for the caller's account. Raises Forbidden."""
    if enabled and not may_enable_luadns(caller):
        raise Forbidden("Only an administrator can enable LuaDNS' API here.")
    accounts.switch(caller.account, LUADNS, enabled, caller)
