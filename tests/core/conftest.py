"""An account that costs no password hash, and threads where they can be had."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import settings
from chalicelib.core import accounts
from chalicelib.core.tables import Account


@pytest.fixture
def carol(aws: None) -> Account:
    """An account without a password; its id is 1."""
    return accounts.create("carol", "carol@example.org")


@pytest.fixture
def pool(aws: None) -> Iterator[ThreadPoolExecutor]:
    """Eight threads on our own engine, and one on moto, whose tables break when threads share them."""
    on_one_machine = settings.current().blobs.startswith("file:")
    with ThreadPoolExecutor(8 if on_one_machine else 1) as threads:
        yield threads
