"""Texts that people give us for others to read: reviews, collections, what they say of themselves."""

import unicodedata
from typing import Any

from chalicelib.core.errors import Invalid

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINER = "\u200d"  # holds together what is one emoji
_IN_TEXTS = "\n\t"


def line(name: str, given: Any, least: int, most: int) -> str:
    """One line of so many characters, without blanks around it and without what cannot be seen. Raises Invalid."""
    text = _text(name, given, least, most)
    if any(unicodedata.category(letter) in _UNSEEN and letter != _JOINER for letter in text):
        raise Invalid(f"{name} must be one line, without control characters")
    return text


def text(name: str, given: Any, least: int, most: int) -> str:
    """Any number of lines, of so many characters together; a line ends with a newline alone. Raises Invalid."""
    text = _text(name, given, least, most)
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in _IN_TEXTS for letter in text):
        raise Invalid(f"{name} must not have control characters")
    return text


def folded(text: str) -> str:
    """What looks alike, in one writing: for names that nobody shall mistake for each other."""
    return unicodedata.normalize("NFKC", text).casefold().replace(_JOINER, "")


def _text(name: str, given: Any, least: int, most: int) -> str:
    if not isinstance(given, str):
        raise Invalid(f"{name} must be a str")
    text = given.replace("\r\n", "\n").strip()
    if not least <= len(text) <= most:
        raise Invalid(f"{name} must have {least} to {most} characters" if least else f"{name} is too long")
    return text
