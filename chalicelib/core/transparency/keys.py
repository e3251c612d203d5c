"""The keys that sign the log's checkpoints: made with the first entry, rotated by command.

After a rotation the new key and the old ones sign each checkpoint, until the old ones are retired: clients that pin an
old key have time to learn the new one.
"""

import secrets
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chalicelib import settings
from chalicelib.core import sealing
from chalicelib.core.errors import Conflict, Invalid
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import now
from chalicelib.core.transparency.notes import VerifierKey
from chalicelib.core.transparency.tables import LogKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREFIX = "/log"  # the path of the log
_PK = "log-keys"
_LOCAL = "moonbase.localhost"  # the host in the origin of a server without a base URL


def stored() -> list[LogKey]:
    """All keys, oldest first, including the retired ones. One call."""
    return list(LogKey.query(_PK, consistent_read=True))


def active(keys: list[LogKey]) -> list[LogKey]:
    """The keys that sign. The last one names the origin."""
    return [key for key in keys if key.retired_at is None]


def verifier(key: LogKey) -> VerifierKey:
    """The public half of a key."""
    return VerifierKey(key.name, bytes(key.public))


def private(key: LogKey) -> "Ed25519PrivateKey":
    """The private half of a key, unsealed once per process."""
    return _unsealed(key.sealed_secret)


def create(writes: Transaction, origin: str | None = None) -> LogKey:
    """Make a key; `origin` is its name, by default of the server's base URL."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    secret = secrets.token_bytes(32)
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    created_at = now()
    key = LogKey(
        _PK,
        created_at.isoformat(),
        name=origin or default_origin(),
        public=public,
        sealed_secret=sealing.seal(secret.hex(), _PK),
        created_at=created_at,
    )
    writes.create(key, Conflict("Another key was made in this second."))
    return key


def rotate(origin: str | None = None) -> LogKey:
    """Add a key, which signs besides the others from the next entry on. Raises Invalid for a bad `origin`."""
    if origin is not None and not _is_origin(origin):
        raise Invalid("The origin must be like example.org/log: no scheme, no blanks, no plus signs.")
    before = active(stored())
    writes = Transaction()
    key = create(writes, origin or (before[-1].name if before else None))
    writes.commit()
    return key


def retire() -> list[LogKey]:
    """Retire all keys but the newest one; return them. They stay known, so that old checkpoints can be verified."""
    old = active(stored())[:-1]
    for key in old:
        key.update(key.assign(retired_at=now()))
    return old


def default_origin() -> str:
    """The scheme-less URL of the log."""
    base = urlsplit(settings.current().base_url)
    return f"{base.netloc or _LOCAL}{base.path.rstrip('/')}{PREFIX}"


def _is_origin(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and not set(text) & set(" +") and "://" not in text


@lru_cache(maxsize=8)
def _unsealed(sealed: str) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(sealing.unseal(sealed, _PK)))
