"""A table and its indexes: which attributes make their keys, and what each index holds of an item."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from standalone.storage.errors import DynamoError, invalid, invalid_value
from standalone.storage.keys import check_key_size, check_not_empty, key_bytes, owner_bytes
from standalone.storage.values import Item, type_of

# A table takes this many relation numbers: its own, and those of at most 25 indexes.
NUMBERS_PER_TABLE = 32

Position = tuple[int, bytes, bytes, bytes]


@dataclass(frozen=True, eq=False)
class Relation:
    """Items in the order of a hash and a range key: a table itself, or one of its indexes."""

    number: int
    kind: str
    name: str
    hash: str
    range: str | None
    types: Mapping[str, str]
    projected: frozenset[str] | None

    @cached_property
    def keys(self) -> tuple[str, ...]:
        return (self.hash,) if self.range is None else (self.hash, self.range)

    def position(self, item: Item, owner: bytes) -> Position | None:
        """Where the item stands, or None if it has not all keys of this (then sparse) index."""
        hash_key, range_key = item.get(self.hash), item.get(self.range or "")
        if hash_key is None or (range_key is None and self.range is not None):
            return None
        return (self.number, key_bytes(hash_key), key_bytes(range_key) if range_key else b"", owner)

    def trim(self, item: Item) -> Item:
        if self.projected is None:
            return item
        return {name: value for name, value in item.items() if name in self.projected}


@dataclass(frozen=True, eq=False)
class Table:
    """One definition as it was created, read as relations."""

    id: int
    definition: Mapping[str, Any]
    primary: Relation
    indexes: Mapping[str, Relation]

    @property
    def name(self) -> str:
        return self.primary.name

    @property
    def time_to_live(self) -> str | None:
        return self.definition.get("TimeToLive")

    def relation(self, index: str | None) -> Relation:
        if index is None:
            return self.primary
        if index not in self.indexes:
            raise invalid(f"The table does not have the specified index: {index}")
        return self.indexes[index]

    def position(self, key: Item) -> Position:
        """The place of a checked primary key."""
        place = self.primary.position(key, b"")
        assert place is not None
        check_key_size(place[1], place[2])
        return place

    def given_key(self, key: Item) -> Item:
        """A key as GetItem, UpdateItem and DeleteItem take it: the key attributes and nothing else."""
        types = self.primary.types
        if len(key) != len(self.primary.keys) or any(
            name not in key or type_of(key[name]) != types[name] for name in self.primary.keys
        ):
            raise invalid("The provided key element does not match the schema")
        for name, value in key.items():
            check_not_empty(name, value)
        return key

    def key_of(self, item: Item) -> Item:
        """The key inside a whole item, as PutItem takes it."""
        for name in self.primary.keys:
            if name not in item:
                raise invalid_value(f"Missing the key {name} in the item")
            wanted, actual = self.primary.types[name], type_of(item[name])
            if actual != wanted:
                raise invalid_value(f"Type mismatch for key {name} expected: {wanted} actual: {actual}")
            check_not_empty(name, item[name])
        return {name: item[name] for name in self.primary.keys}

    def check_index_keys(self, item: Item) -> None:
        for index in self.indexes.values():
            for name in index.keys:
                if name in item:
                    _check_index_key(index, name, item)

    def positions(self, item: Item, place: Position) -> list[Position]:
        """Every place the item takes: in the table first, then in its indexes."""
        owner = owner_bytes(place[1], place[2])
        places = (index.position(item, owner) for index in self.indexes.values())
        return [place, *(position for position in places if position)]


def _check_index_key(index: Relation, name: str, item: Item) -> None:
    wanted, actual = index.types[name], type_of(item[name])
    if actual != wanted:
        raise invalid_value(
            f"Type mismatch for Index Key {name} Expected: {wanted} Actual: {actual} IndexName: {index.name}"
        )
    if not item[name][actual]:
        what = "string" if actual == "S" else "binary"
        raise invalid(
            "One or more parameter values are not valid. A value specified for a secondary index key is not "
            f"supported. The AttributeValue for a key attribute cannot contain an empty {what} value. "
            f"IndexName: {index.name}, IndexKey: {name}"
        )


def table_from(table_id: int, definition: Mapping[str, Any]) -> Table:
    types = {one["AttributeName"]: one["AttributeType"] for one in definition["AttributeDefinitions"]}
    base = table_id * NUMBERS_PER_TABLE
    hash_key, range_key = key_names(definition)
    primary = Relation(base, "table", definition["TableName"], hash_key, range_key, types, None)
    indexes: dict[str, Relation] = {}
    for kind, parameter in (("local", "LocalSecondaryIndexes"), ("global", "GlobalSecondaryIndexes")):
        for index in definition.get(parameter, ()):
            number = base + 1 + len(indexes)
            hash_key, range_key = key_names(index)
            projected = _projected(index, {*primary.keys, hash_key, range_key or hash_key})
            name = index["IndexName"]
            indexes[name] = Relation(number, kind, name, hash_key, range_key, types, projected)
    return Table(table_id, definition, primary, indexes)


def key_names(schema: Mapping[str, Any]) -> tuple[str, str | None]:
    names = [element["AttributeName"] for element in schema["KeySchema"]]
    return names[0], names[1] if len(names) > 1 else None


def _projected(index: Mapping[str, Any], keys: set[str]) -> frozenset[str] | None:
    projection = index["Projection"]
    if projection["ProjectionType"] == "ALL":
        return None
    return frozenset(keys | set(projection.get("NonKeyAttributes", ())))


def not_found(name: str) -> DynamoError:
    return DynamoError("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")
