"""The jobs that publish zones at Route 53. They hold the zone's lease, so that one process at a time publishes it."""

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
from chalicelib.core.jobs import Reschedule
from chalicelib.luadns import store, stored_zones
from chalicelib.luadns.engines import SyncResult, hosted_zones
from chalicelib.luadns.engines.change_batches import RecordSet, SetKey, key_of, record_set
from chalicelib.luadns.engines.hosted_zones import UpdateResult
from chalicelib.luadns.resolver import ADDRESSES, Resolver
from chalicelib.luadns.store import Owner
from chalicelib.luadns.stored_zones import StoredZone
from chalicelib.luadns.tables import Publication, Zone
from chalicelib.luadns.upstream import Upstream

_SYNC_POLL_INTERVAL = 2.0  # seconds between polls of `sync`, while a user waits at the command line
POLL_INTERVAL = 10  # seconds between polls of a job for a pending change, or for a lease of another process
ALIAS_REFRESH_INTERVAL = 300  # seconds; the addresses of ALIAS targets change without a change of the zone
_LEASE = 240  # seconds; longer than a job takes
_MAX_RETRY_DELAY = 300  # seconds between attempts while Route 53 fails, or rejects records
_upstream = Upstream()
_log = logging.getLogger(__name__)


def run_publish_job(payload: Any) -> None:
    """Publish a zone, or poll whether all name servers have it already. May raise Reschedule."""
    zone_id, fresh = int(payload["zone_id"]), {**payload, "waiting": False}
    with lease(zone_id, payload) as publication, _reschedule_on_failure(publication, fresh):
        try:
            zone = store.zone(Owner(int(payload["account_id"])), zone_id)
        except NotFound:
            return
        if not payload.get("waiting"):
            publish(zone, publication)
        if not confirm(zone, publication):
            raise Reschedule(POLL_INTERVAL, {**payload, "waiting": True})
        if publication.error:
            raise Reschedule(_MAX_RETRY_DELAY, fresh)
        if zone.aliases_count:
            raise Reschedule(ALIAS_REFRESH_INTERVAL, fresh)


def run_unpublish_job(payload: Any) -> None:
    """Remove the hosted zone of a deleted zone. May raise Reschedule."""
    zone_id = int(payload["zone_id"])
    with lease(zone_id, payload) as publication, _reschedule_on_failure(publication, payload):
        hosted_id = payload["hosted_zone"]
        if hosted_id is None:  # the zone was deleted before the hosted zone's id was stored, or before it existed
            found = hosted_zones.find(zone_id, payload["name"])
            hosted_id = found.id if found else None
        if hosted_id is not None:
            hosted_zones.remove(hosted_id)
    publication.delete()


def sync(zone: Zone, timeout: float = 120.0) -> SyncResult:
    """Publish a zone now, and wait up to `timeout` seconds until all name servers have it.

    Raises Busy after the timeout, or if another process holds the lease.
    """
    deadline = time.monotonic() + timeout
    try:
        with lease(int(zone.id)) as publication:
            result = publish(zone, publication)
            while not confirm(zone, publication):
                if time.monotonic() > deadline:
                    raise Busy("Route 53 has accepted the zone, but not all its servers have it yet.")
                time.sleep(_SYNC_POLL_INTERVAL)
            hosted = hosted_zones.get(zone.hosted_zone)
    except Reschedule:
        raise Busy(f"Another process is publishing the zone; try again in {POLL_INTERVAL} seconds.") from None
    return SyncResult(result.change_id is not None, result.rejected, hosted.name_servers if hosted else ())


def publish(zone: Zone, publication: Publication) -> UpdateResult:
    """Update the hosted zone, and store rejections in the publication. The caller holds the lease."""
    data = StoredZone(zone, whole=True)
    try:
        result = _update_hosted_zone(zone, data)
    except ClientError as error:
        if hosted_zones.error_code(error) != hosted_zones.NO_SUCH_HOSTED_ZONE:
            raise
        zone.hosted_zone = None  # deleted manually at Route 53
        result = _update_hosted_zone(zone, data)
    publication.update(
        actions=publication.assign(
            change=result.change_id or publication.change,
            serial=data.serial,
            error="; ".join(f"{name} {reason}" for name, reason in result.rejected)[:1000] or None,
            failures=0,
        )
    )
    return result


def confirm(zone: Zone, publication: Publication) -> bool:
    """Store the zone's published serial if all name servers have it; return False while a change is pending."""
    if publication.change:
        if not hosted_zones.in_sync(publication.change):
            return False
        publication.update(actions=publication.assign(change=None))
    if not publication.error:
        _update_zone(zone, published_serial=publication.serial)
    return True


@contextmanager
def lease(zone_id: int, payload: Any = None) -> Iterator[Publication]:
    """Hold the lease on a zone's publication for the block. Raises Reschedule if another process holds it."""
    now, holder = time.time(), secrets.token_hex(8)
    free = Publication.lease_ends.does_not_exist() | (Publication.lease_ends < now)
    acquired, publication = Publication(f"publication#{zone_id}", "publication").update_or_read(
        [
            Publication.kind.set(Publication),
            Publication.lease_ends.set(now + _LEASE),
            Publication.holder.set(holder),
        ],
        free,
    )
    if not acquired or publication is None:
        raise Reschedule(POLL_INTERVAL, payload)
    try:
        yield publication
    finally:
        with suppress(UpdateError):  # the lease expired and another process holds it, or the zone was deleted
            publication.update(actions=[Publication.lease_ends.set(0)], condition=Publication.holder == holder)


@contextmanager
def _reschedule_on_failure(publication: Publication, payload: Any) -> Iterator[None]:
    """Reschedule the job with exponential backoff when Route 53 is unreachable, throttles or fails."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        failures = int(publication.failures) + 1
        publication.update(actions=publication.assign(failures=failures))
        delay = min(5 * 2 ** min(failures, 10), _MAX_RETRY_DELAY)
        _log.warning("Route 53: %s; the next attempt is in %d seconds", error, delay)
        raise Reschedule(delay, payload) from error


def _update_hosted_zone(zone: Zone, data: StoredZone) -> UpdateResult:
    if not zone.hosted_zone:
        hosted = hosted_zones.find_or_create(int(zone.id), zone.name)
        _update_zone(zone, hosted_zone=hosted.id)
    current = hosted_zones.record_sets(zone.hosted_zone)
    return hosted_zones.update_record_sets(zone.hosted_zone, current, _desired_record_sets(data, current))


def _desired_record_sets(data: StoredZone, current: Mapping[SetKey, RecordSet]) -> dict[SetKey, RecordSet]:
    """The record sets that the hosted zone should have.

    Route 53 manages the SOA record, and the NS records at the apex unless the settings name a delegation set.
    """
    desired: dict[SetKey, RecordSet] = {}
    apex = data.origin.to_text().lower()
    managed = {"SOA"} if settings.current().luadns_delegation_set else {"SOA", "NS"}
    for rrset in data.rrsets():
        found = record_set(rrset)
        if key_of(found).name != apex or found["Type"] not in managed:
            desired[key_of(found)] = found
    desired.update({key: found for key, found in current.items() if key.name == apex and key.type in managed})
    for key, node in data.nodes():
        if "ALIAS" in node:
            desired |= _alias_record_sets(Name(key), desired, current)
    return desired


def _alias_record_sets(
    name: Name, desired: Mapping[SetKey, RecordSet], current: Mapping[SetKey, RecordSet]
) -> dict[SetKey, RecordSet]:
    """The current addresses of an ALIAS target; if it cannot be resolved, the published record sets."""
    found: dict[SetKey, RecordSet] = {}
    resolver = Resolver(stored_zones.find, _upstream.addresses)
    for rdtype in ADDRESSES:
        key = SetKey(name.to_text().lower(), dns.rdatatype.to_text(rdtype))
        if key in desired:
            continue
        answer = resolver.resolve(name, rdtype)
        if answer.rcode == Rcode.SERVFAIL:
            found |= {key: current[key]} if key in current else {}
        elif answer.answer:
            found[key] = record_set(answer.answer[-1])
    return found


def _update_zone(zone: Zone, **values: Any) -> None:
    """Set attributes of the zone, unless it has been deleted meanwhile."""
    with suppress(UpdateError):
        zone.update(actions=zone.assign(**values), condition=Zone.pk.exists())
