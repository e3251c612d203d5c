"""One change of one item: PutItem, UpdateItem, DeleteItem, and the check of a condition."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from standalone.storage.bindings import Bindings
from standalone.storage.capacity import Meter, units
from standalone.storage.conditions import holds
from standalone.storage.database import Database, Stored, fetch, insert, overwrite, place_entries
from standalone.storage.documents import project
from standalone.storage.errors import DynamoError, invalid, invalid_value
from standalone.storage.keys import owner_bytes
from standalone.storage.tables import Position, Table
from standalone.storage.updates import apply
from standalone.storage.values import MAX_ITEM_SIZE, Item, canonical_item

RETURN_VALUES = {
    "Put": ("NONE", "ALL_OLD"),
    "Delete": ("NONE", "ALL_OLD"),
    "Update": ("NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"),
}


@dataclass(frozen=True, slots=True)
class Target:
    """The place a write goes to: its table, its key, and what the request put in."""

    table: Table
    place: Position
    given: Item


@dataclass(frozen=True, slots=True)
class Change:
    """What a write did, or would do: the item before and after."""

    target: Target
    stored: Stored | None
    old: Item | None
    new: Item | None
    new_size: int


class Write:
    """One requested write, its expressions read and checked before any lock is taken."""

    def __init__(self, kind: str, params: dict[str, Any]) -> None:
        self.kind = kind
        self.params = params
        bindings = Bindings(params)
        self.condition = bindings.condition("ConditionExpression")
        self.actions = bindings.update()
        bindings.finish()
        self.values = bindings.values
        self.returned: str = params.get("ReturnValues", "NONE")
        if self.returned not in RETURN_VALUES.get(kind, ("NONE",)):
            raise invalid("Return values set to invalid value")

    def target(self, database: Database, db: sqlite3.Connection) -> Target:
        table = database.table(db, self.params["TableName"])
        if self.kind == "Put":
            given, size = canonical_item(self.params["Item"])
            check_size(size)
            return Target(table, table.position(table.key_of(given)), given)
        key = table.given_key(canonical_item(self.params["Key"])[0])
        for action in self.actions:
            if action.path.parts[0] in key:
                raise invalid_value(
                    f"Cannot update attribute {action.path.parts[0]}. This attribute is part of the key"
                )
        return Target(table, table.position(key), key)

    def perform(self, db: sqlite3.Connection, target: Target) -> Change:
        stored = fetch(db, target.place)
        old = stored.item() if stored else None
        if self.condition is not None and not holds(self.condition, old or {}, self.values):
            raise self.refusal(old)
        change = self.outcome(target, stored, old)
        if self.kind != "ConditionCheck":
            save(db, change)
        return change

    def refusal(self, old: Item | None) -> DynamoError:
        wanted = self.params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old is not None
        extra = {"Item": old} if wanted else {}
        return DynamoError("ConditionalCheckFailedException", "The conditional request failed", **extra)

    def outcome(self, target: Target, stored: Stored | None, old: Item | None) -> Change:
        if self.kind == "Delete":
            return Change(target, stored, old, None, 0)
        if self.kind == "ConditionCheck":
            return Change(target, stored, old, old, stored.size if stored else 0)
        new = target.given
        if self.kind == "Update":
            before = target.given if old is None else old
            # A second copy, because `apply` reads one while it changes the other.
            new = dict(target.given) if stored is None else stored.item()
            apply(self.actions, before, new, self.values)
        new, size = canonical_item(new)
        check_size(size, updated=self.kind == "Update")
        target.table.check_index_keys(new)
        return Change(target, stored, old, new, size)

    def attributes(self, change: Change) -> dict[str, Any]:
        """What ReturnValues asked for."""
        if self.returned == "NONE":
            return {}
        item = change.new if self.returned.endswith("NEW") else change.old
        if item and self.returned.startswith("UPDATED"):
            item = project(item, [action.path for action in self.actions])
        return {"Attributes": item} if item else {}


def check_size(size: int, *, updated: bool = False) -> None:
    if size > MAX_ITEM_SIZE:
        raise invalid(f"Item size {'to update ' if updated else ''}has exceeded the maximum allowed size")


def save(db: sqlite3.Connection, change: Change) -> None:
    table, place = change.target.table, change.target.place
    old = table.positions(change.old, place) if change.old is not None else []
    new = table.positions(change.new, place) if change.new is not None else []
    row = change.stored.id if change.stored else 0
    if change.new is None:
        db.execute("DELETE FROM items WHERE id = ?", (row,))
    elif change.stored is None:
        row = insert(db, table, change.new_size, change.new)
    else:
        overwrite(db, table, row, change.new_size, change.new)
    place_entries(db, row, old, new)


def write(database: Database, kind: str, params: dict[str, Any]) -> dict[str, Any]:
    meter = Meter(params)
    request = Write(kind, params)
    with database.writing() as db:
        change = request.perform(db, request.target(database, db))
    charge(meter, change)
    return {**request.attributes(change), **meter.one()}


def put_item(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    return write(database, "Put", params)


def update_item(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    return write(database, "Update", params)


def delete_item(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    return write(database, "Delete", params)


def charge(meter: Meter, change: Change) -> None:
    """A table pays for the larger of old and new; an index only for what changed in it, and a
    changed index key twice: for taking the old entry out and for putting the new one in."""
    if not meter.on:
        return
    table, place = change.target.table, change.target.place
    old_size = change.stored.size if change.stored else 0
    meter.write(table, table.primary, units(max(old_size, change.new_size), 1024))
    owner = owner_bytes(place[1], place[2])
    for index in table.indexes.values():
        (old, old_place), (new, new_place) = (
            (index.trim(item), index.position(item, owner)) for item in (change.old or {}, change.new or {})
        )
        sizes = [canonical_item(item)[1] for item, at in ((old, old_place), (new, new_place)) if at]
        if old_place == new_place and (old == new or not sizes):
            continue
        spent = [max(sizes)] if old_place == new_place else sizes
        meter.write(table, index, sum(units(size, 1024) for size in spent))
