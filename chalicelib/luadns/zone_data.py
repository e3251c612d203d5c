"""The interface between a zone and the resolver: record sets by name and type, parsed on first use."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, cast

import dns.name
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rdata import Rdata
from dns.rdataclass import IN
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.SOA import SOA
from dns.rrset import RRset

from chalicelib.luadns import presentation

_log = logging.getLogger(__name__)

Ref = tuple[str, str]  # pk and sk of a zone's item
Key = tuple[bytes, ...]  # the labels of a name in lower case, with the root's empty label at the end


class Line(NamedTuple):
    """A record without its name; `ttl` in seconds."""

    type: str
    content: str
    ttl: int


Node = Mapping[str, Sequence[Line]]  # the records at a name, by type


class ZoneData(ABC):
    """A zone at one serial. Threads may share it: each computes the same values for the cache."""

    def __init__(self, ref: Ref, origin: Name, serial: int) -> None:
        self.ref = ref
        self.origin = origin
        self.serial = serial
        self.apex = key_of(origin)
        self._sets: dict[tuple[Key, RdataType], RRset | None] = {}

    @abstractmethod
    def node(self, key: Key) -> Node:
        """The records at a name."""

    @abstractmethod
    def exists(self, key: Key) -> bool:
        """Whether a name or one below it has records."""

    @abstractmethod
    def nodes(self) -> Iterable[tuple[Key, Node]]:
        """All names with records, the apex first; requires a `whole` zone."""

    @abstractmethod
    def whole(self) -> "ZoneData":
        """This zone with all records in memory; another object if they have to be read."""

    def source(self, key: Key) -> Key | None:
        """The name whose records answer for `key`: itself, the wildcard of its closest encloser, or None (RFC 4592)."""
        if self.exists(key):
            return key
        encloser = key[1:]
        while not self.exists(encloser):  # the apex does
            encloser = encloser[1:]
        wildcard = (b"*", *encloser)
        return wildcard if self.exists(wildcard) else None

    def zone_cut(self, key: Key, *, inclusive: bool) -> Key | None:
        """The topmost zone cut between the apex and `key`; `inclusive` if a cut at `key` itself counts."""
        found = None
        for start in range(0 if inclusive else 1, len(key) - len(self.apex)):
            if "NS" in self.node(key[start:]):
                found = key[start:]
        return found

    def redirection(self, key: Key) -> Key | None:
        """The topmost name above `key` with a DNAME record, the apex included (RFC 6672)."""
        for start in range(len(key) - len(self.apex), 0, -1):
            if "DNAME" in self.node(key[start:]):
                return key[start:]
        return None

    def types(self, key: Key) -> list[RdataType]:
        """The types of the records at a name that DNS responses contain."""
        return [dns.rdatatype.from_text(type_) for type_ in self.node(key) if type_ != "ALIAS"]

    def rrset(self, key: Key, rdtype: RdataType, name: Name | None = None) -> RRset | None:
        """The record set of one type at `key`, with the owner name `name` if given; None if there are no records."""
        if (key, rdtype) not in self._sets:
            self._sets[key, rdtype] = self._parse(key, rdtype)
        found = self._sets[key, rdtype]
        if found is None or name is None:
            return found
        renamed = RRset(name, IN, rdtype)
        renamed.update(found)
        return renamed

    def alias(self, key: Key) -> tuple[int, Name] | None:
        """The TTL in seconds and the target of an ALIAS at a name; None if there is none."""
        for line in self.node(key).get("ALIAS", ()):
            return line.ttl, parse_name(line.content, self.origin)
        return None

    @cached_property
    def negative_soa(self) -> RRset:
        """The SOA record for NXDOMAIN and NODATA; its TTL is that of the negative answer (RFC 2308)."""
        found = self.rrset(self.apex, RdataType.SOA)
        assert found is not None, "a zone has an SOA record"
        soa = cast(SOA, found[0])
        return dns.rrset.from_rdata(self.origin, min(found.ttl, soa.minimum), soa)

    def rrsets(self) -> Iterable[RRset]:
        """All record sets of the zone for a transfer, the SOA record first; requires a `whole` zone."""
        for key, _ in self.nodes():
            for rdtype in sorted(self.types(key), key=lambda rdtype: (rdtype != RdataType.SOA, rdtype)):
                if (found := self.rrset(key, rdtype)) is not None:
                    yield found

    def _parse(self, key: Key, rdtype: RdataType) -> RRset | None:
        lines = self.node(key).get(dns.rdatatype.to_text(rdtype), ())
        rdatas = [rdata for line in lines if (rdata := self._rdata(line)) is not None]
        if not rdatas:
            return None
        return dns.rrset.from_rdata_list(Name(key), min(line.ttl for line in lines), rdatas)

    def _rdata(self, line: Line) -> Rdata | None:
        try:
            return presentation.rdata_of(line.type, line.content, self.origin)
        except ValueError as error:  # one invalid record must not affect the others
            _log.error("%s: a %s record cannot be published: %s", self.origin, line.type, error)
            return None


def key_of(name: Name) -> Key:
    """The key of a name."""
    return tuple(label.lower() for label in name.labels)


def parse_name(text: str, origin: Name = dns.name.root) -> Name:
    """Parse a name; it is relative to `origin` if it has no trailing dot."""
    return dns.name.from_text(text, origin, presentation.IDNA)
