"""Passwords: hashing, comparison, and the rules for new passwords."""

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from chalicelib.core import limits
from chalicelib.core.errors import Invalid

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_LENGTH = 8  # NIST SP 800-63B
MAX_LENGTH = 1024
_hashing = limits.Pool(at_once=2, waiting=2)  # each hash costs 20 MB and tens of milliseconds of CPU
_HASHING = "Too many people are logging in, try again in a moment."
# The most common passwords. Another rule rejects repetitions of one or two letters.
_COMMON_PASSWORDS = """
    12345678 123456789 1234567890 0123456789 87654321 987654321 12341234 password passw0rd password1 password12
    password123 passwort qwertyui qwertyuiop qwerty123 qwertz123 asdfghjk asdfghjkl 1q2w3e4r 1qaz2wsx q1w2e3r4
    abcd1234 abcdefgh abc12345 iloveyou sunshine princess football baseball superman starwars trustno1 whatever
    letmein1 welcome1 changeme computer internet administrator
"""
_MIN_DISTINCT_LETTERS = 3


def hash_password(password: str) -> str:
    """Return an argon2id hash. Raises Invalid for an empty or too long password, and Busy."""
    check(password)
    with _hashing.worker(_HASHING):
        return _hasher().hash(password)


def matches(password: str, hashed: str | None) -> bool:
    """Whether a password matches the hash. Without a hash the result is False after the same work.

    Raises Busy if too many passwords are being hashed.
    """
    from argon2.exceptions import VerificationError

    try:
        with _hashing.worker(_HASHING):
            _hasher().verify(hashed or _dummy_hash(), password[:MAX_LENGTH])
    except VerificationError:
        return False
    return hashed is not None and len(password) <= MAX_LENGTH


def check(password: str, min_length: int = 1) -> None:
    """Raise Invalid for a password that is empty, too short or too long."""
    if not password:
        raise _invalid("A password cannot be empty.")
    if len(password) < min_length:
        raise _invalid(f"A password has at least {min_length} characters.")
    if len(password) > MAX_LENGTH:
        raise _invalid(f"A password has at most {MAX_LENGTH} characters.")


def check_chosen(password: str, username: str, email: str) -> None:
    """Raise Invalid for a password that users must not choose: too short, or easy to guess."""
    check(password, MIN_LENGTH)
    if any(unicodedata.category(letter) == "Cc" for letter in password):
        raise _invalid("A password has no control characters.")
    lower = password.lower()
    if lower in {username.lower(), email.lower(), email.lower().partition("@")[0]}:
        raise _invalid("A password is neither your username nor your e-mail address.")
    if lower in _COMMON_PASSWORDS.split() or len(set(lower)) < _MIN_DISTINCT_LETTERS:
        raise _invalid("This password is one of the first that others would try.")


def _invalid(message: str) -> Invalid:
    return Invalid(message, field="password")


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # the minimum that OWASP recommends


@cache
def _dummy_hash() -> str:
    return _hasher().hash("the password of no account")
