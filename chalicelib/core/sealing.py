"""Secrets that must be readable again: sealed by KMS on AWS, by a key file on one machine."""

import base64
import hashlib
import hmac
import os
from functools import cache
from pathlib import Path

from chalicelib import settings
from chalicelib.core import aws


def seal(secret: str, purpose: str) -> str:
    """Encrypt `secret`; only `unseal` with the same `purpose` (such as `account#7`) opens it."""
    if key := settings.current().kms_key:
        answer = aws.client("kms").encrypt(KeyId=key, Plaintext=secret.encode(), EncryptionContext={"purpose": purpose})
        return base64.b64encode(answer["CiphertextBlob"]).decode()
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(12)
    sealed = AESGCM(_derived("seal")).encrypt(nonce, secret.encode(), purpose.encode())
    return base64.b64encode(nonce + sealed).decode()


def unseal(sealed: str, purpose: str) -> str:
    """Decrypt what `seal` made for this `purpose`."""
    data = base64.b64decode(sealed)
    if key := settings.current().kms_key:
        answer = aws.client("kms").decrypt(KeyId=key, CiphertextBlob=data, EncryptionContext={"purpose": purpose})
        return bytes(answer["Plaintext"]).decode()
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(_derived("seal")).decrypt(data[:12], data[12:], purpose.encode()).decode()


def sign(text: str) -> str:
    """A MAC over `text` by the key file, URL-safe."""
    mac = hmac.new(_derived("sign"), text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac[:24]).decode()


def _derived(use: str) -> bytes:
    return hashlib.sha256(use.encode() + _key(settings.current().key_file)).digest()


@cache
def _key(file: str) -> bytes:
    """The key file's 32 bytes; made, readable by its owner only, when there is none."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as written:
            written.write(os.urandom(32))
            written.flush()
            os.fsync(written.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()
