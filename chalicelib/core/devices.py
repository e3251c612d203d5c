"""The devices from which an account logs in: the owner is notified of a new one.

A device is the pair of a client, which is its User-Agent without numbers, and a network, which is the first 24 bits of
an IPv4 address or 48 of an IPv6 one. Only a hash of the pair is stored.
"""

import ipaddress
import re
from datetime import UTC, datetime, timedelta

from chalicelib.core.caller import Device
from chalicelib.core.credentials import hash_of
from chalicelib.core.notifications.posting import notify
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Familiar

_REMEMBERED_FOR = timedelta(days=365)


def is_new(account: Account, device: Device) -> bool:
    """Record a log-in from a device; return whether it is the first one in a year, but not the account's first one."""
    pair = f"{re.sub('[0-9.]+', '', device.user_agent)}\n{_network_of(device.address)}"
    pk, sk, moment = f"devices#{int(account.id)}", hash_of(pair), datetime.now(UTC)
    unknown = Familiar.pk.does_not_exist() | (Familiar.expires_at <= moment)
    actions = [Familiar.kind.set(Familiar), Familiar.expires_at.set(moment + _REMEMBERED_FOR)]
    if not Familiar(pk, sk).update_or_read(actions, unknown)[0]:
        return False
    return any(other.sk != sk for other in Familiar.query(pk, limit=2, consistent_read=True))


def notify_owner(writes: Transaction, account: Account, device: Device) -> None:
    """Add the notification of a log-in from a new device to a transaction."""
    text = f"Address: {device.address or 'unknown'}\nClient: {device.user_agent[:200] or 'unknown'}"
    subject = "Your account logged in from a new device."
    notify(writes, account, "session.new-device", subject, "/account/sessions", text=text)


def _network_of(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))
