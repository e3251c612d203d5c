"""Fixtures of the account tests: clients of the API."""

from typing import Any

import pytest

from chalicelib.core.identity import accounts, credentials, sessions
from chalicelib.core.tables import Account
from tests import people
from tests.account.person import LogIn, Person
from tests.client import Client


@pytest.fixture
def visitor(client: Client) -> Person:
    """A client without a session."""
    return Person(client)


@pytest.fixture
def logged_in(client: Client) -> LogIn:
    """A function that returns a client with a new session of an account."""

    def log_in(account: Account, **more: Any) -> Person:
        fresh = accounts.get(int(account.id))
        return Person(client, credentials.create(fresh, credentials.SESSION, ends_after=sessions.LIFETIME)[1], **more)

    return log_in


@pytest.fixture
def alice_client(logged_in: LogIn, alice: Account) -> Person:
    """A client with a session of Alice's, by cookie."""
    return logged_in(alice)


@pytest.fixture
def root(logged_in: LogIn) -> Person:
    """A client with a session of an administrator, by cookie."""
    return logged_in(people.register("Root", "root@example.org", "sudo make me", "ADMIN"))
