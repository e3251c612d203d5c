"""Rate limits in windows aligned to the clock, and the bound on concurrent work."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import time_machine

from chalicelib.core import limits
from chalicelib.core.errors import Busy, TooMany
from chalicelib.core.tables import Window
from tests.worlds import both_worlds, embedded_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
MOMENT = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)


def test_each_use_reduces_the_remaining_count() -> None:
    with time_machine.travel(MOMENT, tick=False):
        assert [limits.count("a", 3, 60) for _ in range(3)] == [2, 1, 0]


def test_a_use_above_the_limit_gets_retry_after() -> None:
    with time_machine.travel(MOMENT, tick=False):
        limits.count("a", 1, 60)
        with pytest.raises(TooMany) as raised:
            limits.count("a", 1, 60, "Slow down.")
    assert (raised.value.message, raised.value.detail) == ("Slow down.", {"retry_after": 50})


def test_the_limit_is_reset_after_retry_after() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        limits.count("a", 1, 60)
        clock.shift(49)
        with pytest.raises(TooMany):
            limits.count("a", 1, 60)
        clock.shift(1)
        assert limits.count("a", 1, 60) == 0


def test_subjects_are_counted_separately() -> None:
    with time_machine.travel(MOMENT, tick=False):
        assert [limits.count(subject, 1, 60) for subject in ("a", "b", "a#b")] == [0, 0, 0]


def test_a_reset_window_starts_at_zero() -> None:
    with time_machine.travel(MOMENT, tick=False):
        limits.count("a", 2, 60)
        limits.reset("a", 60)
        assert limits.count("a", 2, 60) == 1


def test_resetting_an_unused_window_is_no_error() -> None:
    limits.reset("unused", 60)


def test_counting_is_one_call(calls: list[str]) -> None:
    limits.count("a", 2, 60)
    assert calls == ["UpdateItem"]


def test_a_window_expires() -> None:
    with time_machine.travel(MOMENT, tick=False):
        limits.count("a", 2, 60)
    (window,) = Window.query("window#a")
    assert window.expires_at == datetime(2026, 3, 1, 12, 2, tzinfo=UTC)


@embedded_only
def test_concurrent_uses_do_not_exceed_the_limit() -> None:
    def attempt(_: int) -> bool:
        try:
            limits.count("a", 5, 60)
        except TooMany:
            return False
        return True

    with time_machine.travel(MOMENT, tick=False), ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, range(24))).count(True) == 5


def test_a_full_pool_raises_busy_immediately() -> None:
    work_pool = limits.Pool(at_once=2, waiting=1)
    inside, done = threading.Semaphore(0), threading.Event()

    def work() -> None:
        with work_pool.worker("busy"):
            inside.release()
            done.wait(10)

    with ThreadPoolExecutor(3) as threads:
        working = [threads.submit(work) for _ in range(3)]
        assert inside.acquire(timeout=10)
        assert inside.acquire(timeout=10)
        while work_pool._admitted.acquire(blocking=False):  # until the third thread waits
            work_pool._admitted.release()
        with pytest.raises(Busy, match="busy") as raised, work_pool.worker("busy"):
            pass
        assert raised.value.detail == {"retry_after": 2}
        assert not inside.acquire(timeout=0.1)
        done.set()
        for worker in working:
            worker.result(timeout=10)
    with work_pool.worker("busy"):
        pass


def test_a_failed_worker_is_released() -> None:
    work_pool = limits.Pool(at_once=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ValueError, match="bad"), work_pool.worker("busy"):
            raise ValueError("bad")


def test_addresses_of_an_ipv6_network_count_as_one() -> None:
    assert limits.network_of("2001:db8:1:2:3::4") == limits.network_of("2001:db8:1:2::") == "2001:db8:1:2::/64"
    assert limits.network_of("203.0.113.7") == "203.0.113.7"
    assert limits.network_of("unknown") == "unknown"
