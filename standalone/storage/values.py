"""Attribute values: their canonical form, their size by DynamoDB's published rules, and their JSON.

A value is `{"S": "text"}` and so on, as in botocore's clients: binary values are bytes.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from typing import Any

import orjson

from standalone.storage.errors import DynamoError, invalid, invalid_value

Value = dict[str, Any]
Item = dict[str, Value]

MAX_DEPTH = 32
SETS = {"SS": "S", "NS": "N", "BS": "B"}

# The precision is high enough that no sum of two valid numbers is rounded before its validation.
EXACT = Context(prec=1000)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)
PLAIN_INTEGER = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)


def type_of(value: Value) -> str:
    return next(iter(value))


def canonical(value: Any, depth: int = 0) -> tuple[Value, int]:
    """Return the canonical form of a value, in which equal values are equal in Python, and its size in bytes."""
    if not isinstance(value, dict) or len(value) > 1:
        raise invalid(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
        )
    if depth > MAX_DEPTH:
        raise invalid("Nesting Levels have exceeded supported limits")
    kind, content = next(iter(value.items()), ("", None))
    if kind not in FORMS:
        raise invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    expected, form = FORMS[kind]
    if not isinstance(content, expected):
        raise DynamoError("SerializationException", f"Unexpected value type in payload: {kind} takes no {content!r}")
    content, size = form(content, depth)
    return {kind: content}, size


def canonical_item(item: Item) -> tuple[Item, int]:
    content, size = _map(item, 0)
    # An item is a map, but its size does not include a map's overhead.
    return content, size - 3 - len(content)


def number_text(number: Decimal) -> str:
    """Return the canonical text, without exponent and redundant zeros; raises for numbers that DynamoDB rejects."""
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


def ordered(kind: str, members: Iterable[Any]) -> list[Any]:
    """Sort the members of a set, so that equal sets have equal lists."""
    return sorted(members, key=Decimal if kind == "NS" else None)


def _string(text: str, _depth: int) -> tuple[str, int]:
    return text, len(text) if text.isascii() else len(text.encode())


def _number(text: str, _depth: int) -> tuple[str, int]:
    if not PLAIN_INTEGER.fullmatch(text):
        if not NUMBER.fullmatch(text):
            raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
        text = number_text(Decimal(text))
    digits = text.lstrip("-").replace(".", "").strip("0")
    return text, (len(digits) + 1) // 2 + 1 + text.startswith("-")


def _null(truth: bool, _depth: int) -> tuple[bool, int]:
    if not truth:
        raise invalid_value("Null attribute value types must have the value of true")
    return truth, 1


def _list(elements: list[Any], depth: int) -> tuple[list[Value], int]:
    forms = [canonical(element, depth + 1) for element in elements]
    return [value for value, _ in forms], 3 + sum(1 + size for _, size in forms)


def _map(content: Item, depth: int) -> tuple[Item, int]:
    members, size = {}, 3
    for name, member in content.items():
        text = member.get("S") if type(member) is dict and len(member) == 1 else None
        if type(text) is str:  # most members are strings, which are canonical
            members[name], inner = member, len(text) if text.isascii() else len(text.encode())
        else:
            members[name], inner = canonical(member, depth + 1)
        size += 1 + inner + (len(name) if name.isascii() else len(name.encode()))
    return members, size


def _set(kind: str, word: str) -> tuple[type, Callable[[Any, int], tuple[Any, int]]]:
    def form(content: list[Any], depth: int) -> tuple[list[Any], int]:
        if not content:
            raise invalid_value(f"An {word} set  may not be empty")
        if kind != "NS" and not all(content):
            raise invalid_value(f"An {word} set may not have a empty {word} as a member")
        forms = [canonical({SETS[kind]: member}, depth) for member in content]
        sizes = {value[SETS[kind]]: size for value, size in forms}
        if len(sizes) < len(content):
            raise invalid_value(f"Input collection [{', '.join(map(str, content))}] contains duplicates.")
        return ordered(kind, sizes), sum(sizes.values())

    return list, form


FORMS: dict[str, tuple[type, Callable[[Any, int], tuple[Any, int]]]] = {
    "S": (str, _string),
    "N": (str, _number),
    "B": (bytes, lambda octets, _: (octets, len(octets))),
    "BOOL": (bool, lambda truth, _: (truth, 1)),
    "NULL": (bool, _null),
    "L": (list, _list),
    "M": (dict, _map),
    "SS": _set("SS", "string"),
    "NS": _set("NS", "number"),
    "BS": _set("BS", "binary"),
}


def to_json(document: Any) -> bytes:
    """Encode a document as DynamoDB's clients do: binary values in Base64."""
    return orjson.dumps(document, default=lambda octets: b64encode(octets).decode(), option=orjson.OPT_SORT_KEYS)


def from_json(text: bytes) -> Any:
    document = orjson.loads(text)
    return _with_bytes(document) if b'"B":' in text or b'"BS":' in text else document


def _with_bytes(node: Any) -> Any:
    """Decode Base64 in binary values; no other part of a request has this form."""
    match node:
        case {"B": str(text)}:
            return {"B": b64decode(text)}
        case {"BS": [str(), *_] as texts}:
            return {"BS": [b64decode(text) for text in texts]}
        case dict():
            return {name: _with_bytes(member) for name, member in node.items()}
        case list():
            return [_with_bytes(element) for element in node]
    return node
