"""The history of a zone by the API, and the restoration of an earlier state."""

from typing import Any

import pytest

from chalicelib.luadns.tables import LuaDnsItem, ZoneChange
from tests.luadns.api import LuaDns, assert_invalid, problem, stored


def listed(dns: LuaDns, zone: int) -> list[tuple[Any, ...]]:
    rows = dns.get(f"/zones/{zone}/records")
    return [(row["id"], row["name"], row["type"], row["content"], row["ttl"]) for row in rows if row["type"] != "SOA"]


def test_the_history_lists_the_newest_changes_first(dns: LuaDns, zone: int) -> None:
    first = dns.serial(zone)
    record = dns.record(zone, "www", "A", "192.0.2.1")
    second = dns.serial(zone)
    dns("DELETE", f"/zones/{zone}/records/{record['id']}")
    state = {
        "id": record["id"],
        "name": "www.example.com.",
        "type": "A",
        "content": "192.0.2.1",
        "ttl": 300,
        "external_id": None,
    }
    found = dns.get(f"/zones/{zone}/history")
    created = [row.pop("created_at") for row in found]
    assert all(text.endswith("Z") for text in created)
    assert [row.pop("added_count") for row in found] == [0, 1, 3]
    assert found[:2] == [
        {
            "serial": dns.serial(zone),
            "previous_serial": second,
            "action": "record.delete",
            "removed_count": 1,
            "removed": [state],
            "added": [],
        },
        {
            "serial": second,
            "previous_serial": first,
            "action": "record.create",
            "removed_count": 0,
            "removed": [],
            "added": [state],
        },
    ]
    older = dns.get(f"/zones/{zone}/history", query=f"limit=1&before={second}")
    assert [(row["serial"], row["previous_serial"], row["action"]) for row in older] == [(first, None, "zone.create")]


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [("limit=21", "limit", "limit must be a number from 0 to 20"), ("before=x", "before", "before must be a number")],
)
def test_a_wrong_range_is_a_400(dns: LuaDns, zone: int, query: str, field: str, message: str) -> None:
    reply = dns("GET", f"/zones/{zone}/history", query=query)
    (error,) = reply.json["errors"]
    assert (reply.status, error["fieldNames"]) == (400, [field])
    assert error["message"].startswith(message)


def test_an_earlier_state_is_restored_with_the_ids_of_its_records(dns: LuaDns, zone: int) -> None:
    gone = dns.record(zone, "gone", "A", "192.0.2.1", external_id="mine")
    changed = dns.record(zone, "changed", "TXT", "before", ttl=60)
    wanted, serial = listed(dns, zone), dns.serial(zone)
    dns("DELETE", f"/zones/{zone}/records/{gone['id']}")
    dns("PUT", f"/zones/{zone}/records/{changed['id']}", {"name": "moved", "type": "TXT", "content": "after"})
    dns.record(zone, "gone", "CNAME", "a.example.")
    restored = dns.make(f"/zones/{zone}/revert", {"serial": serial})
    assert [(row["id"], row.get("external_id")) for row in restored] == [(gone["id"], "mine"), (changed["id"], None)]
    assert listed(dns, zone) == wanted
    assert dns.get(f"/zones/{zone}")["records_count"] == 5
    newest = dns.get(f"/zones/{zone}/history")[0]
    assert (newest["action"], newest["removed_count"], newest["added_count"]) == ("zone.revert", 2, 2)


def test_a_restoration_to_the_current_serial_changes_nothing(dns: LuaDns, zone: int) -> None:
    before = stored()
    assert dns.make(f"/zones/{zone}/revert", {"serial": dns.serial(zone)}) == []
    assert stored() == before


def test_a_restoration_beyond_the_history_is_a_400_and_changes_nothing(dns: LuaDns, zone: int) -> None:
    serial = dns.serial(zone)
    dns.record(zone, "www", "A", "192.0.2.1")
    for item in LuaDnsItem.scan():
        if isinstance(item, ZoneChange) and item.previous == serial:
            item.delete()
    for wrong in (serial, serial - 1, 0, -1, 2**40):
        before = stored()
        message = f"the history of the zone does not reach back to the serial {wrong}"
        assert_invalid(dns("POST", f"/zones/{zone}/revert", {"serial": wrong}), problem("serial", message))
        assert stored() == before


def test_a_restoration_needs_a_serial_and_the_current_tag(dns: LuaDns, zone: int) -> None:
    path = f"/zones/{zone}/revert"
    assert_invalid(dns("POST", path, {}), problem("serial", "Required", "RequiredError"))
    reply = dns("POST", path, {"serial": dns.serial(zone)}, headers={"If-Match": '"1"'})
    assert reply.status == 412
