"""Between a record's content, as LuaDNS writes it, and dnspython's rdata.

Contents are master-file text, with two exceptions. TXT and SPF: raw text of any length, or, when all of it is a run of
quoted strings, those strings, longer ones in parts. CAA: the value may stand without quotes, whatever is in it.
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
_LONGEST_STRING = 255  # bytes: one octet tells the length
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_QUOTED = re.compile(rf"\s*{_STRING.pattern}(?:\s+{_STRING.pattern})*\s*", re.DOTALL)
_CAA = re.compile(r"(\S+\s+\S+\s+)([^\"].*)", re.DOTALL)


def rdata_of(type_: str, content: str, origin: Name) -> Rdata:
    """The rdata of a record in the zone `origin`. Raises ValueError for what DNS cannot carry."""
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
    """The content that `rdata_of` makes this rdata from; text as people write it, where nothing is lost by that."""
    if not isinstance(rdata, TXTBase):
        return rdata.to_text()
    try:
        raw = b"".join(rdata.strings).decode()
    except UnicodeDecodeError:
        return rdata.to_text()
    plain = raw.isprintable() and raw and not _QUOTED.fullmatch(raw) and _split(raw.encode()) == list(rdata.strings)
    return raw if plain else rdata.to_text()


def strings_of(content: str) -> list[bytes]:
    """The character strings of a TXT record. Raises DNSException for an escape that cannot be read."""
    if not _QUOTED.fullmatch(content):
        return _split(content.encode())
    return [part for quoted in _STRING.findall(content) for part in _split(_unescape(quoted))]


def _unescape(quoted: str) -> bytes:
    token = dns.tokenizer.Token(dns.tokenizer.QUOTED_STRING, quoted, has_escape=True).unescape_to_bytes()
    value: bytes = token.value
    return value


def _split(raw: bytes) -> list[bytes]:
    return [raw[start : start + _LONGEST_STRING] for start in range(0, len(raw), _LONGEST_STRING)] or [b""]
