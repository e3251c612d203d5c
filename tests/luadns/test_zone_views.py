"""Reads of a zone are cached by its serial, and replay its changes: equal to a new read in every byte."""

from random import Random
from typing import Any

import pytest

from chalicelib.core.tables import Account
from chalicelib.luadns import zone_views
from chalicelib.luadns.tables import LuaDnsItem, ZoneChange
from tests.client import Client
from tests.luadns.api import LuaDns, key_for
from tests.worlds import embedded_only

AUTH = ["UpdateItem", "GetItem"]


def bodies(dns: LuaDns, zone: int) -> list[Any]:
    """What a client reads of a zone, with its headers."""
    replies = [dns("GET", f"/zones/{zone}/records"), dns("GET", f"/zones/{zone}")]
    replies += [dns("GET", f"/zones/{zone}/records", query="limit=3&page=2&sort_by=content")]
    return [(reply.status, reply.body, reply.header("etag"), reply.header("x-total-count")) for reply in replies]


def test_random_changes_are_replayed_to_what_a_new_read_returns(
    dns: LuaDns, zone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random, contents = Random(11), {"A": "192.0.2.", "TXT": "text ", "MX": "10 mx.example."}
    bodies(dns, zone)
    for _ in range(60):
        listed = dns.get(f"/zones/{zone}/records")[3:]
        type_ = random.choice(list(contents))
        content = contents[type_] + ("" if type_ == "MX" else str(random.randrange(9)))
        row = {"name": random.choice("abc@"), "type": type_, "content": content, "ttl": random.choice((60, 300))}
        if random.random() < 0.3:
            row["external_id"] = "x"
        chosen = random.choice(listed)["id"] if listed else 0
        method, path, body = random.choice(
            (
                ("POST", "/records", row),
                ("PUT", f"/records/{chosen}", row),
                ("DELETE", f"/records/{chosen}", None),
                ("PATCH", "/records", [row]),
                ("POST", "/records/delete_many", [{"name": row["name"]}]),
            )
        )
        dns(method, f"/zones/{zone}{path}", body)
        replayed = bodies(dns, zone)
        with monkeypatch.context() as patch:
            patch.setattr(zone_views, "_views", zone_views._Views())
            assert bodies(dns, zone) == replayed


@embedded_only
def test_an_unchanged_zone_costs_one_read_and_a_changed_one_a_query_of_its_changes(
    dns: LuaDns, zone: int, calls: list[str]
) -> None:
    dns.get(f"/zones/{zone}/records")
    for path in (f"/zones/{zone}/records", f"/zones/{zone}"):
        calls.clear()
        dns.get(path)
        assert calls == [*AUTH, "BatchGetItem"]
    dns.record(zone, "www", "A", "192.0.2.1")
    calls.clear()
    assert len(dns.get(f"/zones/{zone}/records")) == 4
    assert calls == [*AUTH, "BatchGetItem", "Query"]


def test_a_missing_change_is_replaced_by_a_new_read(dns: LuaDns, zone: int) -> None:
    dns.get(f"/zones/{zone}/records")
    dns.record(zone, "www", "A", "192.0.2.1")
    for item in LuaDnsItem.scan():
        if isinstance(item, ZoneChange):
            item.delete()
    assert dns.own(zone) == [("www.example.com.", "A", "192.0.2.1")]


def test_a_cached_zone_is_hidden_from_other_accounts_and_keys(
    client: Client, dns: LuaDns, zone: int, alice: Account, bob: Account
) -> None:
    dns.zone("example.org")
    dns.get(f"/zones/{zone}/records")
    for other in (key_for(client, bob), key_for(client, alice, "zone:example.org")):
        assert other("GET", f"/zones/{zone}/records").status == 404
    dns("DELETE", f"/zones/{zone}")
    assert dns("GET", f"/zones/{zone}/records").status == 404


def test_the_views_in_memory_are_limited(dns: LuaDns, zone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone_views, "_MAX_RECORDS", 5)
    other = dns.zone("example.org")
    for number in (zone, other):
        dns.get(f"/zones/{number}/records")
    assert list(zone_views._views._views) == [other]
