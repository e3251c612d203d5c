"""RowList with the fields of entries by which lists filter and sort, column by column, so that no list decodes entries.

A column has each distinct value once, and for each row the number of its value. A column that was stored is decoded
when it is first read. A change appends a row; older rows stay for the readers of earlier states.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import RLock
from types import GenericAlias
from typing import Any, Generic, Self, TypeVar, overload

import msgspec

T = TypeVar("T")
V = TypeVar("V")  # the values of entries
R = TypeVar("R", bound="EntryRow[Any]")

_MOST_ROWS, _FEW = 2, 1000  # a table with twice as many rows as entries, and some, is made again

_encode = msgspec.msgpack.Encoder().encode
_STORED = msgspec.msgpack.Decoder(tuple[bytes, dict[str, tuple[msgspec.Raw, bytes]]])


class Column(Generic[T]):
    """The values of one field: `distinct[places[n]]` is that of row `n`."""

    __slots__ = ("distinct", "places")

    def __init__(self, distinct: list[T], places: "array[int]") -> None:
        self.distinct = distinct
        self.places = places

    def __getitem__(self, number: int) -> T:
        return self.distinct[self.places[number]]

    def append(self, value: T) -> None:
        """Add a row with this value."""
        self.places.append(len(self.distinct))
        self.distinct.append(value)


class RowField(Generic[V, T]):
    """A field of a row: its type, as msgspec reads it, and how it is derived from the value of an entry."""

    def __init__(self, kind: Any, derive: Callable[[V], T]) -> None:
        self.values = GenericAlias(list, kind)
        self.derive = derive

    def __set_name__(self, owner: type["EntryRow[V]"], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, row: None, owner: type["EntryRow[V]"]) -> "RowField[V, T]": ...

    @overload
    def __get__(self, row: "EntryRow[V]", owner: type["EntryRow[V]"]) -> T: ...

    def __get__(self, row: "EntryRow[V] | None", owner: type["EntryRow[V]"]) -> "RowField[V, T] | T":
        if row is None:
            return self
        found: T = row.table.column(self.name)[row.number]
        return found


class EntryRow(Generic[V]):
    """The row with a number. Subclasses declare the fields."""

    __slots__ = ("number", "table")

    def __init__(self, table: "RowTable[V]", number: int) -> None:
        self.table = table
        self.number = number

    @property
    def key(self) -> str:
        """The key of the entry."""
        return self.table.keys[self.number]

    @classmethod
    def fields(cls) -> dict[str, RowField[V, Any]]:
        """The fields by their names."""
        return {name: field for name, field in vars(cls).items() if isinstance(field, RowField)}


class RowTable(Generic[V]):
    """The rows of all entries, and of earlier states of entries; `keys` has the keys of the entries by row."""

    def __init__(self, kind: type[EntryRow[V]], keys: Iterable[str] = ()) -> None:
        self.fields = kind.fields()
        self.keys = list(keys)
        self._columns: dict[str, Column[Any]] = {}
        self._stored: dict[str, tuple[bytes, bytes]] = {}
        self._appended: list[dict[str, Any]] = []  # the rows that stored columns do not have
        self._lock = RLock()

    @classmethod
    def of(cls, kind: type[EntryRow[V]], entries: Iterable[tuple[str, V]]) -> Self:
        """A table with a row for each of these entries."""
        table = cls(kind)
        table._columns = {name: Column([], array("I")) for name in table.fields}
        numbers: dict[str, dict[Any, int]] = {name: {} for name in table.fields}
        for key, value in entries:
            table.keys.append(key)
            for name, field in table.fields.items():
                known = numbers[name]
                table._columns[name].places.append(known.setdefault(field.derive(value), len(known)))
        for name, known in numbers.items():
            table._columns[name].distinct.extend(known)
        return table

    @classmethod
    def decoded(cls, kind: type[EntryRow[V]], body: bytes, keys: Sequence[str]) -> Self:
        """The table that `encoded` has encoded; `keys` has the key of each number.

        Raises ValueError if other fields were encoded.
        """
        places, stored = _STORED.decode(body)
        table = cls(kind, map(keys.__getitem__, array("I", places)))
        if stored.keys() != table.fields.keys():
            raise ValueError("other fields")
        table._stored = {name: (bytes(distinct), own) for name, (distinct, own) in stored.items()}
        return table

    def encoded(self, rows: Sequence[int], numbers: Mapping[str, int]) -> bytes:
        """These rows as bytes, in which the number of a key stands for the key. Values must be hashable."""
        places = array("I", (numbers[self.keys[row]] for row in rows)).tobytes()
        return _encode((places, {name: _encoded(map(self.column(name).__getitem__, rows)) for name in self.fields}))

    def column(self, name: str) -> Column[Any]:
        """The column of a field."""
        found = self._columns.get(name)
        return self._decoded(name) if found is None else found

    def values(self, name: str) -> list[Any]:
        """The values of a field of all rows."""
        column = self.column(name)
        return list(map(column.distinct.__getitem__, column.places))

    def append(self, key: str, value: V) -> int:
        """Add a row for the value of an entry; return its number."""
        row = {name: field.derive(value) for name, field in self.fields.items()}
        with self._lock:
            for name, column in self._columns.items():
                column.append(row[name])
            if self._stored:
                self._appended.append(row)
            self.keys.append(key)
            return len(self.keys) - 1

    def where(self, rows: Sequence[int], tests: Mapping[str, Callable[[Any], bool]]) -> list[int]:
        """The rows in which one of these fields has a value that passes its test."""
        passing = [self._passing(rows, self.column(name), test) for name, test in tests.items()]
        if len(passing) == 1:
            return passing[0]
        passed = set().union(*passing)
        return [row for row in rows if row in passed]

    def _passing(self, rows: Sequence[int], column: Column[Any], test: Callable[[Any], bool]) -> list[int]:
        distinct, places = column.distinct, column.places
        if len(rows) < len(distinct):
            return [row for row in rows if test(distinct[places[row]])]
        passed = list(map(test, distinct))
        return [row for row in rows if passed[places[row]]]

    def _decoded(self, name: str) -> Column[Any]:
        with self._lock:
            if name not in self._columns:
                distinct, places = self._stored.pop(name)
                values = msgspec.msgpack.decode(distinct, type=self.fields[name].values)
                column: Column[Any] = Column(values, array("I", places))
                for row in self._appended:
                    column.append(row[name])
                self._columns[name] = column
            return self._columns[name]


class RowList(Sequence[R], Generic[R]):
    """Some rows of a table in an order."""

    def __init__(self, kind: type[R], table: RowTable[Any], numbers: Sequence[int]) -> None:
        self._kind = kind
        self._table = table
        self.numbers = numbers

    @property
    def keys(self) -> list[str]:
        """The keys of the entries."""
        return list(map(self._table.keys.__getitem__, self.numbers))

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[R]:
        kind, table = self._kind, self._table
        return (kind(table, number) for number in self.numbers)

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> "RowList[R]": ...

    def __getitem__(self, index: int | slice) -> "R | RowList[R]":
        if isinstance(index, slice):
            return RowList(self._kind, self._table, self.numbers[index])
        return self._kind(self._table, self.numbers[index])


class RowsByKey(Mapping[str, R]):
    """The current rows of a table by the keys of their entries; immutable. A changed row keeps its place."""

    def __init__(self, kind: type[R], table: RowTable[Any], numbers: Mapping[str, int]) -> None:
        self._kind = kind
        self.table = table
        self.numbers = numbers

    @classmethod
    def of(cls, kind: type[R], table: RowTable[Any]) -> "RowsByKey[R]":
        """All rows of a new table, which has one for each entry."""
        return cls(kind, table, dict(zip(table.keys, range(len(table.keys)), strict=True)))

    def row(self, number: int) -> R:
        """The row with this number."""
        return self._kind(self.table, number)

    def changed(self, changes: Mapping[str, Any]) -> "RowsByKey[R]":
        """The rows after changes of these entries; None: the entry has no row any more."""
        rows = self if len(self.table.keys) <= _MOST_ROWS * (len(self) + _FEW) else self._compacted()
        numbers = dict(rows.numbers)
        for key, value in changes.items():
            if value is None:
                numbers.pop(key, None)
            else:
                numbers[key] = rows.table.append(key, value)
        return RowsByKey(self._kind, rows.table, numbers)

    def encoded(self, numbers: Mapping[str, int]) -> bytes:
        """The rows as bytes, for `RowTable.decoded`."""
        return self.table.encoded(list(self.numbers.values()), numbers)

    def _compacted(self) -> "RowsByKey[R]":
        """The same rows in a new table."""
        keys = list(self)
        body = self.encoded({key: number for number, key in enumerate(keys)})
        return RowsByKey.of(self._kind, self.table.decoded(self._kind, body, keys))

    def __getitem__(self, key: str) -> R:
        return self._kind(self.table, self.numbers[key])

    def __contains__(self, key: object) -> bool:
        return key in self.numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[str]:
        return iter(self.numbers)


def _encoded(values: Iterable[Any]) -> tuple[list[Any], bytes]:
    numbers: dict[Any, int] = {}
    places = array("I", (numbers.setdefault(value, len(numbers)) for value in values))
    return list(numbers), places.tobytes()
