"""Keys as bytes that sort the way DynamoDB sorts them, exact for all 38 digits of a number."""

from decimal import Decimal

from standalone.storage.errors import invalid, invalid_value
from standalone.storage.values import Value, binary, type_of

MAX_HASH_SIZE = 2048
MAX_RANGE_SIZE = 1024


def number_bytes(text: str) -> bytes:
    """Sign, then exponent, then digits; all but the sign complemented below zero."""
    number = Decimal(text)
    if not number:
        return b"\x01"
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    magnitude = bytes([number.adjusted() + 130]) + digits.encode()
    if number > 0:
        return b"\x02" + magnitude
    return b"\x00" + bytes(255 - octet for octet in magnitude) + b"\xff"


def key_bytes(value: Value) -> bytes:
    kind = type_of(value)
    if kind == "S":
        return str(value["S"]).encode()
    return number_bytes(value["N"]) if kind == "N" else binary(value["B"])


def owner_bytes(hash_key: bytes, range_key: bytes) -> bytes:
    """A table's whole key in one string: what tells apart the items that share an index key."""
    return len(hash_key).to_bytes(2, "big") + hash_key + range_key


def after_prefix(prefix: bytes) -> bytes | None:
    """The least string above everything that begins with the prefix, if there is one."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def check_key_size(hash_key: bytes, range_key: bytes) -> None:
    if len(hash_key) > MAX_HASH_SIZE:
        # "of2048" is DynamoDB's own spelling.
        raise invalid_value("Size of hashkey has exceeded the maximum size limit of2048 bytes")
    if len(range_key) > MAX_RANGE_SIZE:
        raise invalid_value("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")


def check_not_empty(name: str, value: Value) -> None:
    if value in ({"S": ""}, {"B": ""}):
        what = "string" if "S" in value else "binary"
        raise invalid(
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            f"cannot contain an empty {what} value. Key: {name}"
        )
