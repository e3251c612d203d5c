"""The jobs that make Route 53 follow the store. They run under the zone's lease: one process at a time."""

import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import dns.rdatatype
from botocore.exceptions import BotoCoreError, ClientError
from dns.name import Name
from dns.rcode import Rcode
from pynamodb.exceptions import UpdateError

from chalicelib import settings
from chalicelib.core.errors import Busy, NotFound
from chalicelib.core.jobs import Later
from chalicelib.luadns import store, stored_zones
from chalicelib.luadns.engines import Sync, hosted_zones
from chalicelib.luadns.engines.change_batches import RecordSet, SetKey, key_of, record_set
from chalicelib.luadns.engines.hosted_zones import Filled
from chalicelib.luadns.resolver import ADDRESSES, Resolver
from chalicelib.luadns.store import Owner
from chalicelib.luadns.stored_zones import StoredZone
from chalicelib.luadns.tables import Publication, Zone
from chalicelib.luadns.upstream import Upstream

_LOOK_SOON = 2.0  # seconds between looks while somebody waits at the command line
LOOK_AGAIN = 10  # seconds until a change is asked about, or a lease that somebody else has
ALIASES_EVERY = 300  # seconds: what ALIAS targets lead to may change without us
_LEASE = 240  # seconds: longer than a job takes
_LONGEST_PAUSE = 300  # seconds between tries while Route 53 is away, or refuses something
_upstream = Upstream()
_log = logging.getLogger(__name__)


def follow(payload: Any) -> None:
    """Do the job of one zone: publish what it has, or look whether all servers have it by now. May raise Later."""
    zone_id, fresh = int(payload["zone_id"]), {**payload, "waiting": False}
    with leased(zone_id, payload) as publication, _retried(publication, fresh):
        try:
            zone = store.zone(Owner(int(payload["account_id"])), zone_id)
        except NotFound:
            return
        if not payload.get("waiting"):
            publish(zone, publication)
        if not confirm(zone, publication):
            raise Later(LOOK_AGAIN, {**payload, "waiting": True})
        if publication.error:
            raise Later(_LONGEST_PAUSE, fresh)
        if zone.aliases_count:
            raise Later(ALIASES_EVERY, fresh)


def unpublish(payload: Any) -> None:
    """Do the job of a zone that was deleted. May raise Later."""
    zone_id = int(payload["zone_id"])
    with leased(zone_id, payload) as publication, _retried(publication, payload):
        hosted_id = payload["hosted_zone"]
        if hosted_id is None:  # deleted before it was noted, or before it was made
            found = hosted_zones.find(zone_id, payload["name"])
            hosted_id = found.id if found else None
        if hosted_id is not None:
            hosted_zones.remove(hosted_id)
    publication.delete()


def sync(zone: Zone, patience: float = 120.0) -> Sync:
    """Publish a zone now, and wait until all servers have it. Raises Busy when others do so, or it takes too long."""
    ends = time.monotonic() + patience
    try:
        with leased(int(zone.id)) as publication:
            filled = publish(zone, publication)
            while not confirm(zone, publication):
                if time.monotonic() > ends:
                    raise Busy("Route 53 has taken the zone, and has not yet told all its servers.")
                time.sleep(_LOOK_SOON)
            hosted = hosted_zones.get(zone.hosted_zone)
    except Later:
        raise Busy(f"The zone is just being published; try again in {LOOK_AGAIN} seconds.") from None
    return Sync(filled.change_id is not None, filled.refused, hosted.name_servers if hosted else ())


def publish(zone: Zone, publication: Publication) -> Filled:
    """Make the hosted zone have what the zone has; what Route 53 refuses is noted. For the holder of the lease."""
    data = StoredZone(zone, whole=True)
    try:
        filled = _fill(zone, data)
    except ClientError as error:
        if hosted_zones.code_of(error) != hosted_zones.GONE:
            raise
        zone.hosted_zone = None  # somebody deleted it by hand
        filled = _fill(zone, data)
    publication.update(
        actions=publication.assign(
            change=filled.change_id or publication.change,
            serial=data.serial,
            error="; ".join(f"{name} {reason}" for name, reason in filled.refused)[:1000] or None,
            failures=0,
        )
    )
    return filled


def confirm(zone: Zone, publication: Publication) -> bool:
    """Note the zone as published when all name servers have it; whether nothing is to be waited for."""
    if publication.change:
        if not hosted_zones.in_sync(publication.change):
            return False
        publication.update(actions=publication.assign(change=None))
    if not publication.error:
        _note(zone, published_serial=publication.serial)
    return True


@contextmanager
def leased(zone_id: int, payload: Any = None) -> Iterator[Publication]:
    """Have a zone's publication to oneself. Raises Later when somebody else has it."""
    moment, holder = time.time(), secrets.token_hex(8)
    free = Publication.lease_ends.does_not_exist() | (Publication.lease_ends < moment)
    taken, publication = Publication(f"publication#{zone_id}", "publication").update_or_read(
        [
            Publication.kind.set(Publication),
            Publication.lease_ends.set(moment + _LEASE),
            Publication.holder.set(holder),
        ],
        free,
    )
    if not taken or publication is None:
        raise Later(LOOK_AGAIN, payload)
    try:
        yield publication
    finally:
        with suppress(UpdateError):  # it took so long that somebody else has the lease, or the zone is gone
            publication.update(actions=[Publication.lease_ends.set(0)], condition=Publication.holder == holder)


@contextmanager
def _retried(publication: Publication, payload: Any) -> Iterator[None]:
    """Try again later, ever more seldom, when Route 53 is away, throttles us or is at fault itself."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        failures = int(publication.failures) + 1
        publication.update(actions=publication.assign(failures=failures))
        pause = min(5 * 2 ** min(failures, 10), _LONGEST_PAUSE)
        _log.warning("Route 53: %s; the next try is in %d seconds", error, pause)
        raise Later(pause, payload) from error


def _fill(zone: Zone, data: StoredZone) -> Filled:
    if not zone.hosted_zone:
        made = hosted_zones.find_or_create(int(zone.id), zone.name)
        _note(zone, hosted_zone=made.id)
    has = hosted_zones.record_sets(zone.hosted_zone)
    return hosted_zones.fill(zone.hosted_zone, has, _wanted(data, has))


def _wanted(data: StoredZone, has: Mapping[SetKey, RecordSet]) -> dict[SetKey, RecordSet]:
    """The sets that a hosted zone should have.

    Its SOA record is Route 53's own, and so are its name servers, unless a delegation set of ours stands behind them.
    """
    wanted: dict[SetKey, RecordSet] = {}
    apex = data.origin.to_text().lower()
    own = {"SOA"} if settings.current().luadns_delegation_set else {"SOA", "NS"}
    for rrset in data.rrsets():
        found = record_set(rrset)
        if key_of(found).name != apex or found["Type"] not in own:
            wanted[key_of(found)] = found
    wanted.update({key: found for key, found in has.items() if key.name == apex and key.type in own})
    for key, node in data.nodes():
        if "ALIAS" in node:
            wanted |= _from_alias(Name(key), wanted, has)
    return wanted


def _from_alias(
    name: Name, wanted: Mapping[SetKey, RecordSet], has: Mapping[SetKey, RecordSet]
) -> dict[SetKey, RecordSet]:
    """The addresses that an ALIAS leads to now; what stands already, when nobody can tell."""
    found: dict[SetKey, RecordSet] = {}
    resolver = Resolver(stored_zones.find, _upstream.addresses)
    for rdtype in ADDRESSES:
        key = SetKey(name.to_text().lower(), dns.rdatatype.to_text(rdtype))
        if key in wanted:
            continue
        answer = resolver.resolve(name, rdtype)
        if answer.rcode == Rcode.SERVFAIL:
            found |= {key: has[key]} if key in has else {}
        elif answer.answer:
            found[key] = record_set(answer.answer[-1])
    return found


def _note(zone: Zone, **values: Any) -> None:
    """Note something at the zone, unless it has been deleted meanwhile."""
    with suppress(UpdateError):
        zone.update(actions=zone.assign(**values), condition=Zone.pk.exists())
