"""Accounts with passwords for tests; a hash takes 30 ms, so each process hashes a password once."""

from functools import cache

from chalicelib.core.identity import accounts
from chalicelib.core.identity.passwords import hash_password
from chalicelib.core.tables import Account


def register(username: str, email: str, password: str, rank: str = "MEMBER") -> Account:
    """Create an account that can log in with this password."""
    account = accounts.create(username, email, rank=rank)
    account.update(actions=account.assign(password_hash=_hashed(password)))
    return account


_hashed = cache(hash_password)
