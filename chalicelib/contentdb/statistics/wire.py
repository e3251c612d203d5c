"""Statistics in other formats than JSON: CSV, and a badge for a README."""

from datetime import date, timedelta
from typing import Any
from xml.sax.saxutils import escape

from chalicelib.contentdb.statistics.series import COUNTED

_LETTER = 7  # the approximate width of a letter in the badge, in pixels
_MARGIN = 6
_LONGEST = 60


def csv(found: dict[str, Any] | None) -> bytes:
    """Statistics as CSV (RFC 4180), a line for every day."""
    lines = [",".join(("date", *COUNTED))]
    if found:
        first = date.fromisoformat(found["start"])
        for offset, numbers in enumerate(zip(*(found[name] for name in COUNTED), strict=True)):
            lines.append(",".join(map(str, (first + timedelta(days=offset), *numbers))))
    return ("\r\n".join(lines) + "\r\n").encode()


def badge(label: str, text: str) -> bytes:
    """A small image (SVG) with two texts; only `text` is escaped, because labels are constants."""
    shown = "".join(letter for letter in text if letter.isprintable())[:_LONGEST]
    left, right = (len(each) * _LETTER + 2 * _MARGIN for each in (label, shown))
    aria = escape(f"{label}: {shown}", {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{aria}">'
        f'<rect width="{left}" height="20" fill="#555"/><rect x="{left}" width="{right}" height="20" fill="#375a7f"/>'
        f'<g fill="#fff" font-family="Verdana,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14">{label}</text><text x="{left + right / 2}" y="14">{escape(shown)}</text>'
        "</g></svg>\n"
    ).encode()
