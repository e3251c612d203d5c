"""Route 53: a change promises a job, and the job makes the hosted zone what the store says.

A zone has one job at most. It publishes under the zone's lease, waits until Route 53 has told all its servers, and only
then notes the serial as published. Whatever fails, the change is stored, and the job tries again until it succeeds.
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
    from chalicelib.luadns.engines import DsRecord, Sync

PUBLISH = "luadns-publish"
UNPUBLISH = "luadns-unpublish"


class Route53Engine(NoEngine):
    """Publishes zones at Route 53."""

    def refusal(self, type: str, content: str) -> str | None:
        from dns.name import root

        from chalicelib.luadns import presentation
        from chalicelib.luadns.contents import PSEUDO
        from chalicelib.luadns.engines.change_batches import LONGEST_VALUE, value

        if type in PSEUDO or len(value(presentation.rdata_of(type, content, root))) <= LONGEST_VALUE:
            return None
        return f"content is too long: Route 53 takes {LONGEST_VALUE:,} characters"

    def zone_changed(self, writes: Transaction, zone: Zone) -> None:
        jobs.enqueue(writes, PUBLISH, {"account_id": int(zone.account_id), "zone_id": int(zone.id)}, once=zone.sk)

    def zone_deleted(self, writes: Transaction, zone: Zone) -> None:
        gone = {"zone_id": int(zone.id), "name": zone.name, "hosted_zone": zone.hosted_zone}
        jobs.enqueue(writes, UNPUBLISH, gone, once=zone.sk)

    def synced(self, zone: Zone) -> bool:
        return zone.published_serial == zone.serial

    def sync(self, zone: Zone) -> "Sync":
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

    publishing.follow(payload)


def unpublish(payload: Any) -> None:
    """The job UNPUBLISH: see publishing.unpublish."""
    from chalicelib.luadns.engines import publishing

    publishing.unpublish(payload)
