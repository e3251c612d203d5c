"""Hosted zones at Route 53: finding, making, filling and removing one. Every function calls AWS."""

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

GONE = "NoSuchHostedZone"


@dataclass(frozen=True)
class Hosted:
    """A hosted zone: its id, and its name servers as absolute names with their last dot."""

    id: str
    name_servers: tuple[str, ...]


def get(hosted_id: str) -> Hosted | None:
    """A hosted zone by its id."""
    try:
        answer = _route53().get_hosted_zone(Id=hosted_id)
    except ClientError as error:
        if code_of(error) == GONE:
            return None
        raise
    return _hosted(answer["HostedZone"], answer)


def find_or_create(zone_id: int, name: str) -> Hosted:
    """The hosted zone of our zone with this id; also when a process died before it could note what it had made."""
    if found := find(zone_id, name):
        return found
    request: dict[str, Any] = {"Name": name, "CallerReference": _reference(zone_id) + secrets.token_hex(8)}
    if delegation_set := settings.current().luadns_delegation_set:
        request["DelegationSetId"] = delegation_set
    answer = _route53().create_hosted_zone(**request)
    return _hosted(answer["HostedZone"], answer)


def find(zone_id: int, name: str) -> Hosted | None:
    """The hosted zone that was made for our zone: others may have the same name."""
    answer = _route53().list_hosted_zones_by_name(DNSName=name)
    for one in answer["HostedZones"]:
        if one["Name"] == f"{name}." and one["CallerReference"].startswith(_reference(zone_id)):
            return get(one["Id"].rpartition("/")[2])
    return None


def record_sets(hosted_id: str) -> dict[SetKey, RecordSet]:
    """All record sets that a hosted zone has, 300 in a call."""
    pages = _route53().get_paginator("list_resource_record_sets").paginate(HostedZoneId=hosted_id)
    return {key_of(found): found for page in pages for found in page["ResourceRecordSets"]}


@dataclass
class Filled:
    """What came of filling a hosted zone: the id of the last change, None when nothing was to be changed, and the
    names whose records were refused with the reason."""

    change_id: str | None = None
    refused: tuple[tuple[str, str], ...] = ()


def fill(hosted_id: str, has: Mapping[SetKey, RecordSet], wanted: Mapping[SetKey, RecordSet]) -> Filled:
    """Make a hosted zone have what is wanted. A name whose records are refused does not keep others back."""
    filled = Filled()
    for batch in batches(changes(has, wanted)):
        _apply(hosted_id, batch, filled)
    return filled


def in_sync(change_id: str) -> bool:
    """Whether all name servers have a change."""
    status: str = _route53().get_change(Id=change_id)["ChangeInfo"]["Status"]
    return status == "INSYNC"


def remove(hosted_id: str) -> None:
    """Empty a hosted zone and delete it; one that is gone already is no error."""
    try:
        has = record_sets(hosted_id)
        own = {key: found for key, found in has.items() if key.type in ("SOA", "NS") and _is_apex(key, has)}
        fill(hosted_id, has, own)
        _route53().delete_hosted_zone(Id=hosted_id)
    except ClientError as error:
        if code_of(error) != GONE:
            raise


def signing_keys(hosted_id: str) -> list[dict[str, Any]]:
    """The keys that a signed zone is signed with, as the API describes them; none of another."""
    answer = _route53().get_dnssec(HostedZoneId=hosted_id)
    if answer["Status"].get("ServeSignature") != "SIGNING":
        return []
    return [key for key in answer["KeySigningKeys"] if key["Status"] == "ACTIVE"]


def code_of(error: ClientError) -> str:
    """AWS' name of an error."""
    return str(error.response["Error"]["Code"])


def _apply(hosted_id: str, batch: Sequence[list[Change]], filled: Filled) -> None:
    try:
        answer = _route53().change_resource_record_sets(
            HostedZoneId=hosted_id, ChangeBatch={"Changes": [change for group in batch for change in group]}
        )
    except ClientError as error:
        if code_of(error) != "InvalidChangeBatch":
            raise
        if len(batch) > 1:
            middle = len(batch) // 2
            _apply(hosted_id, batch[:middle], filled)
            _apply(hosted_id, batch[middle:], filled)
            return
        reason = (batch[0][0]["ResourceRecordSet"]["Name"], str(error.response["Error"]["Message"]))
        filled.refused = (*filled.refused, reason)
        _log.error("Route 53 refuses the records of %s: %s", *reason)
        return
    filled.change_id = answer["ChangeInfo"]["Id"].rpartition("/")[2]


def _is_apex(key: SetKey, has: Mapping[SetKey, RecordSet]) -> bool:
    return SetKey(key.name, "SOA") in has


def _hosted(zone: Mapping[str, Any], answer: Mapping[str, Any]) -> Hosted:
    servers = answer.get("DelegationSet", {}).get("NameServers", [])
    return Hosted(zone["Id"].rpartition("/")[2], tuple(f"{server.rstrip('.')}." for server in servers))


def _reference(zone_id: int) -> str:
    return f"{settings.current().tables}-luadns-{int(zone_id)}-"


def _route53() -> Any:
    return aws.client("route53")
