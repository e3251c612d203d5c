"""Each change of a zone stores its difference: what it removed and added, between which serials."""

from typing import Any

import pytest

from chalicelib.core import blobs, job_runner
from chalicelib.luadns import history
from chalicelib.luadns.tables import LuaDnsItem, Zone, ZoneChange
from tests.luadns.api import LuaDns
from tests.worlds import both_worlds


def changes(zone: int) -> list[ZoneChange]:
    """The stored changes of a zone, oldest first."""
    found = [item for item in LuaDnsItem.scan() if isinstance(item, ZoneChange)]
    return sorted((item for item in found if f"#{zone:010d}#" in item.sk), key=lambda item: item.serial)


def shown(change: ZoneChange) -> tuple[list[Any], list[Any]]:
    removed, added = history.difference_of(change)
    return [tuple(state)[1:] for state in removed], [tuple(state)[1:] for state in added]


def stored_zone(zone: int) -> Zone:
    return next(item for item in LuaDnsItem.scan() if isinstance(item, Zone) and item.id == zone)


@both_worlds
def test_each_change_stores_what_it_removed_and_added(dns: LuaDns, zone: int) -> None:
    serials = [dns.serial(zone)]
    record = dns.record(zone, "www", "A", "192.0.2.1", external_id="x")
    serials.append(dns.serial(zone))
    dns("PUT", f"/zones/{zone}/records/{record['id']}", {**record, "content": "192.0.2.2", "ttl": 60})
    serials.append(dns.serial(zone))
    dns("DELETE", f"/zones/{zone}/records/{record['id']}")
    serials.append(dns.serial(zone))
    found = changes(zone)
    assert [(item.previous, item.serial, item.action) for item in found] == [
        (None, serials[0], "zone.create"),
        (serials[0], serials[1], "record.create"),
        (serials[1], serials[2], "record.update"),
        (serials[2], serials[3], "record.delete"),
    ]
    first, second = (
        ("www.example.com.", "A", "192.0.2.1", 300, "x"),
        ("www.example.com.", "A", "192.0.2.2", 60, "x"),
    )
    assert [state[1] for state in shown(found[0])[1]] == ["SOA", "NS", "NS"]
    assert [shown(item) for item in found[1:]] == [([], [first]), ([first], [second]), ([second], [])]
    assert {int(item.actor_id) for item in found} == {1}


def test_a_change_without_effect_and_a_refused_one_store_nothing(dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")
    before = len(changes(zone))
    dns("PATCH", f"/zones/{zone}/records", [{"name": "www", "type": "A", "content": "192.0.2.1"}])
    dns("POST", f"/zones/{zone}/records", {"name": record["name"], "type": "CNAME", "content": "a.example."})
    assert len(changes(zone)) == before


def test_the_changes_between_two_serials_are_an_unbroken_chain(dns: LuaDns, zone: int) -> None:
    start = dns.serial(zone)
    for number in range(3):
        dns.record(zone, f"h{number}", "A", "192.0.2.1")
    head = stored_zone(zone)
    found = history.between(head, start)
    assert found is not None
    assert [item.serial for item in found] == [item.serial for item in changes(zone)[1:]]
    assert history.between(head, int(head.serial)) == []
    assert history.between(head, int(head.serial) + 1) is None
    assert history.between(head, start - 1) is None
    found[1].delete()
    assert history.between(head, start) is None


def test_several_differences_combine_to_one(dns: LuaDns, zone: int) -> None:
    start = dns.serial(zone)
    stays = dns.record(zone, "stays", "A", "192.0.2.1")
    for ttl in (60, 90):
        dns("PUT", f"/zones/{zone}/records/{stays['id']}", {**stays, "ttl": ttl})
    gone = dns.record(zone, "gone", "A", "192.0.2.1")
    dns("DELETE", f"/zones/{zone}/records/{gone['id']}")
    found = history.between(stored_zone(zone), start)
    assert found is not None
    removed, added = history.combined(map(history.difference_of, found))
    assert (removed, [(state.name, state.ttl) for state in added]) == ([], [("stays.example.com.", 90)])


@pytest.mark.parametrize("letters", ["x", "\u00e9"])
def test_the_difference_of_a_large_change_is_whole_and_goes_with_the_zone(dns: LuaDns, zone: int, letters: str) -> None:
    import secrets

    texts = [f"{letters}{secrets.token_hex(15_000)}" for _ in range(30)]
    rows = [{"name": f"t{index}", "type": "TXT", "content": text} for index, text in enumerate(texts)]
    dns.make(f"/zones/{zone}/records/create_many", rows)
    change = changes(zone)[-1]
    assert change.blob is not None
    assert [state.content for state in history.difference_of(change).added] == texts
    dns("DELETE", f"/zones/{zone}")
    job_runner.run_due()
    assert changes(zone) == []
    assert not list(blobs.list_blobs("luadns/"))
