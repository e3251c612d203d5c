"""Passwords: how they are kept and compared, and which ones people may choose."""

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from chalicelib.core import limits
from chalicelib.core.errors import Invalid

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 8  # NIST SP 800-63B
LONGEST = 1024
_hashing = limits.Pool(at_once=2, waiting=2)  # each takes 20 MB and tens of milliseconds of a processor
_HASHING = "Too many people are logging in, try again in a moment."
# What is guessed first. Those that are one or two letters again and again are refused by another rule.
_FIRST_GUESSES = """
    12345678 123456789 1234567890 0123456789 87654321 987654321 12341234 password passw0rd password1 password12
    password123 passwort qwertyui qwertyuiop qwerty123 qwertz123 asdfghjk asdfghjkl 1q2w3e4r 1qaz2wsx q1w2e3r4
    abcd1234 abcdefgh abc12345 iloveyou sunshine princess football baseball superman starwars trustno1 whatever
    letmein1 welcome1 changeme computer internet administrator
"""
_FEWEST_LETTERS = 3


def hash_password(password: str) -> str:
    """An argon2id hash; raises Invalid for an empty or an immense password."""
    check(password)
    with _hashing.worker(_HASHING):
        return _hasher().hash(password)


def matches(password: str, hashed: str | None) -> bool:
    """Whether a password is the hashed one; where there is none it takes the same work to say no.

    Raises Busy when too many others are at it.
    """
    from argon2.exceptions import VerificationError

    try:
        with _hashing.worker(_HASHING):
            _hasher().verify(hashed or _nobodys_hash(), password[:LONGEST])
    except VerificationError:
        return False
    return hashed is not None and len(password) <= LONGEST


def check(password: str, shortest: int = 1) -> None:
    """Raises Invalid for an empty, a short or an immense password."""
    if not password:
        raise _invalid("A password cannot be empty.")
    if len(password) < shortest:
        raise _invalid(f"A password has at least {shortest} characters.")
    if len(password) > LONGEST:
        raise _invalid(f"A password has at most {LONGEST} characters.")


def check_chosen(password: str, username: str, email: str) -> None:
    """Raises Invalid for what people must not choose for themselves: too short, or guessed first."""
    check(password, SHORTEST)
    if any(unicodedata.category(letter) == "Cc" for letter in password):
        raise _invalid("A password has no control characters.")
    lower = password.lower()
    if lower in {username.lower(), email.lower(), email.lower().partition("@")[0]}:
        raise _invalid("A password is neither your username nor your e-mail address.")
    if lower in _FIRST_GUESSES.split() or len(set(lower)) < _FEWEST_LETTERS:
        raise _invalid("This password is one of the first that others would try.")


def _invalid(message: str) -> Invalid:
    return Invalid(message, field="password")


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # what OWASP asks for, and no more


@cache
def _nobodys_hash() -> str:
    return _hasher().hash("nobody's password")
