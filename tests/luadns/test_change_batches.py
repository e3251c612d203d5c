"""Batches of changes: within Route 53's limits, complete, and with the changes of a name in one batch."""

from typing import Any

import dns.rdata
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.luadns.engines import change_batches
from chalicelib.luadns.engines.change_batches import Change, RecordSet, SetKey


def a_set(name: str, type: str = "A", ttl: int = 300, *values: str) -> RecordSet:
    return {"Name": name, "Type": type, "TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]}


def by_key(*sets: RecordSet) -> dict[SetKey, RecordSet]:
    return {change_batches.key_of(found): found for found in sets}


def change(action: str, found: RecordSet) -> Change:
    return {"Action": action, "ResourceRecordSet": found}


WWW = a_set("www.example.com.", "A", 300, "192.0.2.1")


def test_equal_record_sets_need_no_change() -> None:
    other_order = a_set("p.", "A", 1, "192.0.2.2", "192.0.2.1")
    wildcard = a_set("\\052.example.com.", "A", 5, "192.0.2.1")
    current = by_key(WWW, wildcard, a_set("p.", "A", 1, "192.0.2.1", "192.0.2.2"))
    desired = by_key(WWW, a_set("*.example.com.", "A", 5, "192.0.2.1"), other_order)
    assert change_batches.changes(current, desired) == []


def test_a_delete_contains_the_record_set_as_it_is() -> None:
    weighted = {**WWW, "SetIdentifier": "blue", "Weight": 10}
    alias = {"Name": "x.", "Type": "A", "AliasTarget": {"HostedZoneId": "Z", "DNSName": "y."}}
    assert change_batches.changes(by_key(weighted, alias), {}) == [
        [change("DELETE", weighted)],
        [change("DELETE", alias)],
    ]


@pytest.mark.parametrize(
    "other", [a_set("www.example.com.", "A", 60, "192.0.2.1"), a_set("www.example.com.", "A", 300, "192.0.2.2")]
)
def test_another_ttl_or_other_values_are_an_upsert(other: RecordSet) -> None:
    assert change_batches.changes(by_key(WWW), by_key(other)) == [[change("UPSERT", other)]]


def test_an_alias_target_of_route_53_is_replaced() -> None:
    alias = {"Name": "www.example.com.", "Type": "A", "AliasTarget": {"HostedZoneId": "Z", "DNSName": "y."}}
    assert change_batches.changes(by_key(alias), by_key(WWW)) == [[change("UPSERT", WWW)]]


def test_changes_of_one_name_are_one_group_with_deletions_first() -> None:
    cname = a_set("www.example.com.", "CNAME", 300, "a.")
    assert change_batches.changes(by_key(cname), by_key(WWW)) == [[change("DELETE", cname), change("CREATE", WWW)]]


GROUPS = st.lists(
    st.tuples(st.sampled_from(["CREATE", "UPSERT", "DELETE"]), st.integers(1, 700), st.integers(1, 120)), max_size=40
)


@given(GROUPS)
def test_batches_are_within_the_limits_and_contain_all_groups_in_order(shapes: list[tuple[str, int, int]]) -> None:
    groups = [
        [change(action, a_set(f"n{number}.", "TXT", 1, *["v" * length] * count))]
        for number, (action, count, length) in enumerate(shapes)
    ]
    batches = list(change_batches.batches(groups))
    assert [group for batch in batches for group in batch] == groups
    for batch in batches:
        if len(batch) > 1:
            values, characters = (sum(column) for column in zip(*(size(group[0]) for group in batch), strict=True))
            assert values <= 1000
            assert characters <= 32_000


def size(counted: Any) -> tuple[int, int]:
    """The number of values and of their characters, as Route 53 counts them: twice for an UPSERT."""
    times = 2 if counted["Action"] == "UPSERT" else 1
    texts = [record["Value"] for record in counted["ResourceRecordSet"]["ResourceRecords"]]
    return times * len(texts), times * sum(map(len, texts))


def test_a_batch_ends_only_where_the_next_group_exceeds_a_limit() -> None:
    groups = [[change("CREATE", a_set(f"n{number}.", "A", 1, "192.0.2.1"))] for number in range(2500)]
    assert [len(batch) for batch in change_batches.batches(groups)] == [1000, 1000, 500]
    groups = [[change("UPSERT", a_set(f"n{number}.", "A", 1, "192.0.2.1"))] for number in range(2500)]
    assert [len(batch) for batch in change_batches.batches(groups)] == [500] * 5


@given(st.binary(max_size=255))
def test_text_values_use_octal_escapes(octets: bytes) -> None:
    rdata = dns.rdata.from_text("IN", "TXT", '"' + "".join(f"\\{octet:03d}" for octet in octets) + '"')
    text = change_batches.value(rdata)
    assert text[0] == text[-1] == '"'
    assert text.isascii()
    assert text.isprintable()
    assert unescape(text[1:-1]) == octets


def unescape(text: str) -> bytes:
    """Parse a quoted value by Route 53's documentation."""
    out = bytearray()
    while text:
        if text[0] == "\\" and text[1].isdigit():
            out.append(int(text[1:4], 8))
            text = text[4:]
        elif text[0] == "\\":
            out += text[1].encode()
            text = text[2:]
        else:
            assert text[0] != '"'
            out += text[0].encode()
            text = text[1:]
    return bytes(out)
