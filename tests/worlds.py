"""The worlds in which tests run: `moto` is AWS, `embedded` is one machine. See CONTRIBUTING.md, "Tests"."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import moto
import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from chalicelib import settings
from chalicelib.core import aws, jobs, registry, storage, transport
from infra import memory
from standalone.storage import Engine, local_transport
from tests.aws_calls import observed

WORLDS = MOTO, EMBEDDED = ("moto", "embedded")
BUCKET = "moonbase-test"
_TABLES_BYTES = 256 * 1024**2  # no test needs a tenth

moto_only = pytest.mark.worlds(MOTO)
# For threads too: moto undoes a cancelled transaction by putting the whole table back, and loses what others wrote.
embedded_only = pytest.mark.worlds(EMBEDDED)
both_worlds = pytest.mark.worlds(*WORLDS)


@contextmanager
def world(kind: str, place: Path) -> Iterator[None]:
    """Empty tables and an empty place for blobs, until the block ends; the embedded world has its blobs in `place`."""
    with _moto() if kind == MOTO else _embedded(place):
        for catalogue in registry.current().catalogues.values():
            catalogue.forget()
        jobs.reset_schedule()
        yield


@contextmanager
def _moto() -> Iterator[None]:
    with transport.override(None):
        tables, key = _made_by_moto()
        with moto.mock_aws():
            _backend("dynamodb").tables = deepcopy(tables)
            _backend("kms").keys = {key.id: key}
            aws.client("s3").create_bucket(Bucket=BUCKET)
            with settings.override(blobs=f"s3://{BUCKET}", kms_key=key.id, key_file="/nowhere/key"):
                yield


@cache
def _made_by_moto() -> tuple[Any, Any]:
    """Moto's empty tables and a key of KMS: making them takes 0.12 s, so each process does it once."""
    with moto.mock_aws():
        storage.create_tables(registry.current().models)
        key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
        return deepcopy(_backend("dynamodb").tables), _backend("kms").keys[key]


def _backend(service: Any) -> Any:
    """What holds a service's data while moto answers."""
    return get_backend(service)[DEFAULT_ACCOUNT_ID][settings.current().region]


@contextmanager
def _embedded(place: Path) -> Iterator[None]:
    # On a disk each transaction would wait for it.
    with TemporaryDirectory(dir=memory.directory(_TABLES_BYTES)) as directory:
        file = Path(directory, "tables.sqlite")
        file.write_bytes(_made_by_the_engine())
        with _engine(file), settings.override(blobs=f"file:{place / 'blobs'}", key_file=str(place / "key")):
            yield


@cache
def _made_by_the_engine() -> bytes:
    """The engine's file with all tables, empty."""
    with TemporaryDirectory() as directory:
        file = Path(directory, "tables.sqlite")
        with _engine(file):
            storage.create_tables(registry.current().models)
        return file.read_bytes()


@contextmanager
def _engine(path: Path) -> Iterator[None]:
    """The engine on a file answers until the block ends."""
    with closing(Engine(path)) as engine, transport.override(observed(local_transport(engine))):
        yield
