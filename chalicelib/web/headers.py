"""Parsers of header fields that never raise: a malformed value counts as missing."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

_HOST = re.compile(r"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def parse_host(value: str) -> str | None:
    """A valid `Host` (RFC 9110, section 7.2): a name or an address, with an optional port."""
    value = value.strip()
    return value if _HOST.fullmatch(value) else None


def host_of(url: str) -> str | None:
    """The host and port of an absolute URL, in lower case, such as the value of `Origin`."""
    try:
        return parse_host(urlsplit(url).netloc.lower())
    except ValueError:
        return None


def parse_date(value: str) -> datetime | None:
    """An HTTP date (RFC 9110, section 5.6.7)."""
    try:
        found = parsedate_to_datetime(value)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def parse_address(value: str) -> str | None:
    """An IP address, as it is written. A proxy can pass other texts on, which could be of any length."""
    try:
        ip_address(value)
    except ValueError:
        return None
    return value
