"""A file of forum topics. Every topic is validated; one error rejects the file."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from chalicelib.contentdb.store import links, values
from chalicelib.contentdb.store.tables import PACKAGE_TYPES
from chalicelib.core.errors import CoreError, Invalid

LARGEST = 32 * 1024 * 1024  # bytes
_MOST_SHOWN = 5  # errors in the message
_NAME = re.compile(r"[a-z0-9_]{1,100}")

Topic = dict[str, Any]


def parse(content: bytes) -> list[Topic]:
    """The topics of a file, by id. Raises Invalid."""
    if len(content) > LARGEST:
        raise Invalid(f"The file is larger than {LARGEST} bytes")
    try:
        rows = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"The file is not JSON: {error}") from None
    if not isinstance(rows, list):
        raise Invalid("The file must contain an array of topics")
    topics: dict[int, Topic] = {}
    errors: list[str] = []
    for number, row in enumerate(rows, 1):
        try:
            topic = _topic(row)
            if topic["id"] in topics:
                raise Invalid(f"there is a topic {topic['id']} already")
            topics[topic["id"]] = topic
        except CoreError as error:
            errors.append(f"topic number {number}: {error.message}")
    if errors:
        more = f"; and {len(errors) - _MOST_SHOWN} more" if len(errors) > _MOST_SHOWN else ""
        raise Invalid("; ".join(errors[:_MOST_SHOWN]) + more)
    return [topics[number] for number in sorted(topics)]


def _topic(row: Any) -> Topic:
    """One topic of a file, as JSON. Raises Invalid."""
    if not isinstance(row, dict):
        raise Invalid("it must be an object")
    if unknown := sorted(row.keys() - _FIELDS.keys()):
        raise Invalid(f"{unknown[0]} is not a known field")
    if missing := [name for name in _REQUIRED if row.get(name) is None]:
        raise Invalid(f"{missing[0]} is required")
    return dict(_fields(row))


def _fields(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, (read, default) in _FIELDS.items():
        given = row.get(name)
        yield name, default if given is None else read(name, given)


def _number(name: str, given: Any) -> int:
    if type(given) is not int or not 0 <= given <= links.LARGEST_TOPIC:
        raise Invalid(f"{name} must be a whole number from 0 to {links.LARGEST_TOPIC}")
    return given


def _flag(name: str, given: Any) -> bool:
    if not isinstance(given, bool):
        raise Invalid(f"{name} must be true or false")
    return given


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str) or not 0 < len(given.strip()) <= 200:
        raise Invalid(f"{name} must be a text of at most 200 characters")
    return given.strip()


def _technical_name(name: str, given: Any) -> str:
    if not isinstance(given, str) or not _NAME.fullmatch(given):
        raise Invalid(f"{name} can only contain lower case letters (a-z), digits (0-9), and underscores (_)")
    return given


def _type(name: str, given: Any) -> str:
    if not isinstance(given, str) or given.lower() not in PACKAGE_TYPES:
        raise Invalid(f"{name} must be one of {', '.join(PACKAGE_TYPES)}")
    return given.lower()


def _link(name: str, given: Any) -> str:
    return str(links.read(name, _text(name, given)))


def _moment(name: str, given: Any) -> str:
    try:
        moment = datetime.fromisoformat(given)
        return values.iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (TypeError, ValueError, OverflowError):
        raise Invalid(f"{name} must be a date such as 2026-03-05T12:00:00") from None


# The parser of each field, and its default.
_FIELDS: dict[str, tuple[Callable[[str, Any], Any], Any]] = {
    "id": (_number, None),
    "title": (_text, None),
    "author": (_text, None),
    "type": (_type, None),
    "created_at": (_moment, None),
    "name": (_technical_name, None),
    "link": (_link, None),
    "is_wip": (_flag, False),
    "posts": (_number, 0),
    "views": (_number, 0),
}
_REQUIRED = ("id", "title", "author", "type", "created_at")
