"""The worlds in which tests run: `moto` is AWS, `embedded` is one machine. See CONTRIBUTING.md, "Tests"."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import Any

import moto
import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from chalicelib import settings
from chalicelib.core import aws, job_runner, read_only, registry, storage, transport
from infra import memory
from standalone.storage import Engine, local_transport
from tests.aws_calls import observed

WORLDS = MOTO, EMBEDDED = ("moto", "embedded")
BUCKET = "moonbase-test"
_NEVER = 10**9  # seconds
_TABLES_BYTES = 256 * 1024**2  # more than ten times what a test needs

moto_only = pytest.mark.worlds(MOTO)
# Also for tests with threads: moto rolls a transaction back by restoring the whole table, and loses concurrent writes.
embedded_only = pytest.mark.worlds(EMBEDDED)
both_worlds = pytest.mark.worlds(*WORLDS)


@contextmanager
def world(kind: str, directory: Path) -> Iterator[None]:
    """Provide empty tables and an empty blob store in the block; the embedded world has its blobs in `directory`.

    If `directory` is a copy of one with `saved` tables, the embedded world begins with their items, blobs and keys.
    """
    with _moto() if kind == MOTO else _embedded(directory), _fresh_process():
        yield


@contextmanager
def saved(directory: Path) -> Iterator[None]:
    """Provide an empty embedded world in the block, and save its tables in `directory`, next to its blobs and keys."""
    with _embedded(directory, save=True), _fresh_process():
        yield


@contextmanager
def _fresh_process() -> Iterator[None]:
    """Forget what this process knows about an earlier world."""
    for catalogue in registry.current().catalogues.values():
        catalogue.drop_cache()
    for counters in registry.current().counters.values():
        counters.drop_cache()
    job_runner.reset_schedule()
    read_only.forget()
    with settings.override(read_only_check=_NEVER):
        read_only.notice()  # a process reads it from time to time, which would disturb tests that count calls
        yield


@contextmanager
def _moto() -> Iterator[None]:
    with transport.override(None):
        tables, key = _empty_moto()
        with moto.mock_aws():
            _backend("dynamodb").tables = deepcopy(tables)
            _backend("kms").keys = {key.id: key}
            aws.client("s3").create_bucket(Bucket=BUCKET)
            with settings.override(blobs=f"s3://{BUCKET}", kms_key=key.id, key_file="/nowhere/key"):
                yield


@cache
def _empty_moto() -> tuple[Any, Any]:
    """Return moto's empty tables and a KMS key. Creating them takes 0.12 s, so each process does it once."""
    with moto.mock_aws():
        storage.create_tables(registry.current().models)
        key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
        return deepcopy(_backend("dynamodb").tables), _backend("kms").keys[key]


def _backend(service: Any) -> Any:
    """Return moto's data of a service."""
    return get_backend(service)[DEFAULT_ACCOUNT_ID][settings.current().region]


@contextmanager
def _embedded(directory: Path, *, save: bool = False) -> Iterator[None]:
    kept = directory / "tables.saved"
    # In memory, because a transaction on a disk waits for it.
    with TemporaryDirectory(dir=memory.directory(_TABLES_BYTES)) as memory_directory:
        file = Path(memory_directory, "tables.sqlite")
        file.write_bytes(kept.read_bytes() if kept.exists() else _empty_tables())
        with _engine(file), settings.override(blobs=f"file:{directory / 'blobs'}", key_file=str(directory / "key")):
            yield
        if save:  # after the engine is closed, which completes the file
            copy(file, kept)


@cache
def _empty_tables() -> bytes:
    """Return the content of an engine's file with all tables, empty."""
    with TemporaryDirectory() as directory:
        file = Path(directory, "tables.sqlite")
        with _engine(file):
            storage.create_tables(registry.current().models)
        return file.read_bytes()


@contextmanager
def _engine(path: Path) -> Iterator[None]:
    """Use an engine on a file as the transport in the block."""
    with closing(Engine(path)) as engine, transport.override(observed(local_transport(engine))):
        yield
