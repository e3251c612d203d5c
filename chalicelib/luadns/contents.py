"""Validation of record content by type: dnspython parses DNS types; this module adds LuaDNS' own rules and types."""

import re
from collections.abc import Callable
from functools import partial
from ipaddress import AddressValueError, IPv4Address, IPv6Address

PSEUDO = frozenset({"ALIAS", "FORWARD", "REDIRECT"})  # not DNS types; name servers publish other records for them
TYPES = PSEUDO | {
    "A",
    "AAAA",
    "CAA",
    "CDNSKEY",
    "CDS",
    "CERT",
    "CNAME",
    "DNAME",
    "DS",
    "HINFO",
    "HTTPS",
    "LOC",
    "MX",
    "NAPTR",
    "NS",
    "OPENPGPKEY",
    "PTR",
    "RP",
    "SMIMEA",
    "SOA",
    "SPF",
    "SRV",
    "SSHFP",
    "SVCB",
    "TLSA",
    "TXT",
    "URI",
}
_TARGETS = ("target", "exchange", "replacement", "mname", "rname", "mbox", "txt")
_UNKNOWN = re.compile(r"TYPE([1-9][0-9]{0,4})")
_META = (*range(128, 256), 41, 65535)  # types of queries and of messages, not of records
_MAX_RDATA_BYTES = 65_000  # a response holds 65,535 bytes, question and header included
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # without its end, up to the end of the text
_MAILBOX = re.compile(r"[^@\s]{1,64}@[^@\s]{1,253}")
_REDIRECT = re.compile(r"(\d{1,3}\s+)?https?://[^\s\"<>\\^`{|}/?#]++[^\s\"<>\\^`{|}]*+", re.IGNORECASE)


def canonical(type_: str, content: str) -> str:
    """Return a text that is equal for contents of equivalent records.

    Raises ValueError with the error text for the client if the content is invalid.
    """
    if not content:
        raise ValueError("content is empty")
    special = _SPECIAL.get(type_)
    return special(content) if special else _rdata(type_, content)


def is_type(type_: str) -> bool:
    """Whether records can have this type: one of `TYPES`, or TYPEnnn of a type that has no name here (RFC 3597)."""
    if type_ in TYPES:
        return True
    found = _UNKNOWN.fullmatch(type_)
    if not found or int(found[1]) > 65535 or int(found[1]) in _META:
        return False
    import dns.rdatatype

    return dns.rdatatype.to_text(dns.rdatatype.from_text(type_)) == type_


def wire_size(type_: str, content: str) -> int:
    """The bytes of valid rdata in a response; 0 for a pseudo record, which no response has."""
    sizes = {"A": 4, "AAAA": 16, **dict.fromkeys(PSEUDO, 0)}
    return sizes[type_] if type_ in sizes else len(canonical(type_, content)) // 2


def with_serial(content: str, serial: int) -> str:
    """Return the content of a SOA with another serial; the rest stays byte for byte."""
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


def _rdata(type_: str, content: str, shown_type: str | None = None) -> str:
    """The rdata in hex, with names in lower case. `shown_type` is the type in error texts."""
    import dns.name

    from chalicelib.luadns import presentation

    shown_type = shown_type or type_
    relative = dns.name.from_text("relative.invalid.")  # the origin, and so the parent of relative targets
    if _has_zone_file_syntax(type_, content):
        raise ValueError(f"invalid {shown_type} content")
    try:
        rdata = presentation.rdata_of(type_, content, relative)
        digestable = rdata.to_digestable()
    except ValueError as error:
        raise ValueError(f"invalid {shown_type} content: {error}") from None
    targets = (getattr(rdata, attribute, None) for attribute in _TARGETS)
    if any(isinstance(target, dns.name.Name) and target.is_subdomain(relative) for target in targets):
        raise ValueError(f"{shown_type} target must be a fully qualified name that ends with a dot")
    if len(digestable) > _MAX_RDATA_BYTES:
        raise ValueError(f"invalid {shown_type} content: it is too long for DNS")
    return digestable.hex()


def _has_zone_file_syntax(type_: str, content: str) -> bool:
    """Whether the text has syntax of zone files: comments, parentheses, several lines, rdata of unknown types.

    A SOA must have seven words, because `with_serial` counts them.
    """
    if type_ == "SOA" and len(content.split()) != 7:
        return True
    outside = _QUOTED.sub("", content)
    forbidden = "\r\n()\0" if type_ == "CAA" else "\r\n();\0"
    return content.startswith("\\#") != type_.startswith("TYPE") or any(letter in outside for letter in forbidden)


def _text(type_: str, content: str) -> str:
    """The rdata of TXT in hex, without an object of dnspython for each of thousands of strings."""
    import dns.exception

    from chalicelib.luadns import presentation

    try:
        wire = b"".join(bytes((len(string),)) + string for string in presentation.strings_of(content))
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ValueError(f"invalid {type_} content: {str(error) or type(error).__name__}") from None
    if len(wire) > _MAX_RDATA_BYTES:
        raise ValueError(f"invalid {type_} content: it is too long for DNS")
    return wire.hex()


_SPECIAL: dict[str, Callable[[str], str]] = {
    "A": _ipv4,
    "AAAA": _ipv6,
    "ALIAS": _alias,
    "FORWARD": _forward,
    "REDIRECT": _redirect,
    "SPF": partial(_text, "SPF"),
    "TXT": partial(_text, "TXT"),
}
