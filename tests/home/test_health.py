"""The health check: 200 while the database is available, otherwise 503. It needs no credential."""

import logging
from collections.abc import Iterator

import pytest

from chalicelib.core.tables import CoreItem
from tests.client import Client


@pytest.fixture
def broken(client: Client) -> Iterator[Client]:
    """A client of an installation without its database."""
    CoreItem.delete_table()
    logger = logging.getLogger("chalicelib.home.routes")
    logger.disabled = True
    yield client
    logger.disabled = False


def test_a_server_with_its_database_is_healthy(client: Client, calls: list[str]) -> None:
    reply = client.get("/healthz")
    assert (reply.status, reply.json) == (200, {"status": "ok"})
    assert reply.header("cache-control") == "no-store"
    assert calls == ["GetItem"]


def test_a_server_without_its_database_is_unhealthy(broken: Client) -> None:
    reply = broken.get("/healthz")
    assert (reply.status, reply.json) == (503, {"message": "The database is unavailable."})
    assert reply.header("retry-after") == "5"


def test_head_returns_the_same_status(client: Client) -> None:
    reply = client.head("/healthz")
    assert (reply.status, reply.body) == (200, b"")
