"""Sessions: log-in by password and second factor, and the list of an account's sessions.

A session's secret is created at log-in. A session ends after `LIFETIME`, when it is revoked, or when the account's era
changes, which ends all its sessions (accounts.new_era).
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from chalicelib.core import audit, limits
from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import TooMany, Unauthenticated
from chalicelib.core.identity import accounts, credentials, devices, two_factor
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Credential, Familiar

LIFETIME = timedelta(days=30)
TICKET_LIFETIME = timedelta(minutes=10)
# High, because any client can use up an account's attempts, but low enough against guessing: 8,640 passwords a day.
ATTEMPTS = 30
ATTEMPTS_OF_ADDRESS = 100
WINDOW = 300  # seconds
_FAMILIAR_FOR = timedelta(days=90)
_TOO_MANY = "Too many attempts to log in, try again later."


def prove_password(username: str, password: str, device: Device) -> Account:
    """Return the account with this username and password.

    Raises the errors of accounts.log_in, and TooMany after `ATTEMPTS` for an account or `ATTEMPTS_OF_ADDRESS` from a
    network in `WINDOW` seconds. Networks with an earlier log-in to the account have their own `ATTEMPTS`, so that other
    clients cannot lock its owner out.
    """
    network = limits.network_of(device.address)
    if network:
        limits.count(f"log-in-from#{network}", ATTEMPTS_OF_ADDRESS, WINDOW, _TOO_MANY)
    if accounts.is_username(username):
        _count_attempt(username, network)
    return accounts.log_in(username, password)


def open_session(account: Account, code: str | None, device: Device) -> tuple[Credential, str]:
    """Create a session after `prove_password`; return it and its secret. `code` proves the second factor.

    The owner is notified if the device is new (`devices.record`).
    Raises Unauthenticated for a wrong or missing code, and TooMany after too many codes.
    """
    if account.two_factor:
        if not code:
            raise Unauthenticated("This account uses two-factor authentication.", field="code")
        two_factor.verify(account, code)
    limits.reset(_attempts(account.username), WINDOW)
    _mark_familiar(account.username, limits.network_of(device.address))
    proved_at = int(time.time()) if account.two_factor else None
    return credentials.create(
        account,
        credentials.SESSION,
        ends_after=LIFETIME,
        device=device,
        proved_at=proved_at,
        also=lambda writes: devices.record(writes, account, device),
    )


def issue_ticket(account: Account, device: Device) -> str:
    """Return a ticket that represents the proved password until the second factor is proved."""
    bound = _binding(account)
    lifetime = TICKET_LIFETIME
    return credentials.create(account, credentials.LOG_IN, ends_after=lifetime, bound_to=bound, device=device)[1]


def redeem_ticket(ticket: str, code: str, device: Device) -> tuple[Caller, str]:
    """Create a session with a ticket and a code; return the caller and the session's secret.

    Raises Unauthenticated, Suspended or TooMany. A ticket stays valid after a wrong code; a change of the password or
    of the second factor invalidates it.
    """
    try:
        caller = credentials.identify(ticket, credentials.LOG_IN)
    except (Unauthenticated, credentials.Revoked):
        raise _no_ticket() from None
    if caller.credential.bound_to != _binding(caller.account):
        raise _no_ticket()
    credential, secret = open_session(caller.account, code, device)
    credentials.revoke(caller.credential, caller)
    return Caller(caller.account, credential), secret


def list_sessions(account: Account) -> Iterator[Credential]:
    """Return the account's live sessions, oldest first."""
    found = credentials.list_credentials(account)
    return (
        credential
        for credential in found
        if credential.service == credentials.SESSION and credentials.is_live(account, credential)
    )


def end(caller: Caller, number: int) -> None:
    """End one of the caller's sessions. Raises NotFound."""
    credentials.revoke(credentials.own(caller.account, number, credentials.SESSION), caller)


def end_all(account: Account, *, keep: Credential | None = None, by: Caller | None = None) -> None:
    """Log the account out everywhere, except where it uses `keep`."""
    writes = Transaction()
    writes.update(account, accounts.new_era(account, writes, keep), Account.pk.exists())
    writes.put(audit.entry(int(account.id), "session.end-all", account.pk, by))
    writes.commit()


def _count_attempt(username: str, network: str) -> None:
    try:
        limits.count(_attempts(username), ATTEMPTS, WINDOW, _TOO_MANY)
    except TooMany:
        if not _is_familiar(username, network):
            raise
        limits.count(_attempts(username, network), ATTEMPTS, WINDOW, _TOO_MANY)


def _attempts(username: str, network: str = "") -> str:
    return f"log-in#{username.lower()}#{network}"


def _mark_familiar(username: str, network: str) -> None:
    if network:
        Familiar(f"familiar#{username.lower()}", network, expires_at=_FAMILIAR_FOR).save()


def _is_familiar(username: str, network: str) -> bool:
    found = Familiar.find(f"familiar#{username.lower()}", network) if network else None
    return found is not None and found.expires_at > datetime.now(UTC)


def _binding(account: Account) -> str:
    return f"{account.era}#{account.two_factor}"


def _no_ticket() -> Unauthenticated:
    return Unauthenticated("Log in with your password again: it took too long, or something has changed.")
