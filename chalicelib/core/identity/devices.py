"""The devices from which an account logs in: the owner is notified of a new one.

A device is the pair of a client, which is its User-Agent without numbers, and a network, which is the first 24 bits of
an IPv4 address or 48 of an IPv6 one. Only a hash of the pair is stored.
"""

import ipaddress
import re
from datetime import UTC, datetime, timedelta

from chalicelib.core.caller import Device
from chalicelib.core.identity.credentials import hash_of
from chalicelib.core.notifications.posting import notify
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Familiar

_REMEMBERED_FOR = timedelta(days=365)


def record(writes: Transaction, account: Account, device: Device) -> None:
    """Add a device to the transaction of a log-in, unless it is known, and the notification of its owner.

    A device is known for a year. There is no notification of an account's first device.
    """
    pair = f"{re.sub('[0-9.]+', '', device.user_agent)}\n{_network_of(device.address)}"
    pk, sk, moment = f"devices#{int(account.id)}", hash_of(pair), datetime.now(UTC)
    known = Familiar.find(pk, sk)
    if known and known.expires_at > moment:
        return
    writes.put(Familiar(pk, sk, expires_at=moment + _REMEMBERED_FOR))
    if any(other.sk != sk for other in Familiar.query(pk, limit=2, consistent_read=True)):
        _notify_owner(writes, account, device)


def _notify_owner(writes: Transaction, account: Account, device: Device) -> None:
    text = f"Address: {device.address or 'unknown'}\nClient: {device.user_agent[:200] or 'unknown'}"
    subject = "Your account logged in from a new device."
    notify(writes, account, "session.new-device", subject, "/account/sessions", text=text)


def _network_of(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))
