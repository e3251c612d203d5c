"""A table and its indexes: the places of an item in them, and the validation of keys.

A place is a key as bytes. Places sort as DynamoDB sorts: by relation, then key by key.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from standalone.storage.errors import invalid, invalid_value
from standalone.storage.values import Item, Value, type_of

# A table reserves this many relation numbers: its own, those of at most 25 indexes, and the last for its time to live.
NUMBERS_PER_TABLE = 32
GLOBAL, LOCAL = "GlobalSecondaryIndexes", "LocalSecondaryIndexes"
MAX_KEY_BYTES = (2048, 1024)  # of a hash and of a range key

Interval = tuple[bytes, bytes]  # places from the first (inclusive) to the second (exclusive)


def after(prefix: bytes) -> bytes:
    """The lowest place above all places with the prefix."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1])


def key_bytes(value: Value) -> bytes:
    """Encode a key so that bytes sort like keys and no key is a prefix of another: zero bytes are escaped, and an end
    marker is added."""
    ((kind, content),) = value.items()
    octets: bytes = number_bytes(content) if kind == "N" else content.encode() if kind == "S" else content
    return octets.replace(b"\0", b"\0\xff") + b"\0\1"


def number_bytes(text: str) -> bytes:
    """Encode a number as sign, exponent and up to 38 digits; for negative numbers all but the sign is complemented."""
    number = Decimal(text)
    if not number:
        return b"\x01"
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    magnitude = bytes([number.adjusted() + 130]) + digits.encode()
    if number > 0:
        return b"\x02" + magnitude
    return b"\x00" + bytes(255 - octet for octet in magnitude) + b"\xff"


@dataclass(frozen=True, eq=False)
class Relation:
    """Items in key order: a table, one of its indexes, or the index of its times to live."""

    name: str
    whole: Interval
    keys: tuple[str, ...]
    order: tuple[str, ...]  # the keys, and in an index also those of the table, so that places are unique
    types: Mapping[str, str]
    consistent: bool = True  # whether it supports consistent reads; False for global indexes

    @property
    def start(self) -> bytes:
        return self.whole[0]

    def place(self, item: Item) -> bytes | None:
        """The item's place; None if the item does not have all keys of this (sparse) index."""
        place = self.start
        for name in self.order:
            if self.types[name] not in item.get(name, ()):
                return None
            place += key_bytes(item[name])
        return place

    def check_key(self, name: str, value: Value, mismatch: str) -> None:
        """Raise for a key of another type (with the text `mismatch`), an empty key or one that is too long."""
        kind = type_of(value)
        if kind != self.types[name]:
            raise invalid(mismatch.format(name=name, expected=self.types[name], actual=kind, index=self.name))
        if not value[kind]:
            raise invalid(
                "One or more parameter values are not valid. The AttributeValue for a key attribute "
                f"cannot contain an empty {'string' if kind == 'S' else 'binary'} value. Key: {name}"
            )
        if len(value[kind] if kind == "B" else value[kind].encode()) > MAX_KEY_BYTES[self.keys.index(name)]:
            raise invalid_value(
                "Size of hashkey has exceeded the maximum size limit of2048 bytes"  # DynamoDB's own spelling
                if name == self.keys[0]
                else "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
            )


@dataclass(frozen=True, eq=False)
class TableDefinition:
    """A table's definition, with its relations."""

    definition: Mapping[str, Any]
    whole: Interval
    primary: Relation
    indexes: Mapping[str, Relation]
    time_to_live: Relation | None

    @property
    def name(self) -> str:
        return self.primary.name

    def relation(self, index: str | None) -> Relation:
        if index is not None and index not in self.indexes:
            raise invalid(f"The table does not have the specified index: {index}")
        return self.primary if index is None else self.indexes[index]

    def places(self, item: Item | None) -> dict[Relation, bytes]:
        """The item's places in the table, its indexes and the index of its times to live."""
        if item is None:
            return {}
        relations = (self.primary, *self.indexes.values(), *((self.time_to_live,) if self.time_to_live else ()))
        return {relation: place for relation in relations if (place := relation.place(item)) is not None}

    def key_place(self, key: Item) -> bytes:
        """The place for a key of GetItem, UpdateItem or DeleteItem, which contains exactly the key attributes."""
        mismatch = "The provided key element does not match the schema"
        if key.keys() != set(self.primary.keys):
            raise invalid(mismatch)
        for name, value in key.items():
            self.primary.check_key(name, value, mismatch)
        place = self.primary.place(key)
        assert place is not None
        return place

    def check_item(self, item: Item) -> None:
        """Raise for an item without the table's keys, or with an invalid key of an index."""
        mismatch = "One or more parameter values were invalid: Type mismatch for "
        for name in self.primary.keys:
            if name not in item:
                raise invalid_value(f"Missing the key {name} in the item")
            self.primary.check_key(name, item[name], mismatch + "key {name} expected: {expected} actual: {actual}")
        mismatch += "Index Key {name} Expected: {expected} Actual: {actual} IndexName: {index}"
        for index in self.indexes.values():
            for name in item.keys() & index.keys:
                index.check_key(name, item[name], mismatch)


def table_from(table_id: int, definition: Mapping[str, Any]) -> TableDefinition:
    starts = [(table_id * NUMBERS_PER_TABLE + number).to_bytes(4, "big") for number in range(NUMBERS_PER_TABLE + 1)]
    wholes = list(pairwise(starts))
    types = {one["AttributeName"]: one["AttributeType"] for one in definition["AttributeDefinitions"]}
    keys = key_names(definition)
    primary = Relation(definition["TableName"], wholes[0], keys, keys, types)
    indexes = {}
    for whole, (kind, index) in zip(wholes[1:], indexes_of(definition), strict=False):
        own, consistent = key_names(index), kind == LOCAL
        indexes[index["IndexName"]] = Relation(index["IndexName"], whole, own, own + keys, types, consistent)
    time_to_live = None
    if name := definition.get("TimeToLive"):
        time_to_live = Relation(name, wholes[-1], (name,), (name, *keys), {**types, name: "N"})
    return TableDefinition(definition, (starts[0], starts[-1]), primary, indexes, time_to_live)


def indexes_of(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each index of a definition, with the name of its parameter."""
    for kind in (GLOBAL, LOCAL):
        for index in definition.get(kind, ()):
            yield kind, index


def key_names(schema: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(element["AttributeName"] for element in schema["KeySchema"])
