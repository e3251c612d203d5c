"""NOTIFY (RFC 1996): tells secondaries that a zone has changed, in a job that is repeated until they answer."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chalicelib import settings
from chalicelib.core import jobs
from chalicelib.core.jobs import Reschedule
from chalicelib.core.outbound import addresses, datagrams
from chalicelib.core.outbound.datagrams import Peer
from chalicelib.core.storage import Transaction
from chalicelib.luadns import secondaries, tsig_keys
from chalicelib.luadns.secondaries import Secondary
from chalicelib.luadns.tables import Zone, account_pk, zone_sk

if TYPE_CHECKING:
    from dns.message import Message

NOTIFY = "luadns-notify"
_WAIT = 1.0  # seconds for all answers of one attempt
_DELAYS = (5, 15, 60, 300, 900, 3600)  # seconds between two attempts; the secondary's refresh comes after them
_log = logging.getLogger(__name__)


def zone_changed(writes: Transaction, zone: Zone) -> None:
    """Add the job to the transaction that changes a zone, if the zone has secondaries to notify."""
    if secondaries.to_notify(zone):
        payload = {"account_id": int(zone.account_id), "zone_id": int(zone.id)}
        jobs.enqueue(writes, NOTIFY, payload, once=zone.sk)


def run_notify_job(payload: Any) -> None:
    """The job NOTIFY: notify the secondaries of a zone; after the first attempt, those that have not answered."""
    zone = Zone.find(account_pk(payload["account_id"]), zone_sk(payload["zone_id"]))
    if zone is None:
        return
    waiting, attempt = payload.get("waiting"), payload.get("attempt", 0)
    wanted = [each for each in secondaries.to_notify(zone) if waiting is None or [each.address, each.port] in waiting]
    silent = _notify(zone, wanted)
    if not silent:
        return
    if attempt == len(_DELAYS):
        _log.warning("%s: no answer to NOTIFY from %s", zone.name, ", ".join(each.address for each in silent))
        return
    left = [[each.address, each.port] for each in silent]
    raise Reschedule(_DELAYS[attempt], {**payload, "waiting": left, "attempt": attempt + 1})


def _notify(zone: Zone, wanted: Sequence[Secondary]) -> list[Secondary]:
    """Send NOTIFY to these secondaries; return those that have not answered."""
    messages: dict[Peer, Message] = {}
    wires: dict[Peer, bytes] = {}
    for each in wanted:
        peer = (each.address, each.port)
        messages[peer] = _message(zone, each)
        wires[peer] = messages[peer].to_wire()
    trusted = [(address, secondaries.DNS_PORT) for address in settings.current().luadns_transfer_to]
    rules = addresses.address_rules(trusted=trusted)
    answered = datagrams.exchange(wires, rules, _WAIT, lambda peer, wire: _is_answer(messages[peer], wire))
    return [each for each in wanted if (each.address, each.port) not in answered]


def _message(zone: Zone, secondary: Secondary) -> "Message":
    import dns.flags
    import dns.message
    import dns.opcode
    import dns.tsig

    message = dns.message.make_query(f"{zone.name}.", "SOA")
    message.flags = dns.flags.AA
    message.set_opcode(dns.opcode.NOTIFY)
    key = tsig_keys.find(secondary.key) if secondary.key else None
    if key is not None:
        message.use_tsig(dns.tsig.Key(f"{key.name}.", tsig_keys.secret_of(key), f"{key.algorithm}."))
    return message


def _is_answer(query: "Message", wire: bytes) -> bool:
    """Whether a datagram answers the NOTIFY. Its code does not matter: the secondary knows of the change.

    Its signature does not matter either: a forged answer can only end the repetitions.
    """
    import dns.exception
    import dns.message

    try:
        answer = dns.message.from_wire(wire, keyring=False, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return False
    return answer.id == query.id and answer.opcode() == query.opcode() and bool(answer.flags & 0x8000)
