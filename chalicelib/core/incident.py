"""The answer to a break-in: ends sessions, revokes keys, and asks for new second factors.

Each step can be repeated: what is done already is left as it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.core.identity import credentials, sessions, two_factor
from chalicelib.core.tables import Account


@dataclass(frozen=True)
class Suspects:
    """The keys that may have leaked: of these services (none: all), made before a time (None: all)."""

    services: Sequence[str] = ()
    made_before: datetime | None = None


@dataclass
class IncidentOutcome:
    """What an incident has ended."""

    accounts: int = 0
    keys: int = 0
    second_factors: int = 0


def revoke(accounts: Iterable[Account], suspects: Suspects, *, second_factors: bool) -> IncidentOutcome:
    """End all sessions of the accounts and revoke their suspect keys; with `second_factors` they are turned off too.

    An owner turns the second factor on again after the next log-in, with a new secret.
    """
    done = IncidentOutcome()
    for account in accounts:
        done.accounts += 1
        sessions.end_all(account)
        for key in credentials.list_keys(account):
            if _is_suspect(key.service, key.created_at, suspects) and credentials.is_live(account, key):
                credentials.revoke(key)
                done.keys += 1
        if second_factors and account.two_factor:
            two_factor.disable(account)
            done.second_factors += 1
    return done


def _is_suspect(service: str, created_at: datetime, suspects: Suspects) -> bool:
    is_old = suspects.made_before is None or created_at < suspects.made_before
    return is_old and (not suspects.services or service in suspects.services)
