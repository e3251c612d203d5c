"""Key conditions as the interval of positions they select."""

from collections.abc import Iterator

from standalone.storage.errors import invalid
from standalone.storage.keys import after_prefix, key_bytes
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
from standalone.storage.tables import Position, Relation
from standalone.storage.values import Item, Value, type_of

MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

# From the first position on, up to but without the second.
Interval = tuple[Position, Position]


def whole(relation: Relation) -> Interval:
    return (relation.number, b"", b"", b""), (relation.number + 1, b"", b"", b"")


def interval(condition: Condition, relation: Relation, values: Item) -> Interval:
    tests = _by_attribute(condition, values)
    if relation.hash not in tests:
        raise invalid(f"Query condition missed key schema element: {relation.hash}")
    if missed := set(tests) - set(relation.keys):
        if relation.range and relation.range not in tests:
            raise invalid(f"Query condition missed key schema element: {relation.range}")
        raise invalid(f"Query key condition not supported: {', '.join(sorted(missed))} is no key attribute")
    for name, (_, operands) in tests.items():
        _check_types(relation, name, operands)
    operator, operands = tests[relation.hash]
    if operator != "=":
        raise invalid("Query key condition not supported")
    hash_key = key_bytes(operands[0])
    low, high = b"", None
    if relation.range in tests:
        operator, operands = tests[relation.range]
        low, high = _range(operator, [key_bytes(operand) for operand in operands])
    # No key sorts between one and the same with a zero byte behind it.
    end = (hash_key + b"\x00", b"") if high is None else (hash_key, high)
    return (relation.number, hash_key, low, b""), (relation.number, *end, b"")


def _range(operator: str, keys: list[bytes]) -> tuple[bytes, bytes | None]:
    first = keys[0]
    match operator:
        case "=":
            return first, first + b"\x00"
        case "<":
            return b"", first
        case "<=":
            return b"", first + b"\x00"
        case ">":
            return first + b"\x00", None
        case ">=":
            return first, None
        case "begins_with":
            return first, after_prefix(first)
    return first, keys[1] + b"\x00"


def _check_types(relation: Relation, name: str, operands: list[Value]) -> None:
    for operand in operands:
        if type_of(operand) != relation.types[name]:
            raise invalid(
                "One or more parameter values were invalid: Condition parameter type does not match schema type"
            )
        if not operand[type_of(operand)]:
            what = "string" if "S" in operand else "binary"
            raise invalid(
                "One or more parameter values are not valid. The AttributeValue for a key attribute "
                f"cannot contain an empty {what} value. Key: {name}"
            )


def _by_attribute(condition: Condition, values: Item) -> dict[str, tuple[str, list[Value]]]:
    tests: dict[str, tuple[str, list[Value]]] = {}
    for simple in _conjuncts(condition):
        operator, operands = _operands(simple)
        name = _attribute(operator, operands)
        if name in tests:
            raise invalid("KeyConditionExpressions must only contain one condition per key")
        if isinstance(operands[0], Placeholder):
            operator = MIRRORED[operator]
        literals = [values[operand.name] for operand in operands if isinstance(operand, Placeholder)]
        tests[name] = (operator, literals)
    return tests


def _conjuncts(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, Junction) and condition.operator == "AND":
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


def _operands(condition: Condition) -> tuple[str, tuple[Operand, ...]]:
    match condition:
        case Comparison(("=" | "<" | "<=" | ">" | ">=") as operator, left, right):
            return operator, (left, right)
        case Between(operand, low, high):
            return "BETWEEN", (operand, low, high)
        case Function("begins_with", arguments):
            return "begins_with", arguments
        case Comparison(operator) | Junction(operator) | Function(operator):
            refused = operator
        case In():
            refused = "IN"
        case Not():
            refused = "NOT"
    raise invalid(f"Invalid operator used in KeyConditionExpression: {refused}")


def _attribute(operator: str, operands: tuple[Operand, ...]) -> str:
    """The one key attribute of a simple condition."""
    if any(not isinstance(operand, (Path, Placeholder)) for operand in operands):
        raise invalid("KeyConditionExpressions cannot contain nested operations")
    paths = [operand for operand in operands if isinstance(operand, Path)]
    refused = "Invalid condition in KeyConditionExpression: "
    if len(paths) > 1:
        raise invalid(refused + "Multiple attribute names used in one condition")
    if not paths:
        raise invalid(refused + "No key attribute specified")
    if operator not in MIRRORED and not isinstance(operands[0], Path):
        raise invalid(f"{refused}{operator} operator must have the key attribute as its first operand")
    if len(paths[0].parts) > 1:
        raise invalid("KeyConditionExpressions cannot have conditions on nested attributes")
    return str(paths[0].parts[0])
