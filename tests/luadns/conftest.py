"""Fixtures for the LuaDNS tests: Alice's key and her zone."""

import pytest

from chalicelib.core.tables import Account
from chalicelib.luadns import zone_views
from tests.client import Client
from tests.luadns.api import LuaDns, key_for


@pytest.fixture(autouse=True)
def _no_cached_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone_views, "_views", zone_views._Views())


@pytest.fixture
def dns(client: Client, alice: Account) -> LuaDns:
    """A client with a key of Alice's that has no scope."""
    return key_for(client, alice)


@pytest.fixture
def zone(dns: LuaDns) -> int:
    """Alice's zone example.com."""
    return dns.zone()
