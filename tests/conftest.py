"""The fixtures: a world to run in (moto, then our own engine), a client, accounts, and a count of AWS calls."""

import os

os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
)

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore
import hypothesis
import moto
import pytest

from chalicelib import settings
from chalicelib.core import accounts, credentials, jobs, storage
from chalicelib.core.catalogue import Catalogue
from chalicelib.core.tables import Account
from standalone.storage.engine import Engine
from standalone.storage.hook import attach, detach
from standalone.tables import MODELS
from tests.client import Client

# In CI the same examples each time: a new one that fails is found at a desk, where it can be looked at.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

BUCKET = "moonbase-test"
_counted: list[str] = []
_planned: list[tuple[int, Callable[[], object]]] = []  # what happens before the AWS call that follows so many others


class Died(BaseException):
    """What stands for the sudden end of the process."""


def _note(model: Any, **_: Any) -> None:
    if _planned:
        left, happen = _planned.pop()
        if left:
            _planned.append((left - 1, happen))
        else:
            happen()
    _counted.append(model.name)


botocore.register_initializer(lambda session: session.register("provide-client-params", _note))


@pytest.fixture(params=["moto", "embedded"])
def aws(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Empty tables and an empty place for bytes: once as AWS (moto), once as on one machine."""
    with world(request.param, tmp_path):
        yield


@contextmanager
def world(kind: str, place: Path) -> Iterator[None]:
    """Such a place, which is gone after the block."""
    key_file = str(place / "key")
    if kind == "moto":
        with moto.mock_aws(), settings.override(blobs=f"s3://{BUCKET}", key_file=key_file):
            from chalicelib.core import aws

            aws.client("s3").create_bucket(Bucket=BUCKET)
            _furnish()
            yield
    else:
        engine = Engine(place / "tables.sqlite")
        attach(engine)
        try:
            with settings.override(blobs=f"file:{place / 'blobs'}", key_file=key_file):
                _furnish()
                yield
        finally:
            detach()
            engine.close()


def _furnish() -> None:
    storage.create_tables(MODELS)
    for catalogue in Catalogue.named.values():
        catalogue.forget()
    jobs.forget()


@pytest.fixture
def client(aws: None) -> Client:
    """A client of the whole app."""
    return Client()


@pytest.fixture
def alice(aws: None) -> Account:
    """An account with the password `wonderland`."""
    return accounts.create("Alice", "alice@example.org", "wonderland")


@pytest.fixture
def bob(aws: None) -> Account:
    """Another account, with the password `builder`."""
    return accounts.create("bob", "bob@example.org", "builder")


@pytest.fixture
def key(alice: Account) -> str:
    """Alice's LuaRocks key."""
    return credentials.create(alice, "luarocks")[1]


def dies(work: Callable[[], object], after: int) -> bool:
    """Whether the process dies in the middle of some work, before the AWS call that follows so many others."""

    def die() -> None:
        _planned.append((0, die))  # the dead do not tidy up
        raise Died

    try:
        with meanwhile(die, after):
            work()
    except Died:
        return True
    return False


@contextmanager
def meanwhile(happen: Callable[[], object], after: int) -> Iterator[None]:
    """Let something happen before the AWS call that follows so many others in the block."""
    _planned[:] = [(after, happen)]
    try:
        yield
    finally:
        _planned.clear()


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """The names of the AWS operations called since the last `calls.clear()`."""
    _counted.clear()
    yield _counted
    _counted.clear()
