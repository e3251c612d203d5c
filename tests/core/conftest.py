"""Fixtures: an account without a password hash, and a thread pool."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import settings
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account


@pytest.fixture
def carol(aws: None) -> Account:
    """An account without a password; its id is 1."""
    return accounts.create("carol", "carol@example.org")


@pytest.fixture
def pool(aws: None) -> Iterator[ThreadPoolExecutor]:
    """Eight threads with our own engine, and one with moto, whose tables are not thread-safe."""
    on_one_machine = settings.current().blobs.startswith("file:")
    with ThreadPoolExecutor(8 if on_one_machine else 1) as threads:
        yield threads
