"""Many records at once: the three calls of the newer clients, whole or not at all, whatever their size."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core import aws, blobs, jobs
from chalicelib.core.tables import Job
from chalicelib.luadns import journal
from chalicelib.luadns.tables import Zone, account_pk, zone_sk
from tests.aws_calls import dies
from tests.luadns.api import LuaDns, refused, stored, wrong
from tests.worlds import embedded_only, moto_only

A = {"type": "A", "content": "192.0.2.1"}
SYSTEM_NS = wrong("type", "NS records of the zone itself are managed by the system")
EXISTS = wrong("content", "record exists already")


def many(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"name": f"h{n}", "type": "A", "content": "192.0.2.1"} for n in range(start, start + count)]


def test_many_records_are_made_and_shown_in_their_order(dns: LuaDns, zone: int) -> None:
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
def test_nothing_to_do_is_nothing_done(dns: LuaDns, zone: int, call: tuple[str, str]) -> None:
    before = stored()
    reply = dns(call[0], f"/zones/{zone}/records{call[1]}", [])
    assert (reply.status, reply.body) == (200, b"[]\n")
    assert stored() == before


@pytest.mark.parametrize("call", [("POST", "/create_many"), ("PATCH", "")])
def test_one_bad_member_and_nothing_is_made(dns: LuaDns, zone: int, call: tuple[str, str]) -> None:
    before = stored()
    path = f"/zones/{zone}/records{call[1]}"
    members = [{"name": "ok", **A}, {"name": "x.org.", **A}, {"name": "b", "type": "A", "content": "x"}]
    refused(
        dns(call[0], path, members),
        wrong("1.name", "name is not in the zone example.com"),
        wrong("2.content", "invalid IPv4 address"),
    )
    refused(
        dns(call[0], path, [{"name": "ok", **A}, 7, {"name": "b", "type": 7}]),
        wrong("1", "json: cannot unmarshal number into Go value of type RecordForm", "DeserializationError"),
        wrong(
            "2.type",
            "json: cannot unmarshal number into Go struct field RecordForm.type of type string",
            "DeserializationError",
        ),
        wrong("2.content", "Required", "RequiredError"),
    )
    refused(dns(call[0], path, [{"name": "ok", **A}, {"name": "ok", **A}]), EXISTS)
    assert stored() == before


def test_a_body_that_is_no_list_is_refused(dns: LuaDns, zone: int) -> None:
    reply = dns("POST", f"/zones/{zone}/records/create_many", {"name": "a", **A})
    problem = "json: cannot unmarshal object into Go value of type []RecordForm"
    refused(reply, {"classification": "DeserializationError", "message": problem})


def test_making_many_makes_none_that_exists(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "a", "A", "192.0.2.1")
    before = stored()
    refused(dns("POST", f"/zones/{zone}/records/create_many", [{"name": "b", **A}, {"name": "a", **A}]), EXISTS)
    assert stored() == before


def test_patching_sets_whole_names_and_types_and_leaves_the_rest(dns: LuaDns, zone: int) -> None:
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


def test_patching_with_what_is_there_changes_nothing(dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")
    before = stored()
    assert dns("PATCH", f"/zones/{zone}/records", [record]).json == [record]
    servers = [row for row in dns.get(f"/zones/{zone}/records") if row["type"] == "NS"]
    assert dns("PATCH", f"/zones/{zone}/records", servers).json == servers
    assert stored() == before


def test_patching_the_system_s_records_to_something_else_is_refused(dns: LuaDns, zone: int) -> None:
    before = stored()
    for content in ("ns1.localhost.", "ns.elsewhere.example."):
        member = {"name": "", "type": "NS", "content": content, "ttl": 86400}
        refused(dns("PATCH", f"/zones/{zone}/records", [member]), SYSTEM_NS)
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
def test_what_fits_every_given_field_is_deleted(
    dns: LuaDns, zone: int, pattern: dict[str, Any], left: list[str]
) -> None:
    dns.record(zone, "www", "A", "192.0.2.1")
    dns.record(zone, "www", "A", "192.0.2.2", ttl=60)
    dns.record(zone, "www", "TXT", "txt")
    dns.record(zone, "w2", "TXT", "t")
    before = {row["id"]: row for row in dns.get(f"/zones/{zone}/records")}
    gone = dns("POST", f"/zones/{zone}/records/delete_many", [pattern]).json
    assert gone == [before[row["id"]] for row in gone]
    assert sorted(content for _, _, content in dns.own(zone)) == left
    assert dns.get(f"/zones/{zone}")["records_count"] == 3 + len(left)


def test_deleting_needs_a_name_in_the_zone_and_leaves_the_system_s(dns: LuaDns, zone: int) -> None:
    before = stored()
    path = f"/zones/{zone}/records/delete_many"
    refused(dns("POST", path, [{"name": "a"}, {"type": "A"}]), wrong("1.name", "Required", "RequiredError"))
    refused(dns("POST", path, [{"name": "x.org."}]), wrong("0.name", "name is not in the zone example.com"))
    refused(dns("POST", path, [{"name": "", "type": "NS"}]), SYSTEM_NS)
    assert stored() == before


# Below: changes that are larger than a transaction of DynamoDB. Four writes fit into a chunk here.


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MOST_WRITES", 4)


def settled(zone: int) -> bool:
    item = Zone.find(account_pk(1), zone_sk(zone))
    return item is not None and item.journal is None and item.journal_done is None


@pytest.mark.usefixtures("small_chunks")
def test_a_change_of_any_size_is_one_change(dns: LuaDns, zone: int) -> None:
    serial = dns.serial(zone)
    made = dns.make(f"/zones/{zone}/records/create_many", many(7))
    assert len(made) == 7
    assert len(dns.own(zone)) == 7
    changed = dns.serial(zone)
    assert changed > serial
    assert len(dns("POST", f"/zones/{zone}/records/delete_many", [{"name": row["name"]} for row in made]).json) == 7
    assert dns.own(zone) == []
    assert settled(zone)
    jobs.run_due()
    assert not list(Job.query("jobs"))


@pytest.mark.usefixtures("small_chunks")
def test_a_large_zone_may_be_made_at_once(dns: LuaDns) -> None:
    made = dns.make("/zones", {"name": "example.com", "records": many(7)})
    assert made["records_count"] == 10
    assert dns.get(f"/zones/{made['id']}") == made
    assert settled(made["id"])


@pytest.fixture
def cut(small_chunks: None, dns: LuaDns, zone: int) -> Iterator[list[str]]:
    """A zone whose seven new records were decided, and written out as far as the first chunk."""
    assert dies(lambda: dns("POST", f"/zones/{zone}/records/create_many", many(7)), 2, of="TransactWriteItems")
    assert not settled(zone)
    yield [f"h{n}.example.com." for n in range(7)]
    assert settled(zone)


def names(dns: LuaDns, zone: int) -> list[str]:
    return sorted(name for name, _, _ in dns.own(zone))


def test_a_reader_finishes_what_a_dying_process_has_decided(dns: LuaDns, zone: int, cut: list[str]) -> None:
    assert names(dns, zone) == cut


def test_a_reader_of_one_record_finishes_it_too(dns: LuaDns, zone: int, cut: list[str]) -> None:
    assert dns.get(f"/zones/{zone}/records/10")["name"] == "h6.example.com."


def test_a_writer_finishes_it_before_its_own_change(dns: LuaDns, zone: int, cut: list[str]) -> None:
    refused(dns("POST", f"/zones/{zone}/records", many(1, 6)[0]), EXISTS)
    dns.record(zone, "own", "A", "192.0.2.1")
    assert names(dns, zone) == [*cut, "own.example.com."]


def test_the_job_finishes_it_when_nobody_comes(dns: LuaDns, zone: int, cut: list[str]) -> None:
    jobs.run_due()
    assert settled(zone)
    assert names(dns, zone) == cut


def test_whoever_slept_over_a_journal_overwrites_nothing_later(dns: LuaDns, zone: int, cut: list[str]) -> None:
    sleeper = Zone.find(account_pk(1), zone_sk(zone))
    assert sleeper is not None
    assert sleeper.journal
    chunks = blobs.get(sleeper.journal)
    record = next(row for row in dns.get(f"/zones/{zone}/records") if row["name"].startswith("h6."))
    path = f"/zones/{zone}/records/{record['id']}"
    assert dns("PUT", path, {**record, "content": "192.0.2.77"}).status == 200
    before = stored()
    assert b"192.0.2.1" in chunks
    journal.settle(sleeper)
    assert stored() == before


@moto_only
def test_the_job_finds_that_a_reader_was_faster(dns: LuaDns, zone: int, cut: list[str]) -> None:
    """Then the journal is gone when the job asks for it, which S3 tells only to whoever may list the bucket."""
    events, event = aws.client("s3").meta.events, "before-parameter-build.s3.GetObject"

    def read_first(**_: Any) -> None:
        events.unregister(event, read_first)
        assert names(dns, zone) == cut

    events.register(event, read_first)
    assert (jobs.run_due(), list(Job.query("jobs"))) == (1, [])


def test_a_large_zone_is_deleted_whole(dns: LuaDns, zone: int) -> None:
    dns.make(f"/zones/{zone}/records/create_many", many(60))
    assert len(dns("DELETE", f"/zones/{zone}").json["records"]) == 63
    jobs.run_due()
    assert stored() == []


@embedded_only
def test_three_thousand_records_are_no_more_than_a_longer_wait(dns: LuaDns, zone: int) -> None:
    made = dns.make(f"/zones/{zone}/records/create_many", many(3000))
    assert len(made) == 3000
    assert len(dns.get(f"/zones/{zone}/records")) == 3003
    assert settled(zone)
    reply = dns("PUT", f"/zones/{zone}", {"name": "example.com", "records": many(10, 2995)})
    assert reply.json["records_count"] == 13
    assert [row["id"] for row in reply.json["records"]][3:8] == [row["id"] for row in made[2995:]]
