"""Rows by key as bytes, column by column. Equal values of a column are stored once, and are one object when decoded."""

from array import array
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

_encode = msgspec.msgpack.Encoder().encode
_ROWS = msgspec.msgpack.Decoder(tuple[bytes, dict[str, tuple[msgspec.Raw, bytes]]])


def encode(rows: Mapping[str, msgspec.Struct], fields: Sequence[str], numbers: Mapping[str, int]) -> bytes:
    """The numbers of the rows' keys, and these fields of the rows, which are of one type and have hashable values."""
    places = array("I", (numbers[key] for key in rows)).tobytes()
    return _encode((places, {name: _column(list(map(attrgetter(name), rows.values()))) for name in fields}))


def decode(kind: type[msgspec.Struct], fields: Sequence[str], body: bytes, keys: Sequence[str]) -> list[list[Any]]:
    """The keys of all rows, and the values of each field; `keys` has the key of each number.

    Raises ValueError if other fields or other types were encoded.
    """
    places, columns = _ROWS.decode(body)
    if [*columns] != [*fields]:
        raise ValueError("other fields")
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    own = [keys[number] for number in array("I", places)]
    return [own, *(_values(types[name], *columns[name]) for name in fields)]


def _column(values: list[Any]) -> tuple[list[Any], bytes]:
    """The distinct values, and for each row the number of its value."""
    numbers: dict[Any, int] = {}
    places = array("I", (numbers.setdefault(value, len(numbers)) for value in values))
    return list(numbers), places.tobytes()


def _values(kind: Any, distinct: msgspec.Raw, places: bytes) -> list[Any]:
    found: list[Any] = msgspec.msgpack.decode(distinct, type=list[kind])
    return list(map(found.__getitem__, array("I", places)))
