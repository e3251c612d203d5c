"""Signed notes (C2SP signed-note) with Ed25519 keys, and checkpoints (C2SP tlog-checkpoint) as their text."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from chalicelib.core.errors import Invalid
from chalicelib.core.transparency.tree import HASH_BYTES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ED25519 = b"\x01"  # the type of the signature
_DASH = "\u2014"  # starts each line with a signature
_KEY_ID_BYTES, _SIGNATURE_BYTES = 4, 64


@dataclass(frozen=True)
class Checkpoint:
    """A log's state: its origin, its number of entries, and their root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{in_base64(self.root)}\n"


@dataclass(frozen=True)
class VerifierKey:
    """A public key with the name of the log that signs with it."""

    name: str
    public: bytes  # 32 bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of the hash of the name and the key."""
        return sha256(f"{self.name}\n".encode() + _ED25519 + self.public).digest()[:_KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The key as other programs take it: `NAME+ID+KEY`."""
        return f"{self.name}+{self.key_id.hex()}+{in_base64(_ED25519 + self.public)}"

    def signature_line(self, signature: bytes) -> str:
        """The line of a signature in a note."""
        return f"{_DASH} {self.name} {in_base64(self.key_id + signature)}\n"


def signed(checkpoint: Checkpoint, keys: Iterable[tuple[VerifierKey, "Ed25519PrivateKey"]]) -> str:
    """The checkpoint as a note with a signature of each key."""
    text = checkpoint.text
    return text + "\n" + "".join(key.signature_line(private.sign(text.encode())) for key, private in keys)


def verified(note: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """The checkpoint of a note that at least one of the keys has signed. Raises Invalid.

    Signatures of other keys are ignored, such as those of witnesses.
    """
    text, _, signatures = note.rpartition("\n\n")
    checkpoint = _parse(text + "\n")
    by_id = {(key.name, key.key_id): key for key in keys}
    is_signed = False
    for line in signatures.splitlines():
        name, key_id, signature = _parse_line(line)
        if key := by_id.get((name, key_id)):
            _verify(key, signature, text + "\n")
            is_signed = True
    if not is_signed:
        raise Invalid("The checkpoint has no signature of a known key of this log.")
    return checkpoint


def _verify(key: VerifierKey, signature: bytes, text: str) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
    except InvalidSignature:
        raise Invalid("The signature of the checkpoint is wrong.") from None


def _parse(text: str) -> Checkpoint:
    lines = text.split("\n")
    try:
        origin, size, root = lines[0], lines[1], base64.b64decode(lines[2], validate=True)
    except (IndexError, binascii.Error, ValueError):
        raise Invalid("This is no checkpoint: it needs an origin, a size and a root, each on a line.") from None
    is_number = size.isascii() and size.isdigit() and str(int(size[:20])) == size
    if not origin or not is_number or len(root) != HASH_BYTES:
        raise Invalid("The checkpoint has no origin, a wrong size or a wrong root.")
    return Checkpoint(origin, int(size), root)


def _parse_line(line: str) -> tuple[str, bytes, bytes]:
    parts = line.split(" ")
    try:
        data = base64.b64decode(parts[2], validate=True)
    except (IndexError, binascii.Error, ValueError):
        data = b""
    if len(parts) != 3 or parts[0] != _DASH or len(data) <= _KEY_ID_BYTES:
        raise Invalid("A line below the checkpoint is no signature.")
    return parts[1], data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:]


def in_base64(data: bytes) -> str:
    """Bytes in Base64, as checkpoints and proofs show them."""
    return base64.b64encode(data).decode()
