"""Content negotiation (RFC 9110, section 12.4.2): `Accept` and similar headers."""

import re

_MAX_LENGTH = 1000
_QUALITY = re.compile(r"q=([01](\.[0-9]*)?|\.[0-9]+)")


def offers(header: str) -> dict[str, float]:
    """Return the values of a header, in lower case, with their qualities; a malformed quality counts as 0.

    Only the first 1,000 characters are parsed.
    """
    found = {}
    for part in header[:_MAX_LENGTH].lower().split(","):
        value, *parameters = (text.strip() for text in part.split(";"))
        if value:
            found[value] = _quality(parameters)
    return found


def _quality(parameters: list[str]) -> float:
    given = [text.replace(" ", "") for text in parameters if text.startswith("q")]
    if not given:
        return 1.0
    number = _QUALITY.fullmatch(given[0])
    return float(number[1]) if number else 0.0
