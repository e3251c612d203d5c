"""Daily numbers, from which statistics are computed.

`Columns` has one month: for each name in COUNTED a list with a number for every day. `Months` has the columns by
month, such as `2026-03`; months without counts can be missing.
"""

import operator
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

COUNTED = (
    *("platform_minetest", "platform_other", "reason_new", "reason_dependency", "reason_update"),
    "views_luanti",
)
Columns = list[list[int]]
Months = Mapping[str, Columns]


def blank(month: str) -> Columns:
    """A month of zeros."""
    return [[0] * _length(month) for _ in COUNTED]


def add(columns: Columns, day: str, numbers: Mapping[str, int]) -> None:
    """Add the numbers of a day, such as `2026-03-05`, to its month."""
    for column, name in zip(columns, COUNTED, strict=True):
        column[int(day[8:]) - 1] += numbers[name]


def total(several: Iterable[Months]) -> dict[str, Columns]:
    """The sum of several series."""
    summed: dict[str, Columns] = {}
    for months in several:
        for month, columns in months.items():
            before = summed.get(month) or blank(month)
            summed[month] = [_sum(*pair) for pair in zip(before, columns, strict=True)]
    return summed


def downloads(columns: Columns) -> list[int]:
    """The downloads of each day, for all reasons together."""
    return _sum(columns[0], columns[1])


def span(months: Months, first: date, last: date) -> tuple[date, date] | None:
    """The first and the last day with counts between `first` and `last`; None without such a day."""
    days = [day for month in sorted(months) for day in _days_with_counts(month, months[month]) if first <= day <= last]
    return (days[0], days[-1]) if days else None


def between(months: Months, first: date, last: date, pick: Callable[[Columns], list[int]]) -> list[int]:
    """One number for every day from `first` to `last`, 0 without counts; `pick` selects the column."""
    numbers: list[int] = []
    for month in months_between(first, last):
        numbers += pick(months[month]) if month in months else [0] * _length(month)
    start = first.day - 1
    return numbers[start : start + (last - first).days + 1]


def as_json(months: Months, first: date, last: date) -> dict[str, Any] | None:
    """The statistics from `first` to `last` as JSON; None without data.

    They begin with the first day that has data, and end with the last one.
    """
    days = span(months, first, last)
    if days is None:
        return None
    return {
        "start": days[0].isoformat(),
        "end": days[1].isoformat(),
        **{name: between(months, *days, operator.itemgetter(column)) for column, name in enumerate(COUNTED)},
    }


def months_between(first: date, last: date) -> Iterator[str]:
    """The months from the first day's to the last day's."""
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield f"{number // 12:04d}-{number % 12 + 1:02d}"


def _days_with_counts(month: str, columns: Columns) -> Iterator[date]:
    """The days of a month with counts."""
    first = date.fromisoformat(f"{month}-01")
    for offset, numbers in enumerate(zip(*columns, strict=True)):
        if any(numbers):
            yield first + timedelta(days=offset)


def _sum(left: list[int], right: list[int]) -> list[int]:
    return list(map(operator.add, left, right))


def _length(month: str) -> int:
    return monthrange(int(month[:4]), int(month[5:]))[1]
