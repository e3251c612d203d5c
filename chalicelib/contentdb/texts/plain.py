"""Validates users' plain texts: reviews, collections, profiles."""

import unicodedata
from typing import Any

from chalicelib.core.errors import Invalid

_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINER = "\u200d"  # joins the parts of one emoji
_WHITESPACE = "\n\t"


def line(name: str, given: Any, least: int, most: int) -> str:
    """One line of `least` to `most` characters, stripped, without invisible characters. Raises Invalid."""
    text = _text(name, given, least, most)
    if any(unicodedata.category(letter) in _INVISIBLE and letter != _JOINER for letter in text):
        raise Invalid(f"{name} must be one line, without control characters")
    return text


def text(name: str, given: Any, least: int, most: int) -> str:
    """Lines of `least` to `most` characters in total, with newlines only. Raises Invalid."""
    text = _text(name, given, least, most)
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in _WHITESPACE for letter in text):
        raise Invalid(f"{name} must not have control characters")
    return text


def folded(text: str) -> str:
    """One spelling for texts that look alike, for names that must not be confused."""
    return unicodedata.normalize("NFKC", text).casefold().replace(_JOINER, "")


def _text(name: str, given: Any, least: int, most: int) -> str:
    if not isinstance(given, str):
        raise Invalid(f"{name} must be a str")
    text = given.replace("\r\n", "\n").strip()
    if not least <= len(text) <= most:
        raise Invalid(f"{name} must have {least} to {most} characters" if least else f"{name} is too long")
    return text
