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
from dns.name import Name
from dns.rdata import Rdata
from dns.rdtypes.txtbase import TXTBase

TEXTS = {"TXT", "SPF"}
IDNA = dns.name.IDNA_2008_UTS_46  # of names in contents, as of names of records and zones
_MAX_STRING_BYTES = 255  # the length of a character string is one octet
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_QUOTED = re.compile(rf"\s*{_STRING.pattern}(?:\s+{_STRING.pattern})*\s*", re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:([0-9]{3})|([^0-9])|)")
_UNPRINTABLE = re.compile(rb"[^ !#-\[\]-~]")
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
        return dns.rdata.from_text(dns.rdataclass.IN, rdtype, content, origin, relativize=False, idna_codec=IDNA)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def content_of(rdata: Rdata) -> str:
    """Return content that `rdata_of` parses to this rdata; raw text for TXT and SPF where it is lossless."""
    if not isinstance(rdata, TXTBase):
        return rdata.to_text()
    joined = b"".join(rdata.strings)
    if _split(joined) != list(rdata.strings):
        return text_of(rdata)
    try:
        raw = joined.decode()
    except UnicodeDecodeError:
        return text_of(rdata)
    plain = raw and raw.isprintable() and not _QUOTED.fullmatch(raw)
    return raw if plain else text_of(rdata)


def text_of(rdata: Rdata) -> str:
    """The rdata in a zone file: as dnspython writes it, which takes seconds for megabytes of strings."""
    if not isinstance(rdata, TXTBase):
        return rdata.to_text()
    return " ".join(f'"{_UNPRINTABLE.sub(_escaped, string).decode()}"' for string in rdata.strings)


def strings_of(content: str) -> list[bytes]:
    """Return the character strings of a TXT record. Raises DNSException for an invalid escape."""
    if not _QUOTED.fullmatch(content):
        return _split(content.encode())
    quoted = _STRING.findall(content)
    values = [_unescape(text) for text in quoted] if "\\" in content else [text.encode() for text in quoted]
    return [part for value in values for part in (_split(value) if len(value) > _MAX_STRING_BYTES else (value,))]


def _unescape(quoted: str) -> bytes:
    return _ESCAPE.sub(_unescaped, quoted.encode())


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[2] is not None:
        return found[2]
    if found[1] is None or int(found[1]) > 255:
        raise dns.exception.SyntaxError
    return bytes((int(found[1]),))


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"\\" + found[0] if found[0] in b'"\\' else b"\\%03d" % found[0][0]


def _split(raw: bytes) -> list[bytes]:
    return [raw[start : start + _MAX_STRING_BYTES] for start in range(0, len(raw), _MAX_STRING_BYTES)] or [b""]
