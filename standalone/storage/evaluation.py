"""Evaluates expressions: conditions on an item, and updates of it."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from operator import and_, ge, gt, le, lt, not_, or_
from typing import Any

from standalone.storage.documents import Path, replaced
from standalone.storage.errors import invalid
from standalone.storage.values import EXACT, SETS, Item, Value, number_text, ordered, type_of

ORDERED = ("S", "N", "B")
Operand = Value | None  # None for a path that does not exist


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function with its arguments."""

    name: str
    arguments: "tuple[Node, ...]"


# A Value is the value of a `:placeholder`.
Node = Path | Value | Call


@dataclass(frozen=True, slots=True)
class UpdateClause:
    """One clause of an update; only REMOVE has no operand."""

    verb: str
    path: Path
    operand: Node | None


def evaluate(node: Node, item: Item) -> Any:
    """Evaluate a node: a bool for a condition, a value or None for an operand."""
    if isinstance(node, Call):
        return OPERATIONS[node.name](*[evaluate(argument, item) for argument in node.arguments])
    return node.find(item) if isinstance(node, Path) else node


def equal(left: Operand, right: Operand) -> bool:
    return left is not None and left == right


def comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Operand, Operand], bool]:
    """Return a comparison that is false for values of different types and for missing ones."""

    def compared(left: Operand, right: Operand) -> bool:
        kind = type_of(left) if left else ""
        if not left or not right or kind not in right or kind not in ORDERED:
            return False
        one, other = left[kind], right[kind]
        return compare(Decimal(one), Decimal(other)) if kind == "N" else compare(one, other)

    return compared


at_least, at_most = comparison(ge), comparison(le)


def size(value: Operand) -> Operand:
    kind = type_of(value) if value else "N"
    return {"N": str(len(value[kind]))} if value and kind not in ("N", "BOOL", "NULL") else None


def contains(container: Operand, operand: Operand) -> bool:
    if container is None or operand is None:
        return False
    ((kind, content),) = container.items()
    if kind == "L":
        return operand in content
    return kind in ("S", "B", *SETS) and SETS.get(kind, kind) in operand and operand[type_of(operand)] in content


def begins_with(value: Operand, prefix: Operand) -> bool:
    return any(
        kind in value and kind in prefix and bool(value[kind].startswith(prefix[kind]))
        for kind in ("S", "B")
        if value and prefix
    )


def list_append(first: Operand, second: Operand) -> Value:
    return {"L": content("L", first) + content("L", second)}


def arithmetic(operate: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Operand, Operand], Value]:
    return lambda left, right: {"N": number_text(operate(Decimal(content("N", left)), Decimal(content("N", right))))}


def required(operand: Operand) -> Value:
    if operand is None:
        raise invalid("The provided expression refers to an attribute that does not exist in the item")
    return operand


def content(kind: str, operand: Operand) -> Any:
    if kind not in required(operand):
        raise invalid("An operand in the update expression has an incorrect data type")
    return required(operand)[kind]


plus = arithmetic(EXACT.add)
OPERATIONS: dict[str, Callable[..., Any]] = {
    "AND": and_,
    "OR": or_,
    "NOT": not_,
    "=": equal,
    "<>": lambda left, right: not equal(left, right),
    "<": comparison(lt),
    "<=": at_most,
    ">": comparison(gt),
    ">=": at_least,
    "BETWEEN": lambda value, low, high: at_least(value, low) and at_most(value, high),
    "IN": lambda value, *options: any(equal(value, option) for option in options),
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
    "attribute_type": lambda value, kind: value is not None and kind["S"] in value,
    "begins_with": begins_with,
    "contains": contains,
    "size": size,
    "if_not_exists": lambda value, otherwise: otherwise if value is None else value,
    "list_append": list_append,
    "+": plus,
    "-": arithmetic(EXACT.subtract),
}


def updated(item: Item, actions: tuple[UpdateClause, ...]) -> Item:
    """Return the item after an update. Operands are read from the item before it, so their order does not matter."""
    changes = []
    for action in actions:
        operand = evaluate(action.operand, item) if action.operand else None
        changes.append((action.path, CHANGES[action.verb](action.path.find(item), operand)))
    # Removals come last, the highest list index first, so that they do not shift the indexes of other changes.
    changes.sort(key=lambda change: (change[1] is None, -_index(change[0])))
    after: Value = {"M": item}
    for path, value in changes:
        after = replaced(after, path.parts, value)
    result: Item = after["M"]
    return result


def _index(path: Path) -> int:
    return path.parts[-1] if isinstance(path.parts[-1], int) else -1


def add(present: Operand, value: Value) -> Value:
    if present is None:
        return value
    kind = type_of(value)
    if kind == "N":
        return plus(present, value)
    return {kind: ordered(kind, {*content(kind, present), *value[kind]})}


def delete(present: Operand, value: Value) -> Operand:
    if present is None:
        return None
    kind = type_of(value)
    rest = ordered(kind, set(content(kind, present)) - set(value[kind]))
    return {kind: rest} if rest else None


CHANGES: dict[str, Callable[..., Operand]] = {
    "SET": lambda _, value: required(value),
    "REMOVE": lambda _, __: None,
    "ADD": add,
    "DELETE": delete,
}
