"""The items of a backup: lines of JSON, with secrets sealed by the backup's key instead of the installation's."""

import base64
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import orjson
from pynamodb.exceptions import AttributeDeserializationError

from chalicelib.core import bulk, registry, sealing
from chalicelib.core.bulk import Raw
from chalicelib.core.errors import Invalid
from chalicelib.core.storage import Item

Recode = Callable[[str, str], str]  # seals or unseals a text for a purpose

_HEAD = "catalogue-head"
_COUNTERS = {"counters-head", "counters-delta", "counters-mark"}
_DERIVED = {_HEAD, "catalogue-change", "catalogue-fold", *_COUNTERS}
_OF_INSTALLATION = {"read-only"}  # states that do not move to another installation


class Malformed(Invalid):
    """A line is not an item of its table."""


@dataclass
class Totals:
    """The totals of a backup."""

    items: int = 0
    secrets: int = 0
    blobs: int = 0
    bytes: int = 0  # of blobs


def is_derived(item: Raw) -> bool:
    """Whether an item belongs to a catalogue or to counters, which are rebuilt from other items."""
    return item.get("kind", {}).get("S") in _DERIVED


def _is_exported(item: Raw, moment: int) -> bool:
    expires = item.get("expires_at", {}).get("N")
    if item.get("kind", {}).get("S") in _OF_INSTALLATION or (expires is not None and int(expires) <= moment):
        return False
    return head_of(item) is not None or not is_derived(item)


def head_of(item: Raw) -> tuple[str, int] | None:
    """The name of a catalogue and the number of its last change; None if the item is not a head."""
    if item.get("kind", {}).get("S") != _HEAD:
        return None
    return item["pk"]["S"].removeprefix("catalogue#"), int(item["sequence"]["N"])


def exported_lines(model: type[Item], key_file: str, totals: Totals) -> Iterator[bytes]:
    """The items of a table as lines, with secrets sealed by the key in `key_file`; counts them in `totals`."""
    moment = int(time.time())
    seal = partial(sealing.seal_by_file, key_file)
    for item in bulk.items(model):
        if _is_exported(item, moment):
            totals.items += 1
            totals.secrets += len(registry.current().tables[model].sealed & item.keys())
            resealed = _resealed(model, item, sealing.unseal, seal)
            yield orjson.dumps(resealed, default=_as_text, option=orjson.OPT_APPEND_NEWLINE)


def parse_item(model: type[Item], line: bytes, key_file: str) -> Raw:
    """The item of a line, with its secrets sealed for this installation.

    Raises Malformed unless it is an item of the table whose attributes have the model's types; Invalid for a wrong key.
    """
    try:
        item: Raw = {name: _with_bytes(value) for name, value in orjson.loads(line).items()}
        if not (item["pk"]["S"] and item["sk"]["S"]):
            raise ValueError("an empty key")
        model.from_raw_data(copy.deepcopy(item))  # checks the types
    except (ValueError, TypeError, KeyError, AttributeError, AttributeDeserializationError) as error:
        raise Malformed(f"it is not an item of the table ({error}).") from None
    return _resealed(model, item, partial(sealing.unseal_by_file, key_file), sealing.seal)


def _resealed(model: type[Item], item: Raw, unseal: Recode, seal: Recode) -> Raw:
    from cryptography.exceptions import InvalidTag

    for name in registry.current().tables[model].sealed & item.keys():
        purpose = item["pk"]["S"]
        try:
            item = {**item, name: {"S": seal(unseal(item[name]["S"], purpose), purpose)}}
        except InvalidTag:
            raise Invalid(f"The key does not open the secret of {purpose}.") from None
    return item


def _as_text(value: object) -> str:
    """Encode bytes in base64: the only DynamoDB type without an equivalent in JSON."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


def _with_bytes(value: dict[str, object]) -> dict[str, object]:
    """Decode the base64 in an attribute, at any depth."""
    match value:
        case {"B": str(text)}:
            return {"B": base64.b64decode(text, validate=True)}
        case {"BS": list(texts)}:
            return {"BS": [base64.b64decode(text, validate=True) for text in texts]}
        case {"L": list(values)}:
            return {"L": [_with_bytes(member) for member in values]}
        case {"M": dict(members)}:
            return {"M": {name: _with_bytes(member) for name, member in members.items()}}
    return value
