"""Columns of rows: decoded when they are read, with the rows that changes append."""

from collections.abc import Mapping

import pytest

from chalicelib.core.catalogues.columns import EntryRow, RowField, RowsByKey, RowTable

Fruit = tuple[str, int]


class FruitRow(EntryRow[Fruit]):
    """A fruit."""

    __slots__ = ()

    colour = RowField[Fruit, str](str, lambda fruit: fruit[0])
    size = RowField[Fruit, int](int, lambda fruit: fruit[1])


FRUIT: dict[str, Fruit] = {"apple": ("red", 7), "cherry": ("red", 2), "lime": ("green", 5), "pear": ("green", 7)}


def loaded(rows: RowsByKey[FruitRow]) -> RowsByKey[FruitRow]:
    """The rows as another process loads them."""
    keys = sorted(rows, reverse=True)
    body = rows.encoded({key: number for number, key in enumerate(keys)})
    return RowsByKey.of(FruitRow, RowTable.decoded(FruitRow, body, keys))


def made() -> RowsByKey[FruitRow]:
    return RowsByKey.of(FruitRow, RowTable.of(FruitRow, FRUIT.items()))


def fruit(rows: Mapping[str, FruitRow]) -> dict[str, Fruit]:
    return {key: (row.colour, row.size) for key, row in rows.items()}


def test_loaded_rows_equal_the_ones_that_were_made() -> None:
    assert fruit(loaded(made())) == fruit(made()) == FRUIT


def test_a_change_leaves_the_rows_before_it_and_applies_to_columns_that_nobody_has_read() -> None:
    before = loaded(made())
    assert before["lime"].colour == "green"  # the other column is decoded after the change
    after = before.changed({"lime": ("yellow", 4), "pear": None, "kiwi": ("green", 3)})
    expected = {"apple": ("red", 7), "cherry": ("red", 2), "lime": ("yellow", 4), "kiwi": ("green", 3)}
    assert list(fruit(after).items()) == list(expected.items())
    assert (fruit(before), "pear" in after) == (FRUIT, False)


@pytest.mark.parametrize("few", [True, False])
def test_a_row_passes_if_the_value_of_any_tested_field_does(few: bool) -> None:
    rows = made()
    numbers = [rows.numbers[key] for key in (("lime",) if few else FRUIT)]
    found = rows.table.where(numbers, {"colour": "red".__eq__, "size": lambda size: size == 5})
    assert [rows.table.keys[row] for row in found] == (["lime"] if few else ["apple", "cherry", "lime"])


def test_many_changes_do_not_enlarge_the_table_without_end() -> None:
    rows = made()
    for number in range(5000):
        rows = rows.changed({"lime": ("green", number), "apple": ("red", number)})
    assert fruit(rows) == {**FRUIT, "lime": ("green", 4999), "apple": ("red", 4999)}
    assert len(rows.table.keys) < 3000


def test_other_fields_are_rejected() -> None:
    class Colour(EntryRow[Fruit]):
        __slots__ = ()

        colour = RowField[Fruit, str](str, lambda fruit: fruit[0])

    body = made().encoded({key: number for number, key in enumerate(FRUIT)})
    with pytest.raises(ValueError, match="other fields"):
        RowTable.decoded(Colour, body, list(FRUIT))
