"""What the content of a record may be, type by type; dnspython knows DNS, and here is what LuaDNS asks beside it."""

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv6Address

PSEUDO = frozenset({"ALIAS", "FORWARD", "REDIRECT"})  # not of DNS; name servers make other records of them
TYPES = PSEUDO | {
    "A",
    "AAAA",
    "CAA",
    "CNAME",
    "DS",
    "HTTPS",
    "MX",
    "NAPTR",
    "NS",
    "PTR",
    "SOA",
    "SPF",
    "SRV",
    "SSHFP",
    "SVCB",
    "TLSA",
    "TXT",
}
_TARGETS = ("target", "exchange", "replacement", "mname", "rname")
_LONGEST_RDATA = 65_000  # bytes: an answer holds 65,535, its question and header among them
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_MAILBOX = re.compile(r"[^@\s]{1,64}@[^@\s]{1,253}")
_REDIRECT = re.compile(r"(\d{1,3}\s+)?https?://[^\s\"<>\\^`{|}/?#]+[^\s\"<>\\^`{|}]*", re.IGNORECASE)


def check(type_: str, content: str) -> None:
    """Raises ValueError with what is wrong with a record's content, in the words that clients are told."""
    canonical(type_, content)


def canonical(type_: str, content: str) -> str:
    """A text that is the same for contents that mean the same record. Raises ValueError, see `check`."""
    if not content:
        raise ValueError("content is empty")
    special = _SPECIAL.get(type_)
    return special(content) if special else _rdata(type_, content)


def with_serial(content: str, serial: int) -> str:
    """A SOA's content with another serial; what stands before and after it stays."""
    parts = re.split(r"(\s+)", content.strip())
    parts[4] = str(int(serial))
    return "".join(parts)


def _ipv4(content: str) -> str:
    try:
        return str(IPv4Address(content))
    except AddressValueError:
        raise ValueError("invalid IPv4 address") from None


def _ipv6(content: str) -> str:
    try:
        if "%" in content:
            raise AddressValueError
        return str(IPv6Address(content))
    except AddressValueError:
        raise ValueError("invalid IPv6 address") from None


def _alias(content: str) -> str:
    return _rdata("CNAME", content, "ALIAS")


def _forward(content: str) -> str:
    if not _MAILBOX.fullmatch(content):
        raise ValueError("invalid FORWARD content: it is a mailbox such as joe@example.com")
    return content


def _redirect(content: str) -> str:
    if not _REDIRECT.fullmatch(content):
        raise ValueError("invalid REDIRECT content: it is a mode and a URL, such as 0 https://example.com/")
    return content


def _rdata(type_: str, content: str, called: str | None = None) -> str:
    """What stands in the DNS for the content, in hex, names in lower case; `called` is the type in refusals."""
    import dns.name

    from chalicelib.luadns import presentation

    called = called or type_
    relative = dns.name.from_text("relative.invalid.")  # where targets without a last dot turn up
    if type_ not in presentation.TEXTS and _is_more_than_a_line(type_, content):
        raise ValueError(f"invalid {called} content")
    try:
        rdata = presentation.rdata_of(type_, content, relative)
        digestable = rdata.to_digestable()
    except ValueError as error:
        raise ValueError(f"invalid {called} content: {error}") from None
    targets = (getattr(rdata, attribute, None) for attribute in _TARGETS)
    if any(isinstance(target, dns.name.Name) and target.is_subdomain(relative) for target in targets):
        raise ValueError(f"{called} target must be a fully qualified name that ends with a dot")
    if len(digestable) > _LONGEST_RDATA:
        raise ValueError(f"invalid {called} content: it is too long for DNS")
    return digestable.hex()


def _is_more_than_a_line(type_: str, content: str) -> bool:
    """Whether the text has what only zone files have: comments, brackets, several lines, rdata of unknown types.

    A SOA is seven words, because its serial is found by counting them.
    """
    if type_ == "SOA" and len(content.split()) != 7:
        return True
    outside = _QUOTED.sub("", content)
    forbidden = "\r\n()\0" if type_ == "CAA" else "\r\n();\0"
    return content.startswith("\\#") or any(letter in outside for letter in forbidden)


_SPECIAL: dict[str, Callable[[str], str]] = {
    "A": _ipv4,
    "AAAA": _ipv6,
    "ALIAS": _alias,
    "FORWARD": _forward,
    "REDIRECT": _redirect,
}
