"""A zone as a name server looks at it: sets of records by name and type, parsed when they are asked for."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple, cast

import dns.exception
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

Key = tuple[bytes, ...]  # the labels of a name in lower case, the root's empty one last


class Line(NamedTuple):
    """A record to be published: `name` absolute, with a dot at its end; `ttl` in seconds."""

    name: str
    type: str
    content: str
    ttl: int


class ZoneData:
    """All records of a zone in one state. Thread-safe: what is kept is the same whoever makes it."""

    def __init__(self, zone_id: int, origin: str, serial: int, lines: Iterable[Line]) -> None:
        self.id = zone_id
        self.serial = serial
        self.origin = name_of(f"{origin.rstrip('.')}.")
        self._apex = key_of(self.origin)
        self._nodes: dict[Key, dict[str, list[Line]]] = {}
        self._sets: dict[tuple[Key, RdataType], RRset | None] = {}
        for line in lines:
            self._add(line)
        self._cuts = {key for key, node in self._nodes.items() if "NS" in node and key != self._apex}

    def _add(self, line: Line) -> None:
        try:
            key = _key_of_text(line.name)
        except (dns.exception.DNSException, UnicodeError):
            _log.error("zone %d: a record has no name that DNS can carry", self.id)
            return
        self._nodes.setdefault(key, defaultdict(list))[line.type].append(line)
        while len(key := key[1:]) >= len(self._apex):  # names between it and the apex exist, with no records
            self._nodes.setdefault(key, defaultdict(list))

    def place(self, key: Key) -> Key | None:
        """Where the records for a name stand: at itself, else at the wildcard of its closest encloser, else nowhere."""
        if key in self._nodes:
            return key
        encloser = key[1:]
        while encloser not in self._nodes:
            encloser = encloser[1:]
            if len(encloser) < len(self._apex):
                return None
        wildcard = (b"*", *encloser)
        return wildcard if wildcard in self._nodes else None

    def cut_above(self, key: Key, *, itself: bool) -> Key | None:
        """The topmost zone cut on the way down to `key`; `itself` tells whether one at `key` counts."""
        if not self._cuts:
            return None
        for start in range(len(key) - len(self._apex) - 1, -1 if itself else 0, -1):
            if key[start:] in self._cuts:
                return key[start:]
        return None

    def types(self, place: Key) -> list[RdataType]:
        """The types of records at a place that go out on the wire."""
        return [dns.rdatatype.from_text(type_) for type_ in self._nodes[place] if type_ != "ALIAS"]

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
        for line in self._nodes[place].get("ALIAS", []):
            return line.ttl, name_of(line.content, self.origin)
        return None

    def negative_soa(self) -> RRset:
        """The SOA record as it goes with NXDOMAIN and NODATA: its TTL is how long that holds (RFC 2308)."""
        return self._negative

    @cached_property
    def _negative(self) -> RRset:
        found = self.rrset(self._apex, RdataType.SOA)
        assert found is not None, "a zone has an SOA record"
        soa = cast(SOA, found[0])
        return dns.rrset.from_rdata(self.origin, min(found.ttl, soa.minimum), soa)

    def rrsets(self) -> Iterable[RRset]:
        """Every set, the SOA record first."""
        for key in sorted(self._nodes, key=lambda key: key[::-1]):
            for rdtype in sorted(self.types(key), key=lambda rdtype: (rdtype != RdataType.SOA, rdtype)):
                if (found := self.rrset(key, rdtype)) is not None:
                    yield found

    def _parse(self, place: Key, rdtype: RdataType) -> RRset | None:
        lines = self._nodes.get(place, {}).get(dns.rdatatype.to_text(rdtype), [])
        rdatas = [rdata for line in lines if (rdata := self._rdata(line)) is not None]
        if not rdatas:
            return None
        return dns.rrset.from_rdata_list(Name(place), min(line.ttl for line in lines), rdatas)

    def _rdata(self, line: Line) -> Rdata | None:
        try:
            return presentation.rdata_of(line.type, line.content, self.origin)
        except ValueError as error:  # one record that should not have been stored does not cost the others
            _log.error("zone %d: a %s record cannot be published: %s", self.id, line.type, error)
            return None


def key_of(name: Name) -> Key:
    """A name's key."""
    return tuple(label.lower() for label in name.labels)


def name_of(text: str, origin: Name = dns.name.root) -> Name:
    """The name that `text` writes."""
    return dns.name.from_text(text, origin)


def _key_of_text(text: str) -> Key:
    if text.isascii() and "\\" not in text:  # nearly all; dnspython takes ten times as long
        return tuple(text.lower().encode().split(b"."))
    return key_of(name_of(text))
