"""What an update expression makes of an item."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from standalone.storage.conditions import operand_type_error
from standalone.storage.documents import child, resolve
from standalone.storage.errors import DynamoError, invalid
from standalone.storage.syntax import Action, Arithmetic, Function, Operand, Path, Placeholder
from standalone.storage.values import EXACT, SETS, Item, Value, number_text, ordered, type_of

LONG_NAMES = {"S": "STRING", "N": "NUMBER", "B": "BINARY", "BOOL": "BOOLEAN", "L": "LIST", "M": "MAP"}


def wrong_type() -> DynamoError:
    return invalid("An operand in the update expression has an incorrect data type")


def apply(actions: tuple[Action, ...], old: Item, new: Item, values: Item) -> None:
    """Changes `new`, which starts equal to `old`; operands are read from `old`, so order does not matter."""
    removals = []
    for action in actions:
        if action.operand is None:
            removals.append(action.path)
            continue
        operand = evaluate(action.operand, old, values)
        value = CHANGE[action.verb](resolve(action.path, old), operand)
        if value is None:
            removals.append(action.path)
        else:
            assign(new, action.path, value)
    # The highest list index first, so that every index still means what it meant in `old`.
    for path in sorted(removals, key=_index, reverse=True):
        remove(new, path)


def _index(path: Path) -> int:
    return path.parts[-1] if isinstance(path.parts[-1], int) else -1


def evaluate(operand: Operand, old: Item, values: Item) -> Value:
    match operand:
        case Placeholder(name):
            return values[name]
        case Path():
            value = resolve(operand, old)
            if value is None:
                raise invalid("The provided expression refers to an attribute that does not exist in the item")
            return value
        case Function("if_not_exists", (path, fallback)):
            assert isinstance(path, Path)
            value = resolve(path, old)
            return evaluate(fallback, old, values) if value is None else value
        case Function(_, (first, second)):
            return {"L": content("L", first, old, values) + content("L", second, old, values)}
        case Arithmetic(operator, left, right):
            one, other = (Decimal(content("N", term, old, values)) for term in (left, right))
            total = EXACT.add(one, other) if operator == "+" else EXACT.subtract(one, other)
            return {"N": number_text(total)}
    raise AssertionError(operand)


def content(kind: str, operand: Operand, old: Item, values: Item) -> Any:
    value = evaluate(operand, old, values)
    if type_of(value) != kind:
        raise wrong_type()
    return value[kind]


def add(present: Value | None, value: Value) -> Value | None:
    if present is None:
        return value
    kind = type_of(value)
    if type_of(present) != kind:
        raise wrong_type()
    if kind == "N":
        return {"N": number_text(EXACT.add(Decimal(present["N"]), Decimal(value["N"])))}
    return {kind: ordered(kind, {*present[kind], *value[kind]})}


def delete(present: Value | None, value: Value) -> Value | None:
    if present is None:
        return None
    kind = type_of(value)
    if type_of(present) != kind:
        raise wrong_type()
    rest = ordered(kind, set(present[kind]) - set(value[kind]))
    return {kind: rest} if rest else None


CHANGE: dict[str, Callable[[Value | None, Value], Value | None]] = {
    "SET": lambda _, value: value,
    "ADD": add,
    "DELETE": delete,
}


def container(item: Item, path: Path) -> Any:
    """The map or list that holds, or would hold, the last part of the path."""
    value: Value | None = {"M": item}
    for part in path.parts[:-1]:
        value = child(value, part) if value else None
    kind = "M" if isinstance(path.parts[-1], str) else "L"
    if value is None or kind not in value:
        raise invalid("The document path provided in the update expression is invalid for update")
    return value[kind]


def assign(item: Item, path: Path, value: Value) -> None:
    holder, last = container(item, path), path.parts[-1]
    if isinstance(last, int) and last >= len(holder):
        holder.append(value)
    else:
        holder[last] = value


def remove(item: Item, path: Path) -> None:
    holder, last = container(item, path), path.parts[-1]
    if isinstance(last, str):
        holder.pop(last, None)
    elif last < len(holder):
        del holder[last]


def check_update(actions: tuple[Action, ...], values: Item) -> None:
    """Refuses values of types that an operator takes from no item at all."""
    for action in actions:
        if action.operand is None:
            continue
        if action.verb == "SET":
            _check_operand(action.operand, values)
            continue
        assert isinstance(action.operand, Placeholder)
        kind = type_of(values[action.operand.name])
        if kind not in SETS and (action.verb, kind) != ("ADD", "N"):
            raise operand_type_error("UpdateExpression", action.verb, LONG_NAMES.get(kind, kind))


def _check_operand(operand: Operand, values: Item) -> None:
    match operand:
        case Arithmetic(operator, left, right):
            _check_terms(operator, "N", (left, right), values)
        case Function("list_append", arguments):
            _check_terms("list_append", "L", arguments, values)
        case Function(_, (_, fallback)):
            _check_operand(fallback, values)


def _check_terms(operator: str, wanted: str, terms: tuple[Operand, ...], values: Item) -> None:
    for term in terms:
        _check_operand(term, values)
        if isinstance(term, Placeholder) and wanted not in values[term.name]:
            raise operand_type_error("UpdateExpression", operator, type_of(values[term.name]))
