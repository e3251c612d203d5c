"""Encryption of secrets that must be readable again: with KMS on AWS, with a key file on one machine."""

import base64
import hmac
import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from chalicelib import settings
from chalicelib.core import aws

_KEY_BYTES = 32


def seal(secret: str, purpose: str) -> str:
    """Encrypt `secret`; `unseal` needs the same `purpose`, such as `account#7`."""
    if key := settings.current().kms_key:
        answer = aws.client("kms").encrypt(KeyId=key, Plaintext=secret.encode(), EncryptionContext={"purpose": purpose})
        return base64.b64encode(answer["CiphertextBlob"]).decode()
    return seal_by_file(settings.current().key_file, secret, purpose)


def unseal(sealed: str, purpose: str) -> str:
    """Decrypt the result of `seal` with the same `purpose`."""
    if key := settings.current().kms_key:
        data = base64.b64decode(sealed)
        answer = aws.client("kms").decrypt(KeyId=key, CiphertextBlob=data, EncryptionContext={"purpose": purpose})
        return bytes(answer["Plaintext"]).decode()
    return unseal_by_file(settings.current().key_file, sealed, purpose)


def seal_by_file(file: str, secret: str, purpose: str) -> str:
    """Encrypt with the key in a file, which is created if it does not exist."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(12)
    sealed = AESGCM(_key(file)).encrypt(nonce, secret.encode(), purpose.encode())
    return base64.b64encode(nonce + sealed).decode()


def unseal_by_file(file: str, sealed: str, purpose: str) -> str:
    """Decrypt the result of `seal_by_file`. Raises FileNotFoundError if there is no key file."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not Path(file).exists():
        raise FileNotFoundError(f"there is no key file {file}")
    data = base64.b64decode(sealed)
    return AESGCM(_key(file)).decrypt(data[:12], data[12:], purpose.encode()).decode()


def derived_key(purpose: str) -> bytes:
    """Return a key of 32 bytes for another purpose, derived from the key file."""
    return hmac.digest(_key(settings.current().key_file), purpose.encode(), "sha256")


@cache
def _key(file: str) -> bytes:
    """The 32 bytes of the key file, which is created with access for its owner only. Raises ValueError."""
    path = Path(file)
    if not path.exists():
        _make_key(path)
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise ValueError(f"{file} is not a key file: it has {len(key)} bytes, not {_KEY_BYTES}")
    return key


def _make_key(path: Path) -> None:
    """Write a new key, unless another process or thread writes one first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as written:
            written.write(os.urandom(_KEY_BYTES))
            written.flush()
            os.fsync(written.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
