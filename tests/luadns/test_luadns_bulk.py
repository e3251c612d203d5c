"""Bulk changes of records: atomic at any size."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core import aws, blobs, job_runner
from chalicelib.core.tables import Job
from chalicelib.luadns import journal
from chalicelib.luadns.tables import Zone, account_pk, zone_sk
from tests.aws_calls import dies
from tests.luadns.api import LuaDns, assert_invalid, problem, stored
from tests.worlds import embedded_only, moto_only

A = {"type": "A", "content": "192.0.2.1"}
SYSTEM_NS = problem("0.type", "NS records of the zone itself are managed by the system")
EXISTS = problem("content", "record exists already")
LATER = problem("1.content", "record exists already")


def many(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"name": f"h{n}", "type": "A", "content": "192.0.2.1"} for n in range(start, start + count)]


def test_create_many_returns_the_new_records_in_order(dns: LuaDns, zone: int) -> None:
    serial = dns.serial(zone)
    made = dns.make(f"/zones/{zone}/records/create_many", [{"name": "b", **A}, {"name": "a", **A, "ttl": 7}])
    assert [(row["id"], row["name"], row["ttl"]) for row in made] == [
        (4, "b.example.com.", 300),
        (5, "a.example.com.", 7),
    ]
    assert [dns.get(f"/zones/{zone}/records/{row['id']}") for row in made] == made
    assert dns.get(f"/zones/{zone}")["records_count"] == 5
    assert dns.serial(zone) > serial


@pytest.mark.parametrize("call", [("POST", "/create_many"), ("PATCH", ""), ("POST", "/delete_many")])
def test_an_empty_list_changes_nothing(dns: LuaDns, zone: int, call: tuple[str, str]) -> None:
    before = stored()
    reply = dns(call[0], f"/zones/{zone}/records{call[1]}", [])
    assert (reply.status, reply.body) == (200, b"[]\n")
    assert stored() == before


@pytest.mark.parametrize("call", [("POST", "/create_many"), ("PATCH", "")])
def test_one_invalid_item_rejects_the_whole_list(dns: LuaDns, zone: int, call: tuple[str, str]) -> None:
    before = stored()
    path = f"/zones/{zone}/records{call[1]}"
    members = [{"name": "ok", **A}, {"name": "x.org.", **A}, {"name": "b", "type": "A", "content": "x"}]
    assert_invalid(
        dns(call[0], path, members),
        problem("1.name", "name is not in the zone example.com"),
        problem("2.content", "invalid IPv4 address"),
    )
    assert_invalid(
        dns(call[0], path, [{"name": "ok", **A}, 7, {"name": "b", "type": 7}]),
        problem("1", "json: cannot unmarshal number into Go value of type RecordForm", "DeserializationError"),
        problem(
            "2.type",
            "json: cannot unmarshal number into Go struct field RecordForm.type of type string",
            "DeserializationError",
        ),
        problem("2.content", "Required", "RequiredError"),
    )
    assert_invalid(dns(call[0], path, [{"name": "ok", **A}, {"name": "ok", **A}]), LATER)
    assert stored() == before


def test_a_body_that_is_not_a_list_is_rejected(dns: LuaDns, zone: int) -> None:
    reply = dns("POST", f"/zones/{zone}/records/create_many", {"name": "a", **A})
    message = "json: cannot unmarshal object into Go value of type []RecordForm"
    assert_invalid(reply, {"fieldNames": [], "classification": "DeserializationError", "message": message})


def test_create_many_with_an_existing_record_creates_nothing(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "a", "A", "192.0.2.1")
    before = stored()
    assert_invalid(dns("POST", f"/zones/{zone}/records/create_many", [{"name": "b", **A}, {"name": "a", **A}]), LATER)
    assert stored() == before


def test_patch_replaces_the_record_sets_in_the_input_and_keeps_others(dns: LuaDns, zone: int) -> None:
    kept = dns.record(zone, "www", "A", "192.0.2.1")
    dns.record(zone, "www", "A", "192.0.2.2")
    text = dns.record(zone, "www", "TXT", "stays")
    other = dns.record(zone, "w2", "A", "192.0.2.1")
    members = [
        {"name": "www", "type": "A", "content": "192.0.2.3"},
        {"name": "WWW.example.com.", "type": "A", "content": "192.0.2.1"},
        {"name": "new", "type": "TXT", "content": "x"},
    ]
    result = dns("PATCH", f"/zones/{zone}/records", members).json
    assert [(row["name"], row["content"]) for row in result] == [
        ("www.example.com.", "192.0.2.3"),
        ("WWW.example.com.", "192.0.2.1"),
        ("new.example.com.", "x"),
    ]
    assert (result[1]["id"], result[1]["created_at"]) == (kept["id"], kept["created_at"])
    assert [dns.get(f"/zones/{zone}/records/{row['id']}") for row in (text, other)] == [text, other]
    assert len(dns.own(zone)) == 5


def test_patch_with_the_current_records_changes_nothing(dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")
    before = stored()
    assert dns("PATCH", f"/zones/{zone}/records", [record]).json == [record]
    servers = [row for row in dns.get(f"/zones/{zone}/records") if row["type"] == "NS"]
    assert dns("PATCH", f"/zones/{zone}/records", servers).json == servers
    assert stored() == before


def test_patch_cannot_change_managed_records(dns: LuaDns, zone: int) -> None:
    before = stored()
    for content in ("ns1.localhost.", "ns.example."):  # without the other ones of the system
        member = {"name": "", "type": "NS", "content": content, "ttl": 86400}
        refused = {**SYSTEM_NS, "fieldNames": ["type"]}
        assert_invalid(dns("PATCH", f"/zones/{zone}/records", [member]), refused)
    assert stored() == before


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ({"name": "www"}, ["t"]),
        ({"name": "WWW.Example.com."}, ["t"]),
        ({"name": "www", "type": "A"}, ["t", "txt"]),
        ({"name": "www", "type": "a", "content": "192.0.2.1"}, ["192.0.2.2", "t", "txt"]),
        ({"name": "www", "ttl": 60}, ["192.0.2.1", "t", "txt"]),
        ({"name": "www", "type": "", "content": "", "ttl": 0}, ["t"]),
        ({"name": "www", "content": "192.0.2.9"}, ["192.0.2.1", "192.0.2.2", "t", "txt"]),
        ({"name": "elsewhere"}, ["192.0.2.1", "192.0.2.2", "t", "txt"]),
        ({"name": "@"}, ["192.0.2.1", "192.0.2.2", "t", "txt"]),
    ],
)
def test_delete_many_deletes_records_that_match_every_given_field(
    dns: LuaDns, zone: int, pattern: dict[str, Any], left: list[str]
) -> None:
    dns.record(zone, "www", "A", "192.0.2.1")
    dns.record(zone, "www", "A", "192.0.2.2", ttl=60)
    dns.record(zone, "www", "TXT", "txt")
    dns.record(zone, "w2", "TXT", "t")
    before = {row["id"]: row for row in dns.get(f"/zones/{zone}/records")}
    deleted = dns("POST", f"/zones/{zone}/records/delete_many", [pattern]).json
    assert deleted == [before[row["id"]] for row in deleted]
    assert sorted(content for _, _, content in dns.own(zone)) == left
    assert dns.get(f"/zones/{zone}")["records_count"] == 3 + len(left)


def test_delete_many_needs_a_name_in_the_zone_and_keeps_managed_records(dns: LuaDns, zone: int) -> None:
    before = stored()
    path = f"/zones/{zone}/records/delete_many"
    assert_invalid(dns("POST", path, [{"name": "a"}, {"type": "A"}]), problem("1.name", "Required", "RequiredError"))
    assert_invalid(dns("POST", path, [{"name": "x.org."}]), problem("0.name", "name is not in the zone example.com"))
    assert_invalid(dns("POST", path, [{"name": "", "type": "NS"}]), SYSTEM_NS)
    assert stored() == before


# The tests below make changes larger than one transaction of DynamoDB. A chunk holds four writes here.


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_WRITES", 4)
    monkeypatch.setattr(journal, "APPLY_DELAY", 0.0)


def journal_is_applied(zone: int) -> bool:
    item = Zone.find(account_pk(1), zone_sk(zone))
    return item is not None and item.journal is None and item.journal_done is None


@pytest.mark.usefixtures("small_chunks")
def test_a_change_larger_than_a_transaction_is_applied_at_once(dns: LuaDns, zone: int) -> None:
    serial = dns.serial(zone)
    made = dns.make(f"/zones/{zone}/records/create_many", many(7))
    assert len(made) == 7
    assert len(dns.own(zone)) == 7
    changed = dns.serial(zone)
    assert changed > serial
    assert len(dns("POST", f"/zones/{zone}/records/delete_many", [{"name": row["name"]} for row in made]).json) == 7
    assert dns.own(zone) == []
    assert journal_is_applied(zone)
    job_runner.run_due()
    assert not list(Job.query("jobs"))


@pytest.mark.usefixtures("small_chunks")
def test_a_large_zone_can_be_created_in_one_request(dns: LuaDns) -> None:
    made = dns.make("/zones", {"name": "example.com", "records": many(7)})
    assert made["records_count"] == 10
    assert dns.get(f"/zones/{made['id']}") == made
    assert journal_is_applied(made["id"])


@pytest.fixture
def interrupted(small_chunks: None, dns: LuaDns, zone: int) -> Iterator[list[str]]:
    """The names of seven new records whose change is committed and whose first chunk is applied."""
    assert dies(lambda: dns("POST", f"/zones/{zone}/records/create_many", many(7)), 2, of="TransactWriteItems")
    assert not journal_is_applied(zone)
    yield [f"h{n}.example.com." for n in range(7)]
    assert journal_is_applied(zone)


def names(dns: LuaDns, zone: int) -> list[str]:
    return sorted(name for name, _, _ in dns.own(zone))


def test_a_reader_applies_the_journal_of_a_crashed_process(dns: LuaDns, zone: int, interrupted: list[str]) -> None:
    assert names(dns, zone) == interrupted


def test_a_reader_of_one_record_applies_the_journal(dns: LuaDns, zone: int, interrupted: list[str]) -> None:
    assert dns.get(f"/zones/{zone}/records/10")["name"] == "h6.example.com."


def test_a_writer_applies_the_journal_before_its_own_change(dns: LuaDns, zone: int, interrupted: list[str]) -> None:
    assert_invalid(dns("POST", f"/zones/{zone}/records", many(1, 6)[0]), EXISTS)
    dns.record(zone, "own", "A", "192.0.2.1")
    assert names(dns, zone) == [*interrupted, "own.example.com."]


def test_the_job_applies_the_journal_if_no_request_does(dns: LuaDns, zone: int, interrupted: list[str]) -> None:
    job_runner.run_due()
    assert journal_is_applied(zone)
    assert names(dns, zone) == interrupted


def test_a_delayed_process_does_not_overwrite_later_changes(dns: LuaDns, zone: int, interrupted: list[str]) -> None:
    delayed = Zone.find(account_pk(1), zone_sk(zone))
    assert delayed is not None
    assert delayed.journal
    chunks = blobs.get(delayed.journal)
    record = next(row for row in dns.get(f"/zones/{zone}/records") if row["name"].startswith("h6."))
    path = f"/zones/{zone}/records/{record['id']}"
    assert dns("PUT", path, {**record, "content": "192.0.2.77"}).status == 200
    before = stored()
    assert b"192.0.2.1" in chunks
    journal.apply(delayed)
    assert stored() == before


@moto_only
def test_the_job_succeeds_if_a_reader_has_applied_the_journal(dns: LuaDns, zone: int, interrupted: list[str]) -> None:
    """The blob is already deleted then; S3 reports that as NoSuchKey only to roles that may list the bucket."""
    events, event = aws.client("s3").meta.events, "before-parameter-build.s3.GetObject"

    def read_first(**_: Any) -> None:
        events.unregister(event, read_first)
        assert names(dns, zone) == interrupted

    events.register(event, read_first)
    assert (job_runner.run_due(), list(Job.query("jobs"))) == (1, [])


def test_a_large_zone_is_deleted_completely(dns: LuaDns, zone: int) -> None:
    dns.make(f"/zones/{zone}/records/create_many", many(60))
    assert len(dns("DELETE", f"/zones/{zone}").json["records"]) == 63
    job_runner.run_due()
    assert stored() == []


@embedded_only
def test_three_thousand_records_can_be_created_and_replaced(dns: LuaDns, zone: int) -> None:
    made = dns.make(f"/zones/{zone}/records/create_many", many(3000))
    assert len(made) == 3000
    assert len(dns.get(f"/zones/{zone}/records")) == 3003
    assert journal_is_applied(zone)
    reply = dns("PUT", f"/zones/{zone}", {"name": "example.com", "records": many(10, 2995)})
    assert reply.json["records_count"] == 13
    assert [row["id"] for row in reply.json["records"]][3:8] == [row["id"] for row in made[2995:]]
