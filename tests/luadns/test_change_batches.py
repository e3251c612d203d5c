"""Batches of changes: within Route 53's limits, nothing lost, names kept together."""

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


def test_what_is_as_wanted_is_left_alone() -> None:
    other_order = a_set("p.", "A", 1, "192.0.2.2", "192.0.2.1")
    has = by_key(WWW, a_set("\\052.example.com.", "A", 5, "192.0.2.1"), a_set("p.", "A", 1, "192.0.2.1", "192.0.2.2"))
    wanted = by_key(WWW, a_set("*.example.com.", "A", 5, "192.0.2.1"), other_order)
    assert change_batches.changes(has, wanted) == []


def test_a_set_is_removed_as_it_stands() -> None:
    weighted = {**WWW, "SetIdentifier": "blue", "Weight": 10}
    alias = {"Name": "x.", "Type": "A", "AliasTarget": {"HostedZoneId": "Z", "DNSName": "y."}}
    assert change_batches.changes(by_key(weighted, alias), {}) == [
        [change("DELETE", weighted)],
        [change("DELETE", alias)],
    ]


@pytest.mark.parametrize(
    "other", [a_set("www.example.com.", "A", 60, "192.0.2.1"), a_set("www.example.com.", "A", 300, "192.0.2.2")]
)
def test_a_set_with_another_ttl_or_other_values_is_put_in_its_place(other: RecordSet) -> None:
    assert change_batches.changes(by_key(WWW), by_key(other)) == [[change("UPSERT", other)]]


def test_an_alias_of_route_53s_own_gives_way() -> None:
    alias = {"Name": "www.example.com.", "Type": "A", "AliasTarget": {"HostedZoneId": "Z", "DNSName": "y."}}
    assert change_batches.changes(by_key(alias), by_key(WWW)) == [[change("UPSERT", WWW)]]


def test_one_name_is_one_group_and_what_goes_stands_before_what_comes() -> None:
    cname = a_set("www.example.com.", "CNAME", 300, "a.")
    assert change_batches.changes(by_key(cname), by_key(WWW)) == [[change("DELETE", cname), change("CREATE", WWW)]]


GROUPS = st.lists(
    st.tuples(st.sampled_from(["CREATE", "UPSERT", "DELETE"]), st.integers(1, 700), st.integers(1, 120)), max_size=40
)


@given(GROUPS)
def test_batches_are_within_the_limits_and_hold_every_group_in_order(shapes: list[tuple[str, int, int]]) -> None:
    groups = [
        [change(action, a_set(f"n{number}.", "TXT", 1, *["v" * length] * count))]
        for number, (action, count, length) in enumerate(shapes)
    ]
    made = list(change_batches.batches(groups))
    assert [group for batch in made for group in batch] == groups
    for batch in made:
        if len(batch) > 1:
            values, characters = (sum(column) for column in zip(*(weight(group[0]) for group in batch), strict=True))
            assert values <= 1000
            assert characters <= 32_000


def weight(one: Any) -> tuple[int, int]:
    """Values and their characters, as Route 53 counts them: twice for an UPSERT."""
    times = 2 if one["Action"] == "UPSERT" else 1
    texts = [record["Value"] for record in one["ResourceRecordSet"]["ResourceRecords"]]
    return times * len(texts), times * sum(map(len, texts))


def test_batches_are_as_full_as_may_be() -> None:
    groups = [[change("CREATE", a_set(f"n{number}.", "A", 1, "192.0.2.1"))] for number in range(2500)]
    assert [len(batch) for batch in change_batches.batches(groups)] == [1000, 1000, 500]
    groups = [[change("UPSERT", a_set(f"n{number}.", "A", 1, "192.0.2.1"))] for number in range(2500)]
    assert [len(batch) for batch in change_batches.batches(groups)] == [500] * 5


@given(st.binary(max_size=255))
def test_a_text_is_told_in_octal(octets: bytes) -> None:
    rdata = dns.rdata.from_text("IN", "TXT", '"' + "".join(f"\\{octet:03d}" for octet in octets) + '"')
    text = change_batches.value(rdata)
    assert text[0] == text[-1] == '"'
    assert text.isascii()
    assert text.isprintable()
    assert read(text[1:-1]) == octets


def read(text: str) -> bytes:
    """A quoted value as Route 53's documentation says that it is read."""
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
