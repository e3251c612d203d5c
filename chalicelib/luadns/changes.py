"""Changes of a zone, with optimistic concurrency: a write fails if the zone's serial has changed since it was read."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar, cast

from pynamodb.expressions.condition import Condition

from chalicelib import settings
from chalicelib.core import audit, retries
from chalicelib.core.errors import Busy, Forbidden, Invalid
from chalicelib.core.locks import Lock
from chalicelib.core.storage import Transaction
from chalicelib.luadns import contents, engines, history, journal, store
from chalicelib.luadns.history import Difference, RecordState
from chalicelib.luadns.journal import JournalWrite
from chalicelib.luadns.problems import Problem, invalid, invalid_field
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import LuaDnsItem, Node, Record, Zone, node_sk, record_sk

T = TypeVar("T")
_COUNTED = {
    "ALIAS": "aliases_count",
    "REDIRECT": "redirects_count",
    "FORWARD": "forwards_count",
    "DNAME": "dnames_count",
}
_MAX_NODE_BYTES = 300_000  # bytes; an item holds 400 KB
_RECORD_BYTES = 12  # of a record in a response besides its rdata: a compressed name, type, class, TTL and length
_MAX_SET_BYTES = 65_000  # of a record set in a response, which holds 65,535 bytes with header and question
_SMALL_SET_BYTES = _MAX_SET_BYTES // 4  # of contents whose rdata is certainly smaller: `::` takes 16 bytes
_FEW_NODES = 100  # that one call reads
_zone_locks = [Lock(f"zones-{number}") for number in range(64)]


def retry(zone_id: int, attempt: Callable[[], T]) -> T:
    """Call `attempt` until no other change of the zone interferes, and return its result. Raises Busy."""
    lock = _zone_locks[zone_id % len(_zone_locks)]
    return retries.retry(attempt, lock.held, "Too many changes of this zone at once.")


class Row(NamedTuple):
    """A record as it is stored in its node; `ttl` in seconds."""

    id: int
    type: str
    content: str
    ttl: int


class Conflicting(Exception):
    """Records of one name cannot coexist. `records` are their ids, the one that was added last at the end."""

    def __init__(self, field: str, message: str, rows: Sequence[Row]) -> None:
        self.problem = Problem(field, message)
        self.records = [row.id for row in rows]


class ZoneEdit:
    """Pending changes of a zone. Names are absolute, with the trailing dot, in any letter case.

    `nodes` are the nodes that have already been read, by sort key; None for a name without records.
    """

    def __init__(self, zone: Zone, nodes: Mapping[str, LuaDnsItem | None] | None = None, *, new: bool = False) -> None:
        self.zone = zone
        self._new = new
        self._before = int(zone.serial)
        self._count = int(zone.records_count)
        self._at = datetime.now(UTC)
        self._serial = self._before if new else max(int(self._at.timestamp()), self._before + 1)
        self._nodes = cast(dict[str, Node | None], dict(nodes or {}))
        self._rows: dict[str, dict[int, Row]] = {}  # by record id
        self._records: dict[int, JournalWrite] = {}
        self._removed: dict[int, RecordState] = {}  # stored records before their change, by id
        self._places: dict[int, int] = {}  # record id -> index in the request
        self._chunks: list[bytes] = []  # of the journal, if one is needed

    def load(self, names: Iterable[str]) -> None:
        """Read the nodes of these names, a hundred per call; all nodes of the zone if these are fewer."""
        missing = {sk for sk in map(self._sk, names) if sk not in self._nodes}
        if missing:
            found = {} if self._new else self._read(missing)
            self._nodes.update({sk: found.get(sk) for sk in missing})

    def rows(self, name: str) -> Collection[Row]:
        """Return the records at a name, pending changes included."""
        return self._rows_by_id(name).values()

    def add(self, number: int, name: str, type: str, content: str, ttl: int, external_id: str | None) -> Record:
        """Add a record."""
        record = Record(
            self.zone.pk,
            record_sk(int(self.zone.id), number),
            id=number,
            name=name,
            type=type,
            content=content,
            ttl=ttl,
            external_id=external_id,
            serial=self._serial,
            created_at=self._at,
            updated_at=self._at,
        )
        self._attach(record, None)
        return record

    def place(self, record: Record, index: int) -> None:
        """Name the index of a record in the request, for errors of the whole change."""
        self._places[int(record.id)] = index

    def replace(self, record: Record, **values: Any) -> None:
        """Set attributes of a record."""
        previous_serial = self._previous_serial(record)
        self._detach(record)
        for name, value in {**values, "serial": self._serial, "updated_at": self._at}.items():
            setattr(record, name, value)
        self._attach(record, previous_serial)

    def remove(self, record: Record) -> None:
        """Remove a record."""
        previous_serial = self._previous_serial(record)
        self._detach(record)
        if previous_serial is None:
            del self._records[int(record.id)]  # it was added by this change
        else:
            self._records[int(record.id)] = JournalWrite(record, previous_serial, deleted=True)

    def commit(self, owner: Owner, action: str, writes: Transaction | None = None, **detail: Any) -> None:
        """Write the changes atomically, together with `writes` if given.

        Raises Invalid or Forbidden if the changed zone would break a rule, and Contended if the zone has changed.
        """
        if not self._records:
            return
        self._check_zone()
        writes = writes or Transaction()
        self.zone.serial = self._serial
        self._write(writes, [*self._records.values(), *self._node_writes()])
        previous = None if self._new else self._before
        history.record(writes, self.zone, previous, self._at, owner, action, self.difference())
        subject = f"zone#{int(self.zone.id)}"
        writes.put(audit.entry(owner.account_id, action, subject, owner.caller, zone=self.zone.name, **detail))
        engines.current().zone_changed(writes, self.zone)
        writes.commit()
        if self.zone.journal:
            with suppress(Busy):  # the change is committed; the next reader or the job applies the journal
                journal.apply(self.zone, self._chunks)

    def check(self) -> None:
        """Raise the errors of `commit` for rules that the changed zone would break."""
        self._check_zone()
        for _ in self._node_writes():
            pass

    def difference(self) -> Difference:
        """The stored records that the pending changes remove, and those that they add; a changed one is in both."""
        added = [RecordState.of(cast(Record, write.item)) for write in self._records.values() if not write.deleted]
        return Difference(list(self._removed.values()), added)

    def _check_zone(self) -> None:
        limit = settings.current().luadns_max_records
        if self.zone.records_count > max(limit, self._count):
            raise Forbidden(f"A zone has at most {limit} records.")
        if self.zone.dnames_count:
            self._check_dnames()

    def _check_dnames(self) -> None:
        """Raise Invalid for records below a DNAME: some name servers answer with them, others never (RFC 6672)."""
        stored: Mapping[str, Node | None] = {} if self._new else store.all_nodes(self.zone)
        types = {sk: {row[1] for row in node.records} for sk, node in stored.items() if node}
        types |= {sk: {row.type for row in rows.values()} for sk, rows in self._rows.items()}
        above: str | None = None
        for sk in sorted(sk for sk, found in types.items() if found):
            if above is not None and sk.startswith(above):
                raise invalid_field("name", "there can be no records below a DNAME record")
            above = sk if "DNAME" in types[sk] else None

    def _write(self, writes: Transaction, items: list[JournalWrite]) -> None:
        """Add the zone and the items to `writes`; a journal replaces the items if one transaction cannot hold them."""
        if journal.fits_one_transaction(items):
            for item, previous_serial, deleted in items:
                (writes.delete if deleted else writes.put)(item, _unchanged(item, previous_serial))
        else:
            self._chunks = journal.save(writes, self.zone, items)
        if self._new:
            writes.create(self.zone)
            return
        changed = ("serial", "records_count", "name_servers", *_COUNTED.values())
        values: dict[str, Any] = {name: getattr(self.zone, name) for name in changed}
        if self.zone.journal:
            values["journal"] = self.zone.journal
        unchanged = (Zone.serial == self._before) & Zone.journal.does_not_exist()
        writes.update(self.zone, self.zone.assign(**values, updated_at=self._at), unchanged)

    def _node_writes(self) -> Iterator[JournalWrite]:
        for sk, by_id in self._rows.items():
            old, rows = self._nodes.get(sk), list(by_id.values())
            if rows != self._stored_rows(sk):
                try:
                    _check(rows)
                except Conflicting as conflict:
                    raise self._placed(conflict) from None
                node = Node(self.zone.pk, sk, records=[list(row) for row in rows], serial=self._serial)
                yield JournalWrite(node, int(old.serial) if old else None, deleted=not rows)

    def _placed(self, conflict: "Conflicting") -> Invalid:
        """The error with the index of the last of the conflicting records that the request names."""
        named = [self._places[number] for number in conflict.records if number in self._places]
        return invalid([conflict.problem.within(named[-1]) if named else conflict.problem])

    def _previous_serial(self, record: Record) -> int | None:
        """The serial of a record's last change before the pending ones; None if it is new."""
        pending = self._records.get(int(record.id))
        return pending.previous_serial if pending else int(record.serial)

    def _attach(self, record: Record, previous_serial: int | None) -> None:
        self._records[int(record.id)] = JournalWrite(record, previous_serial, deleted=False)
        row = Row(int(record.id), record.type, record.content, int(record.ttl))
        self._rows_by_id(record.name)[row.id] = row
        self._count_one(record, 1)

    def _detach(self, record: Record) -> None:
        if record.serial != self._serial:
            self._removed[int(record.id)] = RecordState.of(record)
        self._rows_by_id(record.name).pop(int(record.id), None)
        self._count_one(record, -1)

    def _count_one(self, record: Record, by: int) -> None:
        for counter in ("records_count", _COUNTED.get(record.type)):
            if counter:
                setattr(self.zone, counter, getattr(self.zone, counter) + by)

    def _read(self, sks: Collection[str]) -> dict[str, Node]:
        few = max(_FEW_NODES, int(self.zone.records_count))
        return store.nodes(self.zone, sks) if len(sks) <= few else store.all_nodes(self.zone)

    def _rows_by_id(self, name: str) -> dict[int, Row]:
        sk = self._sk(name)
        if sk not in self._rows:
            self.load([name])
            self._rows[sk] = {row.id: row for row in self._stored_rows(sk)}
        return self._rows[sk]

    def _sk(self, name: str) -> str:
        return node_sk(int(self.zone.id), name.lower())

    def _stored_rows(self, sk: str) -> list[Row]:
        node = self._nodes.get(sk)
        return [Row(*row) for row in node.records] if node else []


def _check(rows: list[Row]) -> None:
    """Raise Conflicting for records that cannot coexist at one name."""
    by_type: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_type[row.type].append(row)
    if "CNAME" in by_type and len(rows) > 1:
        raise Conflicting("name", "CNAME record cannot exist beside other records of the same name", rows)
    dnames = by_type.get("DNAME", [])
    if len(dnames) > 1 or (dnames and "NS" in by_type and "SOA" not in by_type):
        raise Conflicting("name", "DNAME record cannot exist beside NS records or another DNAME of the same name", rows)
    for type_, found in by_type.items():
        if len(found) > 1:
            _check_duplicates(found)
        if sum(len(row.content) + _RECORD_BYTES for row in found) > _SMALL_SET_BYTES:
            size = sum(contents.wire_size(type_, row.content) + _RECORD_BYTES for row in found)
            if size > _MAX_SET_BYTES:
                raise Conflicting("content", f"the {type_} records of one name do not fit one DNS message", found)
    if len(json.dumps(rows)) > _MAX_NODE_BYTES:  # as it is stored: with non-ASCII letters escaped
        raise Conflicting("content", "too much content at one name", rows)


def _check_duplicates(rows: list[Row]) -> None:
    """Raise Conflicting for equivalent records among those of one type."""
    seen: dict[str, Row] = {}
    for row in rows:
        first = seen.setdefault(contents.canonical(row.type, row.content), row)
        if first is not row:
            raise Conflicting("content", "record exists already", [first, row])


def _unchanged(item: Any, previous_serial: int | None) -> Condition:
    """The condition that an item does not exist (None), or has last changed at this serial."""
    kind = type(item)
    condition: Condition = kind.pk.does_not_exist() if previous_serial is None else kind.serial == previous_serial
    return condition
