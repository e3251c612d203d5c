"""What the server and the confined process that decodes images have in common: formats, sizes and messages."""

import json
from typing import Any

KINDS = ("png", "jpg", "webp")
EXTENSIONS = (*KINDS, "jpeg")
LEVELS = {1: (100, 67), 2: (270, 180), 3: (350, 233), 4: (1100, 520)}
LARGEST = 16 * 1024 * 1024  # bytes
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 1920  # pixels of a stored image; larger ones are scaled down
TOO_COMPLEX = "The image takes too much memory or time to decode"


def pack(about: dict[str, Any], content: bytes) -> bytes:
    """A message between the processes: an object, and bytes."""
    return json.dumps(about).encode() + b"\n" + content


def unpack(message: bytes) -> tuple[dict[str, Any], bytes]:
    """The object and the bytes of a message."""
    about, _, content = message.partition(b"\n")
    return json.loads(about), content
