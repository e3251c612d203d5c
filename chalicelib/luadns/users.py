"""What LuaDNS knows of an account beside its zones."""

from chalicelib.core import audit
from chalicelib.core.caller import Caller
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account


def enable(account: Account, by: Caller | None = None) -> None:
    """Let an account use the API."""
    _switch(account, True, by)


def disable(account: Account, by: Caller | None = None) -> None:
    """Close the API to an account; its zones stay, and name servers go on answering for them."""
    _switch(account, False, by)


def _switch(account: Account, on: bool, by: Caller | None) -> None:
    writes = Transaction()
    writes.update(account, [Account.luadns_enabled.set(on)])
    writes.put(audit.entry(int(account.id), "luadns.enable" if on else "luadns.disable", account.pk, by))
    writes.commit()
    account.luadns_enabled = on
