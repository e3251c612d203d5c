"""What was added to counters on each day: every count is in one day, whatever runs twice or late."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from chalicelib.core.catalogues import days
from chalicelib.core.catalogues.counters import SLOT, CounterSet
from tests.core.test_counters import Clicks, click, deltas, everything, read
from tests.worlds import both_worlds

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]


def process() -> CounterSet[int]:
    return CounterSet("test", int, read=read, everything=everything, total=int)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False) as clock:
        process().publish()
        yield clock


def test_a_day_is_stored_once_it_has_ended(clock: Any) -> None:
    one = process()
    click(one, "a", 3)
    one.publish()
    click(one, "b")
    one.publish()
    days.store("test")
    assert days.of("test", "a") == {}
    clock.shift(timedelta(days=1))
    click(one, "a")
    one.publish()
    days.store("test")
    days.store("test")
    assert (days.of("test", "a"), days.of("test", "b")) == ({"2026-03-01": 3}, {"2026-03-01": 1})
    clock.shift(timedelta(days=1))
    days.store("test")
    assert days.of("test", "a") == {"2026-03-01": 3, "2026-03-02": 1}
    assert days.of("test", "a", date(2026, 3, 2), date(2026, 3, 2)) == {"2026-03-02": 1}


def test_nothing_is_lost_or_doubled_by_folds_and_repeated_jobs(clock: Any) -> None:
    counted: dict[str, int] = {}
    for step in range(40):
        one = process()
        day = datetime.now(UTC).date().isoformat()
        click(one, "a", step % 3)
        counted[day] = counted.get(day, 0) + step % 3
        for _ in range(2):
            one.publish()
            one.fold()
        if step % 3 == 0:
            days.store("test")
        clock.shift(timedelta(hours=5, seconds=SLOT))
    clock.shift(timedelta(days=1))
    days.store("test")
    assert days.of("test", "a") == {day: number for day, number in counted.items() if number}


def test_deltas_stay_until_their_day_is_stored(clock: Any) -> None:
    one = process()
    for _ in range(3):
        click(one, "a")
        one.publish()
        one.fold()
    assert len(deltas()) >= 3
    clock.shift(timedelta(days=1))
    days.store("test")
    click(one, "a")
    one.publish()
    one.fold()
    click(one, "a")
    one.publish()
    one.fold()
    assert days.of("test", "a") == {"2026-03-01": 3}
    assert process().counts().get("a") == 5


def test_a_deleted_thing_has_no_days(clock: Any) -> None:
    one = process()
    click(one, "a", 2)
    one.publish()
    Clicks("clicks", "a").delete()
    one.mark("a")
    one.publish()
    clock.shift(timedelta(days=1))
    days.store("test")
    assert days.of("test", "a") == {"2026-03-01": 2}
    days.delete("test", "a")
    assert days.of("test", "a") == {}
