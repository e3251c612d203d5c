"""Capacity units by DynamoDB's published rules: 4 KB per read unit, 1 KB per write unit."""

from collections import defaultdict
from typing import Any

from standalone.storage.database import StoredItem
from standalone.storage.errors import invalid
from standalone.storage.tables import TableDefinition


def units(size: int, unit: int) -> int:
    return max(1, -(-size // unit))


class Meter:
    """Adds up the consumed capacity of one call by table; `factor` is 2 for a transaction."""

    def __init__(self, params: dict[str, Any], *, factor: int = 1) -> None:
        mode = params.get("ReturnConsumedCapacity", "NONE")
        if mode not in ("NONE", "TOTAL"):
            raise invalid(f"The ReturnConsumedCapacity {mode} is not supported here")
        self.on = mode == "TOTAL"
        self.factor = factor
        self.consumed: dict[str, float] = defaultdict(float)

    def read(self, table: TableDefinition, stored: StoredItem | None, consistent: bool) -> None:
        self.read_bytes(table, stored.size if stored else 0, consistent)

    def read_bytes(self, table: TableDefinition, size: int, consistent: bool) -> None:
        self.consumed[table.name] += units(size, 4096) * self.factor * (1.0 if consistent else 0.5)

    def write(self, table: TableDefinition, size: int) -> None:
        self.consumed[table.name] += units(size, 1024) * self.factor

    def write_index(self, table: TableDefinition, *sizes: int) -> None:
        """Add one write per size. Index writes do not cost more in a transaction."""
        self.consumed[table.name] += sum(units(size, 1024) for size in sizes)

    def one(self) -> dict[str, Any]:
        """The part of a response about a single table; empty if it was not requested."""
        return {"ConsumedCapacity": self.by_table()[0]} if self.on else {}

    def all(self, *also: str) -> dict[str, Any]:
        """The part of a response about several tables. `also` are further fields with the same number."""
        return {"ConsumedCapacity": self.by_table(*also)} if self.on else {}

    def by_table(self, *also: str) -> list[dict[str, Any]]:
        names = ("CapacityUnits", *also)
        return [{"TableName": table, **dict.fromkeys(names, number)} for table, number in self.consumed.items()]
