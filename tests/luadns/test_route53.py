"""Zones at Route 53, on moto; botocore's Stubber simulates the behaviour that moto does not have."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from botocore.stub import ANY, Stubber
from moto import mock_aws

from chalicelib import settings
from chalicelib.core import aws, job_runner, jobs
from chalicelib.core.tables import Job
from chalicelib.luadns.engines import hosted_zones, publishing
from tests.aws_calls import meanwhile
from tests.luadns.api import LuaDns, assert_invalid, problem

pytestmark = pytest.mark.usefixtures("route53")
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def route53(aws: None) -> Iterator[None]:
    """moto's Route 53 and the engine for it, with moto's and with our own storage."""
    with mock_aws(), settings.override(luadns_engine="route53"):
        yield


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MOMENT, tick=False) as moving:
        yield moving


@pytest.fixture
def stub(route53: None) -> Iterator[Stubber]:
    """A Route 53 with prepared responses; any other call fails."""
    with Stubber(aws.client("route53")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def hosted() -> list[dict[str, Any]]:
    return list(aws.client("route53").list_hosted_zones()["HostedZones"])


def published(name: str = "example.com") -> dict[tuple[str, str], tuple[int, list[str]]]:
    """TTL and values by name and type in the only hosted zone, except its SOA and NS records."""
    (zone,) = hosted()
    assert zone["Name"] == f"{name}."
    return {
        (key.name, key.type): (found["TTL"], [record["Value"] for record in found["ResourceRecords"]])
        for key, found in hosted_zones.record_sets(zone["Id"].rpartition("/")[2]).items()
        if key.type not in ("SOA", "NS") or key.name != f"{name}."
    }


def pending_jobs() -> list[str]:
    return [job.name for job in Job.query("jobs", consistent_read=True)]


def synced(dns: LuaDns, zone: int) -> bool:
    return bool(dns.get(f"/zones/{zone}")["synced"])


def test_a_new_zone_is_published_by_its_job_and_then_synced(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "www.example.com.", "A", "192.0.2.1", ttl=60)
    assert (hosted(), synced(dns, zone), pending_jobs()) == ([], False, ["luadns-publish"])
    assert (job_runner.run_due(), pending_jobs()) == (1, [])
    assert published() == {("www.example.com.", "A"): (60, ["192.0.2.1"])}
    assert synced(dns, zone)
    assert dns.get("/zones")[0]["synced"] is True


def test_a_changed_zone_is_not_synced_until_it_is_published(dns: LuaDns, zone: int) -> None:
    job_runner.run_due()
    record = dns.record(zone, "www.example.com.", "A", "192.0.2.1")
    assert not synced(dns, zone)
    job_runner.run_due()
    assert synced(dns, zone)
    assert dns("DELETE", f"/zones/{zone}/records/{record['id']}").status == 200
    assert not synced(dns, zone)
    job_runner.run_due()
    assert (published(), synced(dns, zone)) == ({}, True)


def test_several_changes_are_one_job_and_one_batch(dns: LuaDns, zone: int, calls: list[str]) -> None:
    job_runner.run_due()
    for number in range(10):
        dns.record(zone, f"n{number}.example.com.", "A", "192.0.2.1")
    assert pending_jobs() == ["luadns-publish"]
    calls.clear()
    job_runner.run_due()
    assert [call for call in calls if call in ROUTE53_CALLS] == [
        "ListResourceRecordSets",
        "ChangeResourceRecordSets",
        "GetChange",
    ]
    assert len(published()) == 10


ROUTE53_CALLS = {
    "ChangeResourceRecordSets",
    "CreateHostedZone",
    "DeleteHostedZone",
    "GetChange",
    "GetHostedZone",
    "ListHostedZonesByName",
    "ListResourceRecordSets",
}


def test_a_change_does_not_call_route_53(dns: LuaDns, zone: int, calls: list[str]) -> None:
    calls.clear()
    dns.record(zone, "www.example.com.", "A", "192.0.2.1")
    dns.get(f"/zones/{zone}")
    assert not ROUTE53_CALLS & set(calls)


def test_a_record_set_is_published_with_its_lowest_ttl(dns: LuaDns, zone: int) -> None:
    for content, ttl in (("192.0.2.2", 300), ("192.0.2.1", 60), ("192.0.2.3", 900)):
        dns.record(zone, "pool.example.com.", "A", content, ttl=ttl)
    job_runner.run_due()
    assert published() == {("pool.example.com.", "A"): (60, ["192.0.2.1", "192.0.2.2", "192.0.2.3"])}
    assert [row["ttl"] for row in dns.get(f"/zones/{zone}/records")[3:]] == [300, 60, 900]


@pytest.mark.parametrize(
    ("type", "content", "value"),
    [
        ("TXT", "plain", '"plain"'),
        ("TXT", 'a "b" \\ c', '"a \\"b\\" \\\\ c"'),
        ("TXT", "ü\t", '"\\303\\274\\011"'),
        ("TXT", "x" * 300, f'"{"x" * 255}" "{"x" * 45}"'),
        ("TXT", '"one" "two"', '"one" "two"'),
        ("SPF", "v=spf1 -all", '"v=spf1 -all"'),
        ("CAA", "0 issue letsencrypt.org", '0 issue "letsencrypt.org"'),
        ("MX", "10 mail.example.com.", "10 mail.example.com."),
        ("SRV", "0 5 5060 sip.example.com.", "0 5 5060 sip.example.com."),
        ("AAAA", "2001:db8::1", "2001:db8::1"),
        ("CNAME", "www.example.net.", "www.example.net."),
        ("DS", f"12345 13 2 {'ab' * 32}", f"12345 13 2 {'ab' * 32}"),
        ("TLSA", f"3 1 1 {'cd' * 32}", f"3 1 1 {'cd' * 32}"),
        ("HTTPS", "1 . alpn=h2", '1 . alpn="h2"'),
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_values_have_route_53s_format(dns: LuaDns, zone: int, type: str, content: str, value: str) -> None:
    dns.record(zone, "x.example.com.", type, content)
    job_runner.run_due()
    assert published() == {("x.example.com.", type): (300, [value])}


def test_a_value_too_long_for_route_53_is_rejected(dns: LuaDns, zone: int) -> None:
    record = {"name": "x.example.com.", "type": "TXT", "content": "x" * 4000}
    reply = dns("POST", f"/zones/{zone}/records", record)
    assert_invalid(reply, problem("content", "content is too long: Route 53 takes 4,000 characters"))
    assert dns("POST", f"/zones/{zone}/records", {**record, "content": "x" * 3900}).status == 200


def test_a_replaced_type_is_deleted_and_created_in_one_batch(dns: LuaDns, zone: int, calls: list[str]) -> None:
    record = dns.record(zone, "www.example.com.", "CNAME", "a.example.net.")
    dns.record(zone, "*.example.com.", "A", "192.0.2.9")
    job_runner.run_due()
    changed = {"name": "www.example.com.", "type": "A", "content": "192.0.2.1"}
    assert dns("PUT", f"/zones/{zone}/records/{record['id']}", changed).status == 200
    calls.clear()
    job_runner.run_due()
    assert calls.count("ChangeResourceRecordSets") == 1
    assert published() == {
        ("www.example.com.", "A"): (300, ["192.0.2.1"]),
        ("*.example.com.", "A"): (300, ["192.0.2.9"]),
    }


def test_the_soa_and_name_servers_of_route_53_stay(dns: LuaDns, zone: int) -> None:
    job_runner.run_due()
    (made,) = hosted()
    before = hosted_zones.record_sets(made["Id"].rpartition("/")[2])
    dns.record(zone, "www.example.com.", "A", "192.0.2.1")
    job_runner.run_due()
    after = hosted_zones.record_sets(made["Id"].rpartition("/")[2])
    assert {key: after[key] for key in before} == before


def test_with_a_delegation_set_the_name_servers_are_ours(dns: LuaDns) -> None:
    made = aws.client("route53").create_reusable_delegation_set(CallerReference="ours")["DelegationSet"]
    with settings.override(
        luadns_delegation_set=made["Id"].rpartition("/")[2], luadns_name_servers=("a.dns.test.", "b.dns.test.")
    ):
        dns.zone()
        job_runner.run_due()
    (zone,) = hosted()
    found = hosted_zones.record_sets(zone["Id"].rpartition("/")[2])
    servers = next(found for key, found in found.items() if key.type == "NS")
    assert [record["Value"] for record in servers["ResourceRecords"]] == ["a.dns.test.", "b.dns.test."]
    assert hosted_zones.get(zone["Id"].rpartition("/")[2]).name_servers == tuple(
        f"{server}." for server in made["NameServers"]
    )


def test_a_deleted_zone_is_emptied_and_removed(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "www.example.com.", "A", "192.0.2.1")
    job_runner.run_due()
    assert dns("DELETE", f"/zones/{zone}").status == 200
    job_runner.run_due()
    assert (hosted(), pending_jobs(), jobs.dead()) == ([], [], [])


def test_a_zone_deleted_before_its_publication_leaves_no_hosted_zone(dns: LuaDns, zone: int) -> None:
    dns("DELETE", f"/zones/{zone}")
    job_runner.run_due()
    assert (hosted(), pending_jobs()) == ([], [])


def test_a_recreated_zone_gets_a_new_hosted_zone(dns: LuaDns, zone: int) -> None:
    job_runner.run_due()
    (before,) = hosted()
    dns("DELETE", f"/zones/{zone}")
    dns.zone()
    job_runner.run_due()
    (after,) = hosted()
    assert after["Id"] != before["Id"]


def test_a_hosted_zone_created_before_a_crash_is_reused(dns: LuaDns, zone: int) -> None:
    aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="another program's")
    made = hosted_zones.find_or_create(zone, "example.com")
    job_runner.run_due()
    assert len(hosted()) == 2
    assert synced(dns, zone)
    dns.record(zone, "www.example.com.", "A", "192.0.2.1")
    job_runner.run_due()
    assert len(hosted_zones.record_sets(made.id)) == 3


def test_a_publication_overwrites_manual_changes(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "www.example.com.", "A", "192.0.2.1")
    dns.record(zone, "mail.example.com.", "A", "192.0.2.2")
    job_runner.run_due()
    (made,) = hosted()
    foreign = {"Name": "by-hand.example.com", "Type": "TXT", "TTL": 5, "ResourceRecords": [{"Value": '"x"'}]}
    other = {"Name": "mail.example.com", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "203.0.113.1"}]}
    changes = [{"Action": "CREATE", "ResourceRecordSet": foreign}, {"Action": "UPSERT", "ResourceRecordSet": other}]
    aws.client("route53").change_resource_record_sets(HostedZoneId=made["Id"], ChangeBatch={"Changes": changes})
    dns.record(zone, "new.example.com.", "A", "192.0.2.3")
    job_runner.run_due()
    assert published() == {
        ("www.example.com.", "A"): (300, ["192.0.2.1"]),
        ("mail.example.com.", "A"): (300, ["192.0.2.2"]),
        ("new.example.com.", "A"): (300, ["192.0.2.3"]),
    }


def test_a_manually_deleted_hosted_zone_is_recreated(dns: LuaDns, zone: int) -> None:
    job_runner.run_due()
    (made,) = hosted()
    aws.client("route53").delete_hosted_zone(Id=made["Id"])
    dns.record(zone, "www.example.com.", "A", "192.0.2.1")
    job_runner.run_due()
    assert (published(), synced(dns, zone)) == ({("www.example.com.", "A"): (300, ["192.0.2.1"])}, True)


def test_an_alias_is_published_as_addresses_and_refreshed(
    clock: time_machine.Traveller, dns: LuaDns, zone: int
) -> None:
    target = dns.record(zone, "www.example.com.", "A", "192.0.2.1", ttl=60)
    dns.record(zone, "example.com.", "ALIAS", "www.example.com.")
    job_runner.run_due()
    assert published()["example.com.", "A"] == (60, ["192.0.2.1"])
    assert ("example.com.", "AAAA") not in published()
    assert (pending_jobs(), synced(dns, zone), job_runner.run_due()) == (["luadns-publish"], True, 0)
    dns("PUT", f"/zones/{zone}/records/{target['id']}", {"name": "www", "type": "A", "content": "192.0.2.7"})
    clock.shift(publishing.ALIAS_REFRESH_INTERVAL + 1)
    assert job_runner.run_due() == 1
    assert published()["example.com.", "A"] == (60, ["192.0.2.7"])


def test_an_unresolvable_alias_keeps_its_published_addresses(dns: LuaDns, zone: int) -> None:
    with settings.override(luadns_forwarders=("127.0.0.1:9",)):
        alias = dns.record(zone, "example.com.", "ALIAS", "www.example.com.")
        dns.record(zone, "www.example.com.", "A", "192.0.2.1")
        job_runner.run_due()
        dns("PUT", f"/zones/{zone}/records/{alias['id']}", {"name": "", "type": "ALIAS", "content": "example.com."})
        job_runner.run_due()
    assert published()["example.com.", "A"] == (300, ["192.0.2.1"])


def answer_hosted_zone_creation(stub: Stubber) -> None:
    """Prepare the responses for a hosted zone that is not found and then created."""
    stub.add_response(
        "list_hosted_zones_by_name",
        {"HostedZones": [], "DNSName": "example.com", "IsTruncated": False, "MaxItems": "100"},
    )
    stub.add_response(
        "create_hosted_zone",
        {
            "HostedZone": {"Id": "/hostedzone/Z1", "Name": "example.com.", "CallerReference": "x"},
            "ChangeInfo": CHANGE("C0", "PENDING"),
            "DelegationSet": {"NameServers": ["ns-1.awsdns.test"]},
            "Location": "here",
        },
    )


def CHANGE(name: str, status: str) -> dict[str, Any]:
    return {"Id": f"/change/{name}", "Status": status, "SubmittedAt": MOMENT}


def answer_record_sets(stub: Stubber, *found: dict[str, Any]) -> None:
    answer = {"ResourceRecordSets": list(found), "IsTruncated": False, "MaxItems": "300"}
    stub.add_response("list_resource_record_sets", answer, {"HostedZoneId": "Z1"})


def accept_changes(stub: Stubber, name: str, changes: Any = ANY) -> None:
    expected = {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": changes}}
    stub.add_response("change_resource_record_sets", {"ChangeInfo": CHANGE(name, "PENDING")}, expected)


def answer_get_change(stub: Stubber, name: str, status: str) -> None:
    stub.add_response("get_change", {"ChangeInfo": CHANGE(name, status)}, {"Id": name})


def created(name: str, address: str) -> dict[str, Any]:
    return {
        "Action": "CREATE",
        "ResourceRecordSet": {
            "Name": name,
            "Type": "A",
            "TTL": 300,
            "ResourceRecords": [{"Value": address}],
        },
    }


def test_a_zone_is_synced_when_all_name_servers_have_the_change(
    clock: time_machine.Traveller, dns: LuaDns, zone: int, stub: Stubber
) -> None:
    dns.record(zone, "www.example.com.", "A", "192.0.2.1")
    answer_hosted_zone_creation(stub)
    answer_record_sets(stub)
    accept_changes(stub, "C1", [created("www.example.com.", "192.0.2.1")])
    answer_get_change(stub, "C1", "PENDING")
    assert (job_runner.run_due(), synced(dns, zone), job_runner.run_due()) == (1, False, 0)
    for status, done in (("PENDING", False), ("INSYNC", True)):
        clock.shift(publishing.POLL_INTERVAL + 1)
        answer_get_change(stub, "C1", status)
        assert (job_runner.run_due(), synced(dns, zone)) == (1, done)
    assert pending_jobs() == []


def test_a_change_during_a_pending_one_is_published_immediately(
    clock: time_machine.Traveller, dns: LuaDns, zone: int, stub: Stubber
) -> None:
    dns.record(zone, "a.example.com.", "A", "192.0.2.1")
    answer_hosted_zone_creation(stub)
    answer_record_sets(stub)
    accept_changes(stub, "C1")
    answer_get_change(stub, "C1", "PENDING")
    job_runner.run_due()
    dns.record(zone, "b.example.com.", "A", "192.0.2.2")
    answer_record_sets(stub, created("a.example.com.", "192.0.2.1")["ResourceRecordSet"])
    accept_changes(stub, "C2", [created("b.example.com.", "192.0.2.2")])
    answer_get_change(stub, "C2", "INSYNC")
    assert (job_runner.run_due(), synced(dns, zone), pending_jobs()) == (1, True, [])


@pytest.mark.parametrize("code", ["Throttling", "PriorRequestNotComplete", "ServiceUnavailable", "AccessDenied"])
def test_changes_are_stored_and_retried_while_route_53_fails(
    clock: time_machine.Traveller, dns: LuaDns, zone: int, stub: Stubber, code: str
) -> None:
    for _ in range(12):  # more attempts than other jobs have
        stub.add_client_error("list_hosted_zones_by_name", code, http_status_code=400)
        assert job_runner.run_due() == 1
        assert (pending_jobs(), jobs.dead(), synced(dns, zone)) == (["luadns-publish"], [], False)
        clock.shift(400)
    record = dns.record(zone, "www.example.com.", "A", "192.0.2.1")
    assert dns.get(f"/zones/{zone}/records/{record['id']}") == record
    answer_hosted_zone_creation(stub)
    answer_record_sets(stub)
    accept_changes(stub, "C1")
    answer_get_change(stub, "C1", "INSYNC")
    assert (job_runner.run_due(), synced(dns, zone), pending_jobs()) == (1, True, [])


def test_the_retry_delay_grows_to_five_minutes(
    clock: time_machine.Traveller, dns: LuaDns, zone: int, stub: Stubber
) -> None:
    pauses = []
    for _ in range(8):
        stub.add_client_error("list_hosted_zones_by_name", "Throttling")
        job_runner.run_due()
        (job,) = Job.query("jobs", consistent_read=True)
        pauses.append(round(job.due_at - datetime.now(UTC).timestamp()))
        clock.shift(pauses[-1])
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]


def test_a_name_that_route_53_rejects_does_not_block_others(
    clock: time_machine.Traveller, dns: LuaDns, zone: int, stub: Stubber
) -> None:
    for name in ("a", "b", "c"):
        dns.record(zone, f"{name}.example.com.", "A", "192.0.2.1")
    a, b, c = (created(f"{name}.example.com.", "192.0.2.1") for name in ("a", "b", "c"))
    answer_hosted_zone_creation(stub)
    answer_record_sets(stub)
    for changes in ([a, b, c], [a]):
        reject_changes(stub, changes) if len(changes) == 3 else accept_changes(stub, "C1", changes)
    reject_changes(stub, [b, c])
    reject_changes(stub, [b])
    accept_changes(stub, "C2", [c])
    answer_get_change(stub, "C2", "INSYNC")
    job_runner.run_due()
    assert (synced(dns, zone), pending_jobs()) == (False, ["luadns-publish"])
    clock.shift(301)
    answer_record_sets(stub, a["ResourceRecordSet"], c["ResourceRecordSet"])
    accept_changes(stub, "C3", [b])
    answer_get_change(stub, "C3", "INSYNC")
    job_runner.run_due()
    assert (synced(dns, zone), pending_jobs()) == (True, [])


def reject_changes(stub: Stubber, changes: list[Any]) -> None:
    expected = {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": changes}}
    stub.add_client_error("change_resource_record_sets", "InvalidChangeBatch", "no", expected_params=expected)


def test_a_job_waits_while_another_process_holds_the_lease(
    clock: time_machine.Traveller, dns: LuaDns, zone: int
) -> None:
    with publishing.lease(zone):
        assert job_runner.run_due() == 1
        assert (hosted(), pending_jobs()) == ([], ["luadns-publish"])
    clock.shift(publishing.POLL_INTERVAL + 1)
    job_runner.run_due()
    assert (len(hosted()), pending_jobs()) == (1, [])


def test_the_lease_of_a_crashed_process_expires(clock: time_machine.Traveller, dns: LuaDns, zone: int) -> None:
    held: Any = publishing.lease(zone)
    held.__enter__()
    clock.shift(250)
    job_runner.run_due()
    assert (len(hosted()), pending_jobs()) == (1, [])


def test_a_change_during_a_publication_is_published_next(dns: LuaDns, zone: int) -> None:
    def change() -> None:
        dns.record(zone, "late.example.com.", "A", "192.0.2.1")

    with meanwhile(change, 0, of="ListResourceRecordSets"):
        job_runner.run_due()
    assert (published(), synced(dns, zone), pending_jobs()) == ({}, False, ["luadns-publish"])
    job_runner.run_due()
    assert (list(published()), synced(dns, zone)) == ([("late.example.com.", "A")], True)


KEY = {
    "Name": "ours",
    "Flag": 257,
    "SigningAlgorithmMnemonic": "ECDSAP256SHA256",
    "SigningAlgorithmType": 13,
    "DigestAlgorithmMnemonic": "SHA-256",
    "DigestAlgorithmType": 2,
    "KeyTag": 11821,
    "DigestValue": "E8550CBE1E954C9E",
    "PublicKey": "P1uCOJQ/nYRDvN54D+ydiaUl8nwp6kH6YVtb4FgPbsl/tyh3SO1RtPvwAPYXKhJ8GS3mfhPUnk84MyFX1rmUDw==",
    "Status": "ACTIVE",
    "CreatedDate": MOMENT,
    "LastModifiedDate": MOMENT,
}


def test_a_signed_zone_lists_its_ds_records(dns: LuaDns, zone: int) -> None:
    assert dns.get(f"/zones/{zone}/ds_records") == []
    job_runner.run_due()
    assert dns.get(f"/zones/{zone}/ds_records") == []
    with Stubber(aws.client("route53")) as stub:
        retired = {**KEY, "Name": "old", "Status": "INACTIVE"}
        answer = {"Status": {"ServeSignature": "SIGNING"}, "KeySigningKeys": [KEY, retired]}
        stub.add_response("get_dnssec", answer, {"HostedZoneId": ANY})
        (record,) = dns.get(f"/zones/{zone}/ds_records")
    assert record == {
        "id": 1144957184,
        "key_tag": 11821,
        "algorithm": 13,
        "digest_type": 2,
        "digest": "e8550cbe1e954c9e",
        "public_key": KEY["PublicKey"],
        "zone_id": zone,
        "created_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-01T12:00:00Z",
    }


def test_ds_records_are_a_503_while_route_53_fails(dns: LuaDns, zone: int) -> None:
    job_runner.run_due()
    with Stubber(aws.client("route53")) as stub:
        stub.add_client_error("get_dnssec", "Throttling")
        reply = dns("GET", f"/zones/{zone}/ds_records")
    assert (reply.status, reply.header("retry-after")) == (503, "5")
    assert reply.json["message"] == "Route 53 does not answer."
