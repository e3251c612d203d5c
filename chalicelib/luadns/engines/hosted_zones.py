"""Hosted zones at Route 53: find, create, update and delete. Each public function except `error_code` calls AWS."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import settings
from chalicelib.core import aws
from chalicelib.luadns.engines.change_batches import Change, RecordSet, SetKey, batches, changes, key_of

_log = logging.getLogger(__name__)

NO_SUCH_HOSTED_ZONE = "NoSuchHostedZone"


@dataclass(frozen=True)
class HostedZone:
    """A hosted zone: its id, and its name servers as absolute names with the trailing dot."""

    id: str
    name_servers: tuple[str, ...]


def get(hosted_id: str) -> HostedZone | None:
    """The hosted zone with this id; None if there is none."""
    try:
        answer = _route53().get_hosted_zone(Id=hosted_id)
    except ClientError as error:
        if error_code(error) == NO_SUCH_HOSTED_ZONE:
            return None
        raise
    return _hosted(answer["HostedZone"], answer)


def find_or_create(zone_id: int, name: str) -> HostedZone:
    """Return the hosted zone of our zone, and create it if there is none.

    It also finds the hosted zone of a process that died before it stored the id.
    """
    if found := find(zone_id, name):
        return found
    request: dict[str, Any] = {"Name": name, "CallerReference": _reference(zone_id) + secrets.token_hex(8)}
    if delegation_set := settings.current().luadns_delegation_set:
        request["DelegationSetId"] = delegation_set
    answer = _route53().create_hosted_zone(**request)
    return _hosted(answer["HostedZone"], answer)


def find(zone_id: int, name: str) -> HostedZone | None:
    """Find the hosted zone by its CallerReference, because others may have the same name; None if there is none."""
    answer = _route53().list_hosted_zones_by_name(DNSName=name)
    for hosted in answer["HostedZones"]:
        if hosted["Name"] == f"{name}." and hosted["CallerReference"].startswith(_reference(zone_id)):
            return get(hosted["Id"].rpartition("/")[2])
    return None


def record_sets(hosted_id: str) -> dict[SetKey, RecordSet]:
    """All record sets of a hosted zone, 300 per call."""
    pages = _route53().get_paginator("list_resource_record_sets").paginate(HostedZoneId=hosted_id)
    return {key_of(found): found for page in pages for found in page["ResourceRecordSets"]}


@dataclass
class UpdateResult:
    """The id of the last change, None if nothing was changed; and the rejected names with Route 53's reasons."""

    change_id: str | None = None
    rejected: tuple[tuple[str, str], ...] = ()


def update_record_sets(
    hosted_id: str, current: Mapping[SetKey, RecordSet], desired: Mapping[SetKey, RecordSet]
) -> UpdateResult:
    """Change a hosted zone from `current` to `desired`. A name that Route 53 rejects does not block the others."""
    result = UpdateResult()
    for batch in batches(changes(current, desired)):
        _apply(hosted_id, batch, result)
    return result


def in_sync(change_id: str) -> bool:
    """Whether all name servers have applied a change."""
    status: str = _route53().get_change(Id=change_id)["ChangeInfo"]["Status"]
    return status == "INSYNC"


def remove(hosted_id: str) -> None:
    """Empty a hosted zone and delete it. A hosted zone that does not exist is no error."""
    try:
        current = record_sets(hosted_id)
        managed = {key: found for key, found in current.items() if key.type in ("SOA", "NS") and _is_apex(key, current)}
        update_record_sets(hosted_id, current, managed)
        _route53().delete_hosted_zone(Id=hosted_id)
    except ClientError as error:
        if error_code(error) != NO_SUCH_HOSTED_ZONE:
            raise


def signing_keys(hosted_id: str) -> list[dict[str, Any]]:
    """The active signing keys of a signed zone, as the API returns them; empty for an unsigned one."""
    answer = _route53().get_dnssec(HostedZoneId=hosted_id)
    if answer["Status"].get("ServeSignature") != "SIGNING":
        return []
    return [key for key in answer["KeySigningKeys"] if key["Status"] == "ACTIVE"]


def error_code(error: ClientError) -> str:
    """AWS' code of an error."""
    return str(error.response["Error"]["Code"])


def _apply(hosted_id: str, batch: Sequence[list[Change]], result: UpdateResult) -> None:
    try:
        answer = _route53().change_resource_record_sets(
            HostedZoneId=hosted_id, ChangeBatch={"Changes": [change for group in batch for change in group]}
        )
    except ClientError as error:
        if error_code(error) != "InvalidChangeBatch":
            raise
        if len(batch) > 1:
            middle = len(batch) // 2
            _apply(hosted_id, batch[:middle], result)
            _apply(hosted_id, batch[middle:], result)
            return
        rejection = (batch[0][0]["ResourceRecordSet"]["Name"], str(error.response["Error"]["Message"]))
        result.rejected = (*result.rejected, rejection)
        _log.error("Route 53 rejects the records of %s: %s", *rejection)
        return
    result.change_id = answer["ChangeInfo"]["Id"].rpartition("/")[2]


def _is_apex(key: SetKey, current: Mapping[SetKey, RecordSet]) -> bool:
    return SetKey(key.name, "SOA") in current


def _hosted(zone: Mapping[str, Any], answer: Mapping[str, Any]) -> HostedZone:
    servers = answer.get("DelegationSet", {}).get("NameServers", [])
    return HostedZone(zone["Id"].rpartition("/")[2], tuple(f"{server.rstrip('.')}." for server in servers))


def _reference(zone_id: int) -> str:
    return f"{settings.current().tables}-luadns-{int(zone_id)}-"


def _route53() -> Any:
    return aws.client("route53")
