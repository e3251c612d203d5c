"""The format of keys, tokens and other secrets: 40 letters and digits that scanners recognise when one leaks.

A secret is `moon`, 30 random characters, and the CRC-32 of these 34 in six digits of base 62. Secrets of older versions
have 40 random characters, and stay valid. /.well-known/moonbase-keys describes the format.
"""

import secrets
import string
import zlib

PREFIX = "moon"
PATTERN = "moon[0-9A-Za-z]{36}"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECKSUM = 30, 6  # characters


def new_secret() -> str:
    """A new random secret."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return body + checksum(body)


def checksum(body: str) -> str:
    """The last six characters of a secret that begins with `body`."""
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def description() -> dict[str, str]:
    """The format for programs that search for leaked secrets."""
    return {
        "pattern": PATTERN,
        "checksum": "the last six characters: the CRC-32 of the others, big-endian, in base 62",
        "alphabet": _ALPHABET,
    }
