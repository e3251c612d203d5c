"""Conversion between LuaDNS' record content and dnspython's rdata.

Content is master-file text (RFC 1035), with two exceptions. TXT and SPF: raw text of any length; text that consists of
quoted strings only means those strings. Strings of more than 255 bytes are split. CAA: the value may be unquoted.
"""

import re

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tokenizer
from dns.name import Name
from dns.rdata import Rdata
from dns.rdtypes.txtbase import TXTBase

TEXTS = {"TXT", "SPF"}
_MAX_STRING_BYTES = 255  # the length of a character string is one octet
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_QUOTED = re.compile(rf"\s*{_STRING.pattern}(?:\s+{_STRING.pattern})*\s*", re.DOTALL)
_CAA = re.compile(r"(\S+\s+\S+\s+)([^\"].*)", re.DOTALL)


def rdata_of(type_: str, content: str, origin: Name) -> Rdata:
    """Parse the content of a record in the zone `origin`. Raises ValueError if it is not valid in DNS."""
    try:
        rdtype = dns.rdatatype.from_text(type_)
        if type_ in TEXTS:
            kind: type[TXTBase] = dns.rdata.get_rdata_class(dns.rdataclass.IN, rdtype)
            return kind(dns.rdataclass.IN, rdtype, strings_of(content))
        if type_ == "CAA" and (unquoted := _CAA.fullmatch(content)):
            value = re.sub(r'([\\"])', r"\\\1", unquoted[2])
            content = f'{unquoted[1]}"{value}"'
        return dns.rdata.from_text(dns.rdataclass.IN, rdtype, content, origin, relativize=False)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def content_of(rdata: Rdata) -> str:
    """Return content that `rdata_of` parses to this rdata; raw text for TXT and SPF where it is lossless."""
    if not isinstance(rdata, TXTBase):
        return rdata.to_text()
    try:
        raw = b"".join(rdata.strings).decode()
    except UnicodeDecodeError:
        return rdata.to_text()
    plain = raw.isprintable() and raw and not _QUOTED.fullmatch(raw) and _split(raw.encode()) == list(rdata.strings)
    return raw if plain else rdata.to_text()


def strings_of(content: str) -> list[bytes]:
    """Return the character strings of a TXT record. Raises DNSException for an invalid escape."""
    if not _QUOTED.fullmatch(content):
        return _split(content.encode())
    return [part for quoted in _STRING.findall(content) for part in _split(_unescape(quoted))]


def _unescape(quoted: str) -> bytes:
    token = dns.tokenizer.Token(dns.tokenizer.QUOTED_STRING, quoted, has_escape=True).unescape_to_bytes()
    value: bytes = token.value
    return value


def _split(raw: bytes) -> list[bytes]:
    return [raw[start : start + _MAX_STRING_BYTES] for start in range(0, len(raw), _MAX_STRING_BYTES)] or [b""]
