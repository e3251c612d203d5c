"""A zone as a name server looks at it: sets of records by name and type, parsed when they are asked for."""

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

Ref = tuple[str, str]  # the keys of a zone's item
Key = tuple[bytes, ...]  # the labels of a name in lower case, the root's empty one last


class Line(NamedTuple):
    """A record of some name; `ttl` in seconds."""

    type: str
    content: str
    ttl: int


Node = Mapping[str, Sequence[Line]]  # the records at a name, by type


class ZoneData(ABC):
    """A zone in one state. Threads may share it: what is kept is the same whoever makes it."""

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
        """Every name that has records, the apex first; of a zone that is `whole`."""

    @abstractmethod
    def whole(self) -> "ZoneData":
        """This zone with everything in it; another object, if much has to be read for it."""

    def place(self, key: Key) -> Key | None:
        """Where the records for a name stand: at itself, else at the wildcard of its closest encloser, else nowhere."""
        if self.exists(key):
            return key
        encloser = key[1:]
        while not self.exists(encloser):  # the apex does
            encloser = encloser[1:]
        wildcard = (b"*", *encloser)
        return wildcard if self.exists(wildcard) else None

    def cut_above(self, key: Key, *, itself: bool) -> Key | None:
        """The topmost zone cut on the way down to `key`; `itself` tells whether one at `key` counts."""
        found = None
        for start in range(0 if itself else 1, len(key) - len(self.apex)):
            if "NS" in self.node(key[start:]):
                found = key[start:]
        return found

    def types(self, place: Key) -> list[RdataType]:
        """The types of records at a place that go out on the wire."""
        return [dns.rdatatype.from_text(type_) for type_ in self.node(place) if type_ != "ALIAS"]

    def rrset(self, place: Key, rdtype: RdataType, name: Name | None = None) -> RRset | None:
        """The records of one type at a place, as those of `name`; None when there are none."""
        if (place, rdtype) not in self._sets:
            self._sets[place, rdtype] = self._parse(place, rdtype)
        found = self._sets[place, rdtype]
        if found is None or name is None:
            return found
        renamed = RRset(name, IN, rdtype)
        renamed.update(found)
        return renamed

    def alias(self, place: Key) -> tuple[int, Name] | None:
        """The TTL and target of an ALIAS at a place."""
        for line in self.node(place).get("ALIAS", ()):
            return line.ttl, name_of(line.content, self.origin)
        return None

    @cached_property
    def negative_soa(self) -> RRset:
        """The SOA record as it goes with NXDOMAIN and NODATA: its TTL is how long that holds (RFC 2308)."""
        found = self.rrset(self.apex, RdataType.SOA)
        assert found is not None, "a zone has an SOA record"
        soa = cast(SOA, found[0])
        return dns.rrset.from_rdata(self.origin, min(found.ttl, soa.minimum), soa)

    def rrsets(self) -> Iterable[RRset]:
        """Every set of records that goes out on the wire, the SOA record first; of a zone that is `whole`."""
        for key, _ in self.nodes():
            for rdtype in sorted(self.types(key), key=lambda rdtype: (rdtype != RdataType.SOA, rdtype)):
                if (found := self.rrset(key, rdtype)) is not None:
                    yield found

    def _parse(self, place: Key, rdtype: RdataType) -> RRset | None:
        lines = self.node(place).get(dns.rdatatype.to_text(rdtype), ())
        rdatas = [rdata for line in lines if (rdata := self._rdata(line)) is not None]
        if not rdatas:
            return None
        return dns.rrset.from_rdata_list(Name(place), min(line.ttl for line in lines), rdatas)

    def _rdata(self, line: Line) -> Rdata | None:
        try:
            return presentation.rdata_of(line.type, line.content, self.origin)
        except ValueError as error:  # one record that should not have been stored does not cost the others
            _log.error("%s: a %s record cannot be published: %s", self.origin, line.type, error)
            return None


def key_of(name: Name) -> Key:
    """A name's key."""
    return tuple(label.lower() for label in name.labels)


def name_of(text: str, origin: Name = dns.name.root) -> Name:
    """The name that `text` writes."""
    return dns.name.from_text(text, origin)
