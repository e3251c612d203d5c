"""Entries of catalogues as bytes: msgpack of typed structs, see docs/decisions/0025-typed-entries.md.

Structs are encoded by position. A new field is therefore appended, with a default, and increments the catalogue's shape
number. Older code ignores unknown fields; newer code uses the defaults of fields that older code did not write.
"""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Generic, TypeVar, dataclass_transform

import msgspec

if TYPE_CHECKING:
    from dataclasses import replace  # mypy holds its keywords against the fields, which it does not do for msgspec's

else:
    from msgspec.structs import replace

E = TypeVar("E")
R = TypeVar("R")

__all__ = ["Codec", "E", "Kinds", "Outdated", "R", "Struct", "replace"]

Kinds = type[E] | tuple[type[E], ...]  # one type, or all members of a union of tagged structs


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Struct(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of the types that entries are made of. `replace(entry, name=...)` returns a changed copy.

    The garbage collector skips them (`gc=False`), because a frozen tree of values has no cycle. That halves the time to
    decode a snapshot.
    """


class Outdated(Exception):
    """The stored bytes have an older shape that lacks data: the entries must be rebuilt from the entities."""


class Codec(Generic[E]):
    """Encodes the entries of one catalogue, and decodes them with the `shape` of the code that wrote them."""

    def __init__(self, kinds: Kinds[E], shape: int) -> None:
        self.kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        self.shape = shape
        self._encode = msgspec.msgpack.Encoder().encode
        self._decoder: msgspec.msgpack.Decoder[E] = msgspec.msgpack.Decoder(reduce(or_, self.kinds))

    def encode(self, entry: E) -> bytes:
        """One entry."""
        return self._encode(entry)

    def decode(self, body: bytes, shape: int) -> E | None:
        """One entry; None for a kind of entry that this code does not know."""
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError:
            if shape > self.shape:
                return None
            raise
