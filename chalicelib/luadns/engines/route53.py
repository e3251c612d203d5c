"""Route 53: a change enqueues a job, and the job updates the hosted zone from the store.

A zone has at most one job. It publishes while it holds the zone's lease, waits until Route 53 reports the change as
INSYNC, and then stores the published serial. If Route 53 fails, the change is still stored, and the job is retried.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.core import jobs
from chalicelib.core.errors import Busy
from chalicelib.core.storage import Transaction
from chalicelib.luadns.engines.none import NoEngine
from chalicelib.luadns.tables import Zone

if TYPE_CHECKING:
    from chalicelib.luadns.engines import DsRecord, SyncResult

PUBLISH = "luadns-publish"
UNPUBLISH = "luadns-unpublish"


class Route53Engine(NoEngine):
    """Publishes zones at Route 53."""

    def rejection_reason(self, type: str, content: str) -> str | None:
        from dns.name import root

        from chalicelib.luadns import presentation
        from chalicelib.luadns.contents import PSEUDO
        from chalicelib.luadns.engines.change_batches import MAX_VALUE_LENGTH, TYPES, value

        if type not in PSEUDO | TYPES:
            return f"Route 53 has no {type} records"
        if type in PSEUDO or len(value(presentation.rdata_of(type, content, root))) <= MAX_VALUE_LENGTH:
            return None
        return f"content is too long: Route 53 takes {MAX_VALUE_LENGTH:,} characters"

    def zone_changed(self, writes: Transaction, zone: Zone) -> None:
        jobs.enqueue(writes, PUBLISH, {"account_id": int(zone.account_id), "zone_id": int(zone.id)}, once=zone.sk)

    def zone_deleted(self, writes: Transaction, zone: Zone) -> None:
        payload = {"zone_id": int(zone.id), "name": zone.name, "hosted_zone": zone.hosted_zone}
        jobs.enqueue(writes, UNPUBLISH, payload, once=zone.sk)

    def synced(self, zone: Zone) -> bool:
        return zone.published_serial == zone.serial

    def sync(self, zone: Zone) -> "SyncResult":
        from chalicelib.luadns.engines import publishing

        return publishing.sync(zone)

    def ds_records(self, zone: Zone) -> "Sequence[DsRecord]":
        from chalicelib.luadns.engines import DsRecord, hosted_zones

        if not zone.hosted_zone:
            return ()
        try:
            keys = hosted_zones.signing_keys(zone.hosted_zone)
        except (BotoCoreError, ClientError) as error:
            raise Busy("Route 53 does not answer.", retry_after=5) from error
        return [
            DsRecord(
                id=crc32(key["Name"].encode()) & 0x7FFFFFFF,
                key_tag=key["KeyTag"],
                algorithm=key["SigningAlgorithmType"],
                digest_type=key["DigestAlgorithmType"],
                digest=key["DigestValue"].lower(),
                public_key=key["PublicKey"],
                created_at=key["CreatedDate"],
                updated_at=key["LastModifiedDate"],
            )
            for key in keys
        ]


def publish(payload: Any) -> None:
    """The job PUBLISH: see publishing.follow."""
    from chalicelib.luadns.engines import publishing

    publishing.run_publish_job(payload)


def unpublish(payload: Any) -> None:
    """The job UNPUBLISH: see publishing.unpublish."""
    from chalicelib.luadns.engines import publishing

    publishing.run_unpublish_job(payload)
