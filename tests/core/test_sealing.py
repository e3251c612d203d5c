"""Sealed secrets can be unsealed only with the same key and purpose."""

import base64
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import moto
import pytest
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidTag

from chalicelib import settings
from chalicelib.core import aws as services
from chalicelib.core import sealing


@pytest.fixture
def key_file(tmp_path: Path) -> Iterator[Path]:
    """A key file that does not exist yet."""
    path = tmp_path / "deep" / "key"
    with settings.override(key_file=str(path), kms_key=""):
        yield path


@pytest.fixture
def kms() -> Iterator[str]:
    """A KMS key instead of the key file."""
    with moto.mock_aws():
        key = services.client("kms").create_key()["KeyMetadata"]["KeyId"]
        with settings.override(kms_key=key, key_file="/nowhere/key"):
            yield key


@pytest.mark.parametrize("secret", ["JBSWY3DPEHPK3PXP", "", "ünïcode\0", "x" * 4000])
def test_a_sealed_secret_can_be_unsealed(key_file: Path, secret: str) -> None:
    assert sealing.unseal(sealing.seal(secret, "account#1"), "account#1") == secret


def test_a_secret_sealed_by_kms_can_be_unsealed(kms: str) -> None:
    assert sealing.unseal(sealing.seal("JBSWY3DPEHPK3PXP", "account#1"), "account#1") == "JBSWY3DPEHPK3PXP"


def test_a_sealed_secret_does_not_contain_the_secret(key_file: Path) -> None:
    sealed = sealing.seal("JBSWY3DPEHPK3PXP", "account#1")
    assert b"JBSWY3DPEHPK3PXP" not in base64.b64decode(sealed)


def test_sealing_a_secret_twice_gives_different_results(key_file: Path) -> None:
    assert sealing.seal("a", "b") != sealing.seal("a", "b")


def test_a_secret_cannot_be_unsealed_for_another_purpose(key_file: Path) -> None:
    sealed = sealing.seal("secret", "account#1")
    with pytest.raises(InvalidTag):
        sealing.unseal(sealed, "account#11")


def test_a_secret_sealed_by_kms_cannot_be_unsealed_for_another_purpose(kms: str) -> None:
    sealed = sealing.seal("secret", "account#1")
    with pytest.raises(ClientError):
        sealing.unseal(sealed, "account#11")


@pytest.mark.parametrize("position", [0, 12, -1])
def test_a_changed_byte_is_detected(key_file: Path, position: int) -> None:
    data = bytearray(base64.b64decode(sealing.seal("secret", "x")))
    data[position] ^= 1
    with pytest.raises(InvalidTag):
        sealing.unseal(base64.b64encode(data).decode(), "x")


def test_a_secret_cannot_be_unsealed_with_another_key(key_file: Path, tmp_path: Path) -> None:
    sealed = sealing.seal("secret", "x")
    with settings.override(key_file=str(tmp_path / "other")):
        with pytest.raises(FileNotFoundError, match="there is no key file"):
            sealing.unseal(sealed, "x")
        sealing.seal("another", "x")  # creates the file
        with pytest.raises(InvalidTag):
            sealing.unseal(sealed, "x")


def test_the_key_file_is_readable_by_its_owner_only(key_file: Path) -> None:
    sealing.seal("secret", "x")
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert len(key_file.read_bytes()) == 32
    assert list(key_file.parent.iterdir()) == [key_file]


def test_an_existing_key_file_is_used(key_file: Path) -> None:
    key_file.parent.mkdir()
    key_file.write_bytes(bytes(range(32)))
    assert sealing.unseal(sealing.seal("secret", "x"), "x") == "secret"
    assert key_file.read_bytes() == bytes(range(32))


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_key_file_of_another_size_is_rejected(key_file: Path, content: bytes) -> None:
    key_file.parent.mkdir()
    key_file.write_bytes(content)
    with pytest.raises(ValueError, match="not a key file"):
        sealing.seal("secret", "x")


def test_concurrent_threads_create_one_key(key_file: Path) -> None:
    start = threading.Barrier(8)

    def seal(_: int) -> str:
        start.wait()
        return sealing.seal("secret", "x")

    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(seal, range(8)))
    sealing._key.cache_clear()
    assert [sealing.unseal(each, "x") for each in sealed] == ["secret"] * 8
    assert list(key_file.parent.iterdir()) == [key_file]
