"""What a client would rather have (RFC 9110, section 12.4.2): `Accept` and its sisters."""

import re

_LONGEST = 1000
_QUALITY = re.compile(r"q=([01](\.[0-9]*)?|\.[0-9]+)")


def offers(header: str) -> dict[str, float]:
    """The values of such a header, in lower case, each with its quality; 0 is a refusal, and so is what cannot be read.

    Only the beginning of an immense header counts.
    """
    found = {}
    for part in header[:_LONGEST].lower().split(","):
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
