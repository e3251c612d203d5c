"""Attribute values: their one canonical form, and their size by DynamoDB's published rules."""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from standalone.storage.errors import DynamoError, invalid, invalid_value

Value = dict[str, Any]
Item = dict[str, Value]

MAX_ITEM_SIZE = 400 * 1024
MAX_DEPTH = 32
SETS = {"SS": "S", "NS": "N", "BS": "B"}

# Wide enough that no sum of two valid numbers is rounded before it is judged.
EXACT = Context(prec=1000)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
PLAIN_INTEGER = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)


def utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def number_text(number: Decimal) -> str:
    """The canonical text: no exponent, no surplus zeros; refuses what DynamoDB cannot hold."""
    number = number.normalize(EXACT)
    if not number:
        return "0"
    if number.adjusted() > 125:
        raise invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if number.adjusted() < -130:
        raise invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    if len(number.as_tuple().digits) > 38:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    return format(number, "f")


def canonical_number(text: Any) -> str:
    if not isinstance(text, str):
        raise DynamoError("SerializationException", "NUMBER_VALUE cannot be converted to String")
    if PLAIN_INTEGER.fullmatch(text):
        return text
    if not NUMBER.fullmatch(text):
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
    try:
        return number_text(Decimal(text))
    except InvalidOperation:
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}") from None


def number_size(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def binary(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError, TypeError):
        raise DynamoError("SerializationException", f"'{text}' can not be converted to a Blob") from None


def _string(content: Any, _depth: int) -> tuple[str, int]:
    if not isinstance(content, str):
        raise DynamoError("SerializationException", "Unexpected value type in payload: expected a String")
    return content, utf8_size(content)


def _number(content: Any, _depth: int) -> tuple[str, int]:
    text = canonical_number(content)
    return text, number_size(text)


def _binary(content: Any, _depth: int) -> tuple[str, int]:
    octets = binary(content)
    return b64encode(octets).decode(), len(octets)


def _boolean(content: Any, _depth: int) -> tuple[bool, int]:
    if not isinstance(content, bool):
        raise DynamoError("SerializationException", "Unexpected value type in payload: expected a Boolean")
    return content, 1


def _null(content: Any, _depth: int) -> tuple[bool, int]:
    if content is not True:
        raise invalid_value("Null attribute value types must have the value of true")
    return True, 1


def _list(content: Any, depth: int) -> tuple[list[Value], int]:
    elements = [canonical(element, depth + 1) for element in content]
    return [value for value, _ in elements], 3 + sum(1 + size for _, size in elements)


def _map(content: Any, depth: int) -> tuple[Item, int]:
    members, size = {}, 3
    for name, member in content.items():
        members[name], inner = canonical(member, depth + 1)
        size += 1 + utf8_size(name) + inner
    return members, size


def _set(kind: str, word: str) -> Callable[[Any, int], tuple[list[str], int]]:
    element_form = CANONICAL[SETS[kind]]

    def canonical_set(content: Any, depth: int) -> tuple[list[str], int]:
        if not content:
            raise invalid_value(f"An {word} set  may not be empty")
        if kind != "NS" and "" in content:
            raise invalid_value(f"An {word} set may not have a empty {word} as a member")
        elements = [element_form(element, depth) for element in content]
        members = {text for text, _ in elements}
        if len(members) < len(elements):
            raise invalid_value(f"Input collection [{', '.join(content)}] contains duplicates.")
        return ordered(kind, members), sum(size for _, size in elements)

    return canonical_set


CANONICAL: dict[str, Callable[[Any, int], tuple[Any, int]]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "L": _list,
    "M": _map,
}
CANONICAL |= {kind: _set(kind, word) for kind, word in (("SS", "string"), ("NS", "number"), ("BS", "binary"))}


def ordered(kind: str, members: Iterable[str]) -> list[str]:
    """Sets have no order; keeping them sorted makes equal sets equal as JSON."""
    if kind == "NS":
        return sorted(members, key=Decimal)
    return sorted(members, key=binary if kind == "BS" else None)


def type_of(value: Value) -> str:
    return next(iter(value))


def canonical(value: Any, depth: int = 0) -> tuple[Value, int]:
    """The canonical form of a value, in which equality is plain equality, and its size in bytes."""
    if not isinstance(value, dict) or not value:
        raise invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    if len(value) > 1:
        raise invalid(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
        )
    if depth > MAX_DEPTH:
        raise invalid("Nesting Levels have exceeded supported limits")
    ((kind, content),) = value.items()
    form = CANONICAL.get(kind)
    if form is None:
        raise invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    content, size = form(content, depth)
    return {kind: content}, size


def canonical_item(item: Item) -> tuple[Item, int]:
    content, size = _map(item, 0)
    # An item is a map without a map's overhead.
    return content, size - 3 - len(content)
