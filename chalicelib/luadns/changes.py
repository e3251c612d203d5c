"""Changing a zone: what is decided on its serial is written on condition that it still stands there."""

import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar, cast

from pynamodb.expressions.condition import Condition

from chalicelib import settings
from chalicelib.core import audit, blobs
from chalicelib.core.errors import Busy, Forbidden
from chalicelib.core.storage import Contended, Transaction
from chalicelib.luadns import contents, engines, journal, store
from chalicelib.luadns.journal import Write
from chalicelib.luadns.problems import refuse
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import LuaDnsItem, Node, Record, Zone, node_sk, record_sk

T = TypeVar("T")
TRIES = 20
_COUNTED = {"ALIAS": "aliases_count", "REDIRECT": "redirects_count", "FORWARD": "forwards_count"}
_LARGEST_NODE = 300_000  # bytes; an item holds 400 KB
_changing = [threading.Lock() for _ in range(64)]


def retried(zone_id: int, once: Callable[[], T]) -> T:
    """Decide and write, again when somebody else changed the zone meanwhile. Raises Busy after `TRIES`.

    Within a process the changes of a zone wait for each other; between processes they try again.
    """
    for attempt in range(TRIES):
        with _changing[zone_id % len(_changing)]:
            try:
                return once()
            except Contended:
                pass
        time.sleep(random.uniform(0, min(0.02 * 2**attempt, 0.5)))  # noqa: S311
    raise Busy("Too many changes of this zone at once.", retry_after=2)


class Row(NamedTuple):
    """A record as its node has it; `ttl` in seconds."""

    id: int
    type: str
    content: str
    ttl: int


class Edit:
    """A zone, and what is to become of it. Names are absolute, with their last dot, in any letter case.

    `nodes` are those that have been read already, by sort key; None where there is none.
    """

    def __init__(self, zone: Zone, nodes: Mapping[str, LuaDnsItem | None] | None = None, *, new: bool = False) -> None:
        self.zone = zone
        self._new = new
        self._before = int(zone.serial)
        self._count = int(zone.records_count)
        self._at = datetime.now(UTC)
        self._serial = self._before if new else max(int(self._at.timestamp()), self._before + 1)
        self._nodes = cast(dict[str, Node | None], dict(nodes or {}))
        self._rows: dict[str, list[Row]] = {}
        self._records: dict[int, Write] = {}

    def load(self, names: Iterable[str]) -> None:
        """Read the nodes at some names, a hundred in a call."""
        missing = {self._sk(name) for name in names} - self._nodes.keys()
        if missing:
            found = {} if self._new else store.nodes(self.zone, missing)
            self._nodes.update({sk: found.get(sk) for sk in missing})

    def rows(self, name: str) -> list[Row]:
        """The records at a name."""
        sk = self._sk(name)
        if sk not in self._rows:
            self.load([name])
            self._rows[sk] = self._stored_rows(sk)
        return self._rows[sk]

    def add(self, number: int, name: str, type: str, content: str, ttl: int, external_id: str | None) -> Record:
        """Make a record."""
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
        self._place(record, None)
        return record

    def replace(self, record: Record, **values: Any) -> None:
        """Give a record other values."""
        before = int(record.serial)
        self._take(record)
        for name, value in {**values, "serial": self._serial, "updated_at": self._at}.items():
            setattr(record, name, value)
        self._place(record, before)

    def remove(self, record: Record) -> None:
        """Drop a record."""
        self._take(record)
        self._records[int(record.id)] = Write(record, int(record.serial), gone=True)

    def commit(self, owner: Owner, action: str, writes: Transaction | None = None, **detail: Any) -> None:
        """Write it all or nothing; `writes` may hold what belongs to it.

        Raises Invalid or Forbidden for what a zone may not be, and Contended when it is not any more what it was.
        """
        if not self._records:
            return
        most = settings.current().luadns_max_records
        if self.zone.records_count > max(most, self._count):
            raise Forbidden(f"A zone has at most {most} records.")
        writes = writes or Transaction()
        self.zone.serial = self._serial
        self._write(writes, [*self._records.values(), *self._node_writes()])
        subject = f"zone#{int(self.zone.id)}"
        writes.put(audit.entry(owner.account_id, action, subject, owner.caller, zone=self.zone.name, **detail))
        engines.current().zone_changed(writes, self.zone)
        try:
            writes.commit()
        except Contended:
            if self.zone.journal:
                blobs.delete(self.zone.journal)
            raise
        if self.zone.journal:
            with suppress(Busy):  # it is decided; whoever comes next, or the job, goes on with it
                journal.settle(self.zone)

    def _write(self, writes: Transaction, items: list[Write]) -> None:
        """The zone, and what changes of it: at once, or in a journal when it is much."""
        if journal.fits(items):
            for item, before, gone in items:
                (writes.delete if gone else writes.put)(item, _stands(item, before))
        else:
            self.zone.journal = journal.begin(writes, self.zone, items)
        if self._new:
            writes.create(self.zone)
            return
        moved = ("serial", "records_count", *_COUNTED.values())
        values: dict[str, Any] = {name: getattr(self.zone, name) for name in moved}
        if self.zone.journal:
            values["journal"] = self.zone.journal
        unchanged = (Zone.serial == self._before) & Zone.journal.does_not_exist()
        writes.update(self.zone, self.zone.assign(**values, updated_at=self._at), unchanged)

    def _node_writes(self) -> Iterator[Write]:
        for sk, rows in self._rows.items():
            old = self._nodes.get(sk)
            if rows != self._stored_rows(sk):
                _check(rows)
                node = Node(self.zone.pk, sk, records=[list(row) for row in rows], serial=self._serial)
                yield Write(node, int(old.serial) if old else None, gone=not rows)

    def _place(self, record: Record, before: int | None) -> None:
        self._records[int(record.id)] = Write(record, before, gone=False)
        self.rows(record.name).append(Row(int(record.id), record.type, record.content, int(record.ttl)))
        self._count_one(record, 1)

    def _take(self, record: Record) -> None:
        rows = self.rows(record.name)
        rows[:] = [row for row in rows if row.id != record.id]
        self._count_one(record, -1)

    def _count_one(self, record: Record, by: int) -> None:
        for counter in ("records_count", _COUNTED.get(record.type)):
            if counter:
                setattr(self.zone, counter, getattr(self.zone, counter) + by)

    def _sk(self, name: str) -> str:
        return node_sk(int(self.zone.id), name.lower())

    def _stored_rows(self, sk: str) -> list[Row]:
        node = self._nodes.get(sk)
        return [Row(*row) for row in node.records] if node else []


def _check(rows: list[Row]) -> None:
    """Raises Invalid for records that cannot stand at one name together."""
    by_type: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_type[row.type].append(row.content)
    if "CNAME" in by_type and len(rows) > 1:
        raise refuse("name", "CNAME record cannot exist beside other records of the same name")
    for type_, alike in by_type.items():
        if len(alike) > 1 and len({contents.canonical(type_, content) for content in alike}) < len(alike):
            raise refuse("content", "record exists already")
    if len(json.dumps(rows)) > _LARGEST_NODE:  # as it is stored, other letters than ASCII escaped
        raise refuse("content", "too much content at one name")


def _stands(item: Any, before: int | None) -> Condition:
    """That an item is still what it was: not there, or last changed at this serial."""
    kind = type(item)
    stands: Condition = kind.pk.does_not_exist() if before is None else kind.serial == before
    return stands
