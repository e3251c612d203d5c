"""Names of deleted and renamed objects, reserved for their former owners.

A client that still knows such a name must not install another author's files: docs/decisions/0034-proofs-and-names.md.
"""

from collections.abc import Iterable
from datetime import timedelta

from chalicelib import settings
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import ReservedName, now


class NameReserved(Conflict):
    """The name is reserved for its former owners."""


def reserve(writes: Transaction, service: str, name: str, owners: Iterable[str]) -> None:
    """Reserve a name for some usernames in the transaction that frees it, for the number of days in the settings."""
    if days := settings.current().name_quarantine_days:
        usernames = sorted({owner.lower() for owner in owners})
        writes.put(ReservedName(_pk(service, name), "reserved-name", owners=usernames, expires_at=timedelta(days=days)))


def is_available(service: str, name: str, username: str) -> bool:
    """Whether an account with this username can use the name: it is not reserved for others."""
    found = _find(service, name)
    return found is None or username.lower() in found.owners


def check(service: str, name: str, username: str) -> None:
    """Raise NameReserved if the name is reserved for others."""
    found = _find(service, name)
    if found is not None and username.lower() not in found.owners:
        raise NameReserved(f"The name {name} is reserved for its former owner until {found.expires_at:%Y-%m-%d}.")


def release(service: str, name: str) -> None:
    """Make a reserved name available to every account. Raises NotFound."""
    found = _find(service, name)
    if found is None:
        raise NotFound(f"The name {name} is not reserved in {service}.")
    found.delete()


def _find(service: str, name: str) -> ReservedName | None:
    found = ReservedName.find(_pk(service, name), "reserved-name")
    return found if found and found.expires_at > now() else None


def _pk(service: str, name: str) -> str:
    return f"reserved-name#{service}#{name.lower()}"
