"""Converts key conditions to intervals of places."""

from collections.abc import Callable, Iterator

from standalone.storage.documents import Path
from standalone.storage.errors import invalid
from standalone.storage.evaluation import Call, Node
from standalone.storage.tables import Interval, Relation, after, key_bytes
from standalone.storage.values import Value

MISMATCH = "One or more parameter values were invalid: Condition parameter type does not match schema type"
MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
# Arguments: the place of the hash key, and the bytes of one or two range keys.
RANGES: dict[str, Callable[..., Interval]] = {
    "=": lambda at, key: (at + key, after(at + key)),
    "<": lambda at, key: (at, at + key),
    "<=": lambda at, key: (at, after(at + key)),
    ">": lambda at, key: (after(at + key), after(at)),
    ">=": lambda at, key: (at + key, after(at)),
    "BETWEEN": lambda at, low, high: (at + low, after(at + high)),
    "begins_with": lambda at, key: (at + key[:-2], after(at + key[:-2])),  # without the end marker
}
Test = tuple[str, list[Value]]  # an operator and the values that it compares a key with


def interval(condition: Node, relation: Relation) -> Interval:
    tests: dict[str, Test] = {}
    for simple in _conjuncts(condition):
        name, test = _test(simple)
        if name in tests:
            raise invalid("KeyConditionExpressions must only contain one condition per key")
        tests[name] = test
    for name in relation.keys[: len(tests)]:
        if name not in tests:
            raise invalid(f"Query condition missed key schema element: {name}")
    operator, literals = tests[relation.keys[0]]
    if len(tests) > len(relation.keys) or operator != "=":
        raise invalid("Query key condition not supported")
    for name, (_, operands) in tests.items():
        for literal in operands:
            relation.check_key(name, literal, MISMATCH)
    at = relation.start + key_bytes(literals[0])
    if len(tests) == 1:
        return at, after(at)
    operator, literals = tests[relation.keys[1]]
    return RANGES[operator](at, *map(key_bytes, literals))


def _conjuncts(condition: Node) -> Iterator[Node]:
    if isinstance(condition, Call) and condition.name == "AND":
        for part in condition.arguments:
            yield from _conjuncts(part)
    else:
        yield condition


def _test(condition: Node) -> tuple[str, Test]:
    """The key attribute of a simple condition, and its test."""
    assert isinstance(condition, Call)
    operator, operands = condition.name, condition.arguments
    paths = [operand for operand in operands if isinstance(operand, Path)]
    literals = [operand for operand in operands if isinstance(operand, dict)]
    if operator not in RANGES or len(paths) != 1 or len(literals) < len(operands) - 1 or len(paths[0].parts) > 1:
        raise invalid(f"Invalid operator or operands used in KeyConditionExpression: {operator}")
    if operands[0] is not paths[0]:
        if operator not in MIRRORED:
            raise invalid(f"Invalid condition in KeyConditionExpression: {operator} must have the key attribute first")
        operator = MIRRORED[operator]
    return paths[0].attribute, (operator, literals)
