"""Whether a condition holds for an item."""

from collections.abc import Callable
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from standalone.storage.documents import resolve
from standalone.storage.errors import DynamoError, invalid
from standalone.storage.syntax import (
    Between,
    Comparison,
    Condition,
    Function,
    In,
    Junction,
    Not,
    Operand,
    Path,
    Placeholder,
)
from standalone.storage.values import SETS, Item, Value, binary, type_of

ORDERED: dict[str, Callable[[Any], Any]] = {"S": str, "N": Decimal, "B": binary}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {"=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
TYPES = "B,NULL,SS,BOOL,L,BS,N,NS,S,M"


def operand_value(operand: Operand, item: Item, values: Item) -> Value | None:
    if isinstance(operand, Path):
        return resolve(operand, item)
    if isinstance(operand, Placeholder):
        return values[operand.name]
    assert isinstance(operand, Function)
    return size(operand_value(operand.arguments[0], item, values))


def size(value: Value | None) -> Value | None:
    if value is None:
        return None
    ((kind, content),) = value.items()
    if kind in ("N", "BOOL", "NULL"):
        return None
    return {"N": str(len(binary(content) if kind == "B" else content))}


def compare(operator: str, left: Value | None, right: Value | None) -> bool:
    """Values of different types, or absent ones, are unequal and have no order."""
    if operator in ("=", "<>"):
        return (left is not None and left == right) is (operator == "=")
    if left is None or right is None or type_of(left) != type_of(right):
        return False
    kind = type_of(left)
    order = ORDERED.get(kind)
    return order is not None and COMPARE[operator](order(left[kind]), order(right[kind]))


def contains(container: Value | None, operand: Value | None) -> bool:
    if container is None or operand is None:
        return False
    ((kind, content),) = container.items()
    if kind == "L":
        return operand in content
    if type_of(operand) != SETS.get(kind, kind):
        return False
    sought = operand[type_of(operand)]
    if kind == "B":
        return binary(sought) in binary(content)
    return kind in ("S", *SETS) and sought in content


def begins_with(value: Value | None, prefix: Value | None) -> bool:
    if value is None or prefix is None or type_of(value) != type_of(prefix):
        return False
    if "S" in value:
        return str(value["S"]).startswith(prefix["S"])
    return "B" in value and binary(value["B"]).startswith(binary(prefix["B"]))


FUNCTIONS: dict[str, Callable[..., bool]] = {
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
    "attribute_type": lambda value, kind: value is not None and type_of(value) == kind["S"],
    "begins_with": begins_with,
    "contains": contains,
}


def holds(condition: Condition, item: Item, values: Item) -> bool:
    def value(operand: Operand) -> Value | None:
        return operand_value(operand, item, values)

    match condition:
        case Comparison(operator, left, right):
            return compare(operator, value(left), value(right))
        case Function(name, arguments):
            return FUNCTIONS[name](*map(value, arguments))
        case Junction("AND", one, other):
            return holds(one, item, values) and holds(other, item, values)
        case Junction(_, one, other):
            return holds(one, item, values) or holds(other, item, values)
        case Not(inner):
            return not holds(inner, item, values)
        case Between(operand, low, high):
            middle = value(operand)
            return compare(">=", middle, value(low)) and compare("<=", middle, value(high))
        case In(operand, options):
            sought = value(operand)
            return any(compare("=", sought, value(option)) for option in options)


def check_condition(kind: str, condition: Condition, values: Item) -> None:
    """Refuses what no item could make sense of: values of types an operator does not take."""

    def literals(*operands: Operand) -> list[Value]:
        return [values[operand.name] for operand in operands if isinstance(operand, Placeholder)]

    match condition:
        case Comparison(("<" | "<=" | ">" | ">=") as operator, left, right):
            _require(kind, operator, literals(left, right), ORDERED)
        case Between(_, low, high):
            _require(kind, "BETWEEN", literals(low, high), ORDERED)
            _check_bounds(kind, literals(low, high))
        case Function("begins_with", arguments):
            _require(kind, "begins_with", literals(*arguments), ("S", "B"))
        case Function("attribute_type", (_, wanted)):
            _check_type_name(kind, literals(wanted))
        case Not(inner):
            check_condition(kind, inner, values)
        case Junction(_, one, other):
            check_condition(kind, one, values)
            check_condition(kind, other, values)


def operand_type_error(kind: str, operator: str, found: str) -> DynamoError:
    term = "operator or function" if operator[0].islower() or operator in "+-" else "operator"
    return invalid(
        f"Invalid {kind}: Incorrect operand type for operator or function; {term}: {operator}, operand type: {found}"
    )


def _require(kind: str, operator: str, literals: list[Value], types: Any) -> None:
    for literal in literals:
        if type_of(literal) not in types:
            raise operand_type_error(kind, operator, type_of(literal))


def _check_bounds(kind: str, bounds: list[Value]) -> None:
    if len(bounds) < 2:
        return
    low, high = ("AttributeValue: {%s:%s}" % next(iter(bound.items())) for bound in bounds)  # noqa: UP031
    ends = f"lower bound operand: {low}, upper bound operand: {high}"
    if type_of(bounds[0]) != type_of(bounds[1]):
        raise invalid(
            f"Invalid {kind}: The BETWEEN operator requires same data type for lower and upper bounds; {ends}"
        )
    if compare(">", *bounds):
        raise invalid(
            f"Invalid {kind}: The BETWEEN operator requires upper bound to be greater than or equal to "
            f"lower bound; {ends}"
        )


def _check_type_name(kind: str, literals: list[Value]) -> None:
    if not literals:
        raise operand_type_error(kind, "attribute_type", "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
    _require(kind, "attribute_type", literals, "S")
    if literals[0]["S"] not in TYPES.split(","):
        raise invalid(
            f"Invalid {kind}: Invalid attribute type name found; type: {literals[0]['S']}, valid types: {{{TYPES}}}"
        )
