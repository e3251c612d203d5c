"""Public ids are unique."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.core import ids
from tests.worlds import both_worlds, embedded_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]


def test_ids_start_at_one_and_increase_by_one() -> None:
    assert [ids.reserve("zone") for _ in range(3)] == [1, 2, 3]


def test_reserving_a_block_returns_its_first_id() -> None:
    assert [ids.reserve("zone", 5), ids.reserve("zone", 2), ids.reserve("zone")] == [1, 6, 8]


def test_sequences_are_independent() -> None:
    ids.reserve("zone", 10)
    assert ids.reserve("record") == 1


def test_an_id_is_an_integer() -> None:
    assert type(ids.reserve("zone")) is int


def test_reserving_is_one_call(calls: list[str]) -> None:
    ids.reserve("zone", 100)
    assert calls == ["UpdateItem"]


@embedded_only
def test_concurrent_reservations_get_different_ids() -> None:
    with ThreadPoolExecutor(8) as pool:
        firsts = list(pool.map(lambda _: ids.reserve("zone", 3), range(40)))
    assert sorted(firsts) == list(range(1, 121, 3))
