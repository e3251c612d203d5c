"""The format of keys: recognisable, with a checksum, as /.well-known/moonbase-keys describes it."""

import re
import zlib

from chalicelib.core.identity import secret_format
from tests.client import Client


def test_a_secret_has_the_described_format(client: Client) -> None:
    found = client.get("/.well-known/moonbase-keys")
    assert (found.status, found.json["pattern"]) == (200, "moon[0-9A-Za-z]{36}")
    for _ in range(50):
        secret = secret_format.new_secret()
        assert re.fullmatch(found.json["pattern"], secret)
        number = 0
        for digit in secret[-6:]:
            number = number * 62 + found.json["alphabet"].index(digit)
        assert number == zlib.crc32(secret[:-6].encode())


def test_secrets_differ() -> None:
    assert len({secret_format.new_secret() for _ in range(100)}) == 100
