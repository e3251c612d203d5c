"""Dynamic updates (RFC 2136): checks of the message and its key, and the reply."""

import logging
import struct
from collections.abc import Callable
from functools import cache
from typing import cast

import dns.exception
import dns.message
from dns.name import Name
from dns.opcode import Opcode
from dns.rcode import Rcode
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from dns.update import UpdateMessage

from chalicelib.core import read_only
from chalicelib.core.errors import Busy, CoreError
from chalicelib.core.identity import accounts
from chalicelib.luadns import dynamic_updates
from chalicelib.luadns.auth import SWITCH
from chalicelib.luadns.stored_zones import StoredZone
from chalicelib.luadns.tables import TsigKey
from chalicelib.luadns.zone_data import ZoneData
from standalone.dns import messages, signatures
from standalone.dns.signatures import Keys

log = logging.getLogger("moonbase.dns")


def is_update(wire: bytes) -> bool:
    """Whether a message is the request of an update."""
    return len(wire) >= 12 and wire[2] >> 7 == 0 and (wire[2] >> 3) & 0xF == Opcode.UPDATE


def answer(wire: bytes, keys: Keys, find_zone: Callable[[Name], ZoneData | None]) -> bytes:
    """Make the update in a message; return its reply, which is signed if the message has a right signature."""
    try:
        message = cast(UpdateMessage, dns.message.from_wire(wire, keyring=keys.for_message))
    except signatures.WRONG as error:
        return signatures.refusal(wire, error, keys)
    except (dns.exception.DNSException, ValueError, struct.error):
        return messages.bare(wire, Rcode.FORMERR)
    response = dns.message.make_response(message)
    response.set_rcode(_make(message, keys.stored(message.keyname), find_zone))
    return response.to_wire()


def _make(message: UpdateMessage, key: TsigKey | None, find_zone: Callable[[Name], ZoneData | None]) -> Rcode:
    if len(message.zone) != 1 or message.zone[0].rdtype != RdataType.SOA:
        return Rcode.FORMERR
    if key is None or not _may_change(key):
        return Rcode.REFUSED
    origin = message.zone[0].name
    zone = find_zone(origin)
    if not isinstance(zone, StoredZone) or zone.origin != origin or message.zone[0].rdclass != RdataClass.IN:
        return Rcode.NOTAUTH
    sections = (*message.prerequisite, *message.update)
    if any(not rrset.name.is_subdomain(origin) for rrset in sections):
        return Rcode.NOTZONE
    if not dynamic_updates.permits(key, zone.head, message.update):
        return Rcode.REFUSED
    try:
        read_only.require_writable()
        return dynamic_updates.apply(zone.head, key, message.prerequisite, message.update)
    except Busy:  # also in read-only mode
        return Rcode.SERVFAIL
    except CoreError as error:
        log.info("%s: an update with the key %s is refused: %s", zone.head.name, key.name, error.message)
        return Rcode.REFUSED


@cache
def _load_slices() -> None:
    """Load the declarations, which name what accounts have; only updates need them in this process."""
    import app

    assert app.SLICES, "the declarations are loaded"


def _may_change(key: TsigKey) -> bool:
    """Whether the account of a key may use LuaDNS."""
    _load_slices()
    account = accounts.get(int(key.account_id))
    return not account.suspended and accounts.is_on(account, SWITCH)
