"""Dynamic updates (RFC 2136) of a zone: prerequisites, and record sets or records that are added or deleted.

Records that the system manages, and conflicts with a CNAME, are ignored, as the RFC has it.
"""

from collections.abc import Iterable, Sequence

import dns.rdatatype
from dns.name import Name
from dns.rcode import Rcode
from dns.rdata import Rdata
from dns.rdataclass import ANY, NONE
from dns.rdatatype import RdataType
from dns.rrset import RRset

from chalicelib.core import ids
from chalicelib.luadns import contents, presentation, records, store, tsig_keys
from chalicelib.luadns.changes import Row, ZoneEdit, retry
from chalicelib.luadns.records import Draft
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import TsigKey, Zone

_CHALLENGE = "_acme-challenge."


def permits(key: TsigKey, zone: Zone, updates: Iterable[RRset]) -> bool:
    """Whether a key may make these updates of a zone."""
    kind, name = tsig_keys.scope_of(key)
    if key.account_id != zone.account_id:
        return False
    if kind == tsig_keys.UPDATE:
        return name == zone.name
    return kind == tsig_keys.ACME and all(_is_challenge(update, name) for update in updates)


def apply(zone: Zone, key: TsigKey, prerequisites: Sequence[RRset], updates: Sequence[RRset]) -> Rcode:
    """Make the updates as one change if the prerequisites hold; return NOERROR, or the code of what does not hold.

    Raises Invalid, Forbidden, NotFound or Busy; the zone is unchanged then.
    """
    owner, zone_id = Owner(int(zone.account_id)), int(zone.id)
    names = {_text(rrset.name) for rrset in (*prerequisites, *updates)}

    def attempt() -> Rcode:
        edit = ZoneEdit(store.zone(owner, zone_id))
        edit.load(names)
        for code in (_unmet(edit, rrset) for rrset in prerequisites):
            if code != Rcode.NOERROR:
                return code
        update = _Update(edit, names)
        for rrset in updates:
            update.make(rrset)
        edit.commit(owner, "zone.dynamic-update", tsig_key=key.name)
        return Rcode.NOERROR

    return retry(zone_id, attempt)


class _Update:
    """Makes the updates of one message pending changes."""

    def __init__(self, edit: ZoneEdit, names: Iterable[str]) -> None:
        self._edit = edit
        self._records = store.records(edit.zone, [row.id for name in names for row in edit.rows(name)])

    def make(self, rrset: RRset) -> None:
        """Add or delete what one record set of the message says."""
        name, type_ = _text(rrset.name), dns.rdatatype.to_text(rrset.rdtype)
        if rrset.deleting is None:
            for rdata in rrset:
                self._add(name, type_, rdata, rrset.ttl)
            return
        wanted = {_canonical(type_, rdata) for rdata in rrset}
        for row in _rows(self._edit, name, None if rrset.rdtype == RdataType.ANY else type_):
            if not wanted or contents.canonical(row.type, row.content) in wanted:
                self._remove(row)

    def _add(self, name: str, type_: str, rdata: Rdata, ttl: int) -> None:
        if records.is_managed(self._edit.zone, name, type_, presentation.content_of(rdata)):
            return
        rows = list(self._edit.rows(name))
        equal = [row for row in rows if row.type == type_ and _equal(row, rdata)]
        if equal:
            record = self._records[equal[0].id]
            if record.ttl != ttl:
                self._edit.replace(record, ttl=ttl)
            return
        if type_ == "CNAME":
            if any(row.type != "CNAME" for row in rows):
                return
            for row in rows:
                self._remove(row)
        elif any(row.type == "CNAME" for row in rows):
            return
        draft = Draft(name, type_, presentation.content_of(rdata), ttl)
        wanted = records.validate(self._edit.zone, [draft])[0]
        number = ids.reserve(records.SEQUENCE)
        self._records[number] = self._edit.add(number, wanted.name, type_, wanted.content, ttl, None)

    def _remove(self, row: Row) -> None:
        record = self._records[row.id]
        if not records.is_managed(self._edit.zone, record.name, record.type, record.content):
            self._edit.remove(record)


def _unmet(edit: ZoneEdit, rrset: RRset) -> Rcode:
    """The code of a prerequisite that does not hold (RFC 2136, 3.2); NOERROR if it holds."""
    any_type = rrset.rdtype == RdataType.ANY
    rows = _rows(edit, _text(rrset.name), None if any_type else dns.rdatatype.to_text(rrset.rdtype))
    if rrset.deleting == ANY:
        return Rcode.NOERROR if rows else Rcode.NXDOMAIN if any_type else Rcode.NXRRSET
    if rrset.deleting == NONE:
        return Rcode.NOERROR if not rows else Rcode.YXDOMAIN if any_type else Rcode.YXRRSET
    found = {contents.canonical(row.type, row.content) for row in rows}
    wanted = {_canonical(dns.rdatatype.to_text(rrset.rdtype), rdata) for rdata in rrset}
    return Rcode.NOERROR if found == wanted else Rcode.NXRRSET


def _rows(edit: ZoneEdit, name: str, type_: str | None) -> list[Row]:
    """The records of a name that DNS has, of one type or of all."""
    return [row for row in edit.rows(name) if row.type not in contents.PSEUDO and type_ in (None, row.type)]


def _equal(row: Row, rdata: Rdata) -> bool:
    return contents.canonical(row.type, row.content) == _canonical(row.type, rdata)


def _canonical(type_: str, rdata: Rdata) -> str:
    return contents.canonical(type_, presentation.content_of(rdata))


def _is_challenge(update: RRset, name: str) -> bool:
    """Whether an update is of a TXT record `_acme-challenge` at a name or below it."""
    owner = _text(update.name).removesuffix(".")
    host = owner.removeprefix(_CHALLENGE)
    return update.rdtype == RdataType.TXT and host != owner and f".{host}".endswith(f".{name}")


def _text(name: Name) -> str:
    return name.canonicalize().to_text()
