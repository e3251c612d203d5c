"""Capacity units by DynamoDB's published rules: 4 KB a read unit, 1 KB a write unit."""

from collections import defaultdict
from typing import Any

from standalone.storage.database import Stored
from standalone.storage.errors import invalid
from standalone.storage.tables import Table


def units(size: int, unit: int) -> int:
    return max(1, -(-size // unit))


class Meter:
    """Adds up what one call consumes, by table; a transaction counts everything twice."""

    def __init__(self, params: dict[str, Any], *, factor: int = 1) -> None:
        mode = params.get("ReturnConsumedCapacity", "NONE")
        if mode not in ("NONE", "TOTAL"):
            raise invalid(f"The ReturnConsumedCapacity {mode} is not supported here")
        self.on = mode == "TOTAL"
        self.factor = factor
        self.spent: dict[str, float] = defaultdict(float)

    def read(self, table: Table, stored: Stored | None, consistent: bool) -> None:
        self.read_bytes(table, stored.size if stored else 0, consistent)

    def read_bytes(self, table: Table, size: int, consistent: bool) -> None:
        self.spent[table.name] += units(size, 4096) * self.factor * (1.0 if consistent else 0.5)

    def write(self, table: Table, size: int) -> None:
        self.spent[table.name] += units(size, 1024) * self.factor

    def write_index(self, table: Table, *sizes: int) -> None:
        """As many writes as there are sizes; in a transaction they cost what they always cost."""
        self.spent[table.name] += sum(units(size, 1024) for size in sizes)

    def one(self) -> dict[str, Any]:
        """What the answer about a single table tells of it."""
        return {"ConsumedCapacity": self.spending()[0]} if self.on else {}

    def all(self, *also: str) -> dict[str, Any]:
        """What the answer about several tables tells of it, and the names that it tells it by beside the usual."""
        return {"ConsumedCapacity": self.spending(*also)} if self.on else {}

    def spending(self, *also: str) -> list[dict[str, Any]]:
        names = ("CapacityUnits", *also)
        return [{"TableName": table, **dict.fromkeys(names, spent)} for table, spent in self.spent.items()]
