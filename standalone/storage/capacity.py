"""Capacity units by DynamoDB's published rules: 4 KB a read unit, 1 KB a write unit."""

from collections import defaultdict
from typing import Any

from standalone.storage.errors import invalid
from standalone.storage.tables import Relation, Table

MODES = ("NONE", "TOTAL", "INDEXES")


def units(size: int, unit: int) -> int:
    return max(1, -(-size // unit))


class Meter:
    """Adds up what one call consumes, by table and index; a transaction counts everything twice."""

    def __init__(self, params: dict[str, Any], *, factor: float = 1) -> None:
        self.mode = params.get("ReturnConsumedCapacity", "NONE")
        if self.mode not in MODES:
            raise invalid(
                f"1 validation error detected: Value '{self.mode}' at 'returnConsumedCapacity' failed to satisfy "
                "constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"
            )
        self.on = self.mode != "NONE"
        self.factor = factor
        self.spent: dict[str, dict[Relation, float]] = defaultdict(lambda: defaultdict(float))

    def read(self, table: Table, relation: Relation, size: int, consistent: bool) -> None:
        if self.on:
            share = units(size, 4096) * self.factor
            self.spent[table.name][relation] += share if consistent or self.factor > 1 else share / 2

    def write(self, table: Table, relation: Relation, amount: int) -> None:
        if self.on:
            self.spent[table.name][relation] += amount * self.factor

    def one(self) -> dict[str, Any]:
        return {"ConsumedCapacity": self.report()[0]} if self.on else {}

    def all(self, unit: str | None = None) -> dict[str, Any]:
        return {"ConsumedCapacity": self.report(unit)} if self.on else {}

    def report(self, unit: str | None = None) -> list[dict[str, Any]]:
        return [self._entry(name, spent, unit) for name, spent in self.spent.items()]

    def _entry(self, name: str, spent: dict[Relation, float], unit: str | None) -> dict[str, Any]:
        def amount(value: float) -> dict[str, float]:
            return {"CapacityUnits": float(value)} | ({unit: float(value)} if unit else {})

        entry: dict[str, Any] = {"TableName": name, **amount(sum(spent.values()))}
        if self.mode == "INDEXES":
            entry["Table"] = amount(0)
            for relation, value in spent.items():
                if relation.kind == "table":
                    entry["Table"] = amount(value)
                else:
                    group = f"{relation.kind.title()}SecondaryIndexes"
                    entry.setdefault(group, {})[relation.name] = amount(value)
        return entry
