"""The SQLite file: connections, transactions, and the rows for tables, items and their places.

A place is the key of an item in a table or an index, as bytes; see `tables.Relation`.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from standalone.storage.errors import DynamoError
from standalone.storage.tables import Interval, Relation, TableDefinition, table_from
from standalone.storage.values import Item, from_json, to_json

# The layout of the file, in SQLite's application_id: "MB" and a number that increases with every layout.
FORMAT = 0x4D42_0001
SCHEMA = f"""
CREATE TABLE definitions (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, definition BLOB NOT NULL);
CREATE TABLE items (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE places (place BLOB PRIMARY KEY, item INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE tokens (token TEXT PRIMARY KEY, used REAL NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {FORMAT};
"""
FETCH = "SELECT items.id, size, body FROM places JOIN items ON items.id = item WHERE place = ?"
WALK = FETCH.replace("place = ?", "place >= ? AND place < ? ORDER BY place")
BUSY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item in the file: its row id, its size by DynamoDB's rules, and its attributes."""

    row: int
    size: int
    item: Item


class Database:
    """One file, shared by the threads of this process and by other processes.

    A connection is used by one transaction at a time and then returned to a pool, independent of threads. Connections
    must not be used after a fork: open the database in the child.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises OSError if it cannot be used or has an unknown layout."""
        self.path = path
        self.pool: deque[sqlite3.Connection] = deque()
        self.watchers: deque[sqlite3.Connection] = deque()
        self.closed = False
        # SQLite's writers poll for the file lock; within a process they wait for this lock instead.
        self.write_lock = Lock()
        self.cached_tables: tuple[int, dict[str, TableDefinition]] = (-1, {})
        try:
            with self.writing() as store:
                store.set_up(path)
        except sqlite3.Error as error:
            raise OSError(f"{path} cannot be used: {error}") from error

    def reading(self) -> AbstractContextManager["Store"]:
        """A transaction of reads of one snapshot."""
        return self.transaction(nullcontext(), "BEGIN DEFERRED")

    def writing(self, *, durable: bool = False) -> AbstractContextManager["Store"]:
        """A transaction of reads and writes; it is rolled back if the block raises.

        A committed transaction survives kill -9. A `durable` one also survives a power cut, together with all earlier
        ones, because its commit waits for the disk. See docs/decisions/0004-storage-engine.md.
        """
        return self.transaction(
            self.write_lock, f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}", "BEGIN IMMEDIATE"
        )

    @contextmanager
    def transaction(self, lock: AbstractContextManager[Any], *beginning: str) -> Iterator["Store"]:
        with lock:
            db = self.connection()
            try:
                for statement in beginning:
                    db.execute(statement)
                yield Store(self, db)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # SQLite has already rolled it back if the disk is full
                    db.execute("ROLLBACK")
                raise
            finally:
                self.pool.append(db)
                if self.closed:
                    self.close()

    def connection(self) -> sqlite3.Connection:
        if self.closed:
            raise sqlite3.ProgrammingError("the database is closed")
        with suppress(IndexError):
            return self.pool.pop()
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error:
            db.close()
            raise
        return db

    def watch(self) -> Callable[[], int]:
        """Return a function whose result changes with every commit of any process; it reads no rows."""
        db, lock = self.connection(), Lock()
        self.watchers.append(db)

        def state() -> int:
            with lock:
                number: int = db.execute("PRAGMA data_version").fetchone()[0]
                return number

        return state

    def verify(self) -> None:
        """Read all pages. Raises DatabaseError if the file is damaged."""
        with self.reading() as store:
            problems = [row[0] for row in store.db.execute("PRAGMA quick_check(3)")]
        if problems != ["ok"]:
            raise sqlite3.DatabaseError("; ".join(problems))

    def close(self) -> None:
        self.closed = True
        for connections in (self.pool, self.watchers):
            while connections:
                connections.pop().close()


class Store:
    """The reads and writes of one transaction."""

    def __init__(self, database: Database, db: sqlite3.Connection) -> None:
        self.database = database
        self.db = db
        self.defining = False

    def set_up(self, path: Path) -> None:
        found = self.number("application_id")
        if found == 0 and not self.db.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in SCHEMA.split(";"):
                self.db.execute(statement)
        elif found >> 16 == FORMAT >> 16 and found > FORMAT:
            raise OSError(f"{path} was written by a newer version of Moonbase than this one")
        elif found != FORMAT:
            raise OSError(f"{path} was not written by a version of Moonbase that this one understands")

    def number(self, pragma: str) -> int:
        value: int = self.db.execute(f"PRAGMA {pragma}").fetchone()[0]
        return value

    def tables(self) -> dict[str, TableDefinition]:
        """All tables by name. SQLite's user_version counts changes of the definitions, so that the next call notices
        a change by another process."""
        version = self.number("user_version")
        cached_version, tables = self.database.cached_tables
        if version != cached_version:
            rows = self.db.execute("SELECT id, definition, name FROM definitions ORDER BY name")
            tables = {name: table_from(number, orjson.loads(body)) for number, body, name in rows}
            if not self.defining:  # other transactions must not use uncommitted definitions
                self.database.cached_tables = (version, tables)
        return tables

    def table(self, name: str) -> TableDefinition:
        table = self.tables().get(name)
        if table is None:
            raise DynamoError("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")
        return table

    def define(self, definition: dict[str, Any]) -> TableDefinition:
        """Create a table, or change its definition."""
        name = definition["TableName"]
        self.db.execute(
            "INSERT INTO definitions (name, definition) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET definition = excluded.definition",
            (name, orjson.dumps(definition)),
        )
        self.definitions_changed()
        return self.table(name)

    def drop(self, table: TableDefinition) -> None:
        self.db.execute(
            "DELETE FROM items WHERE id IN (SELECT item FROM places WHERE place >= ? AND place < ?)", table.whole
        )
        self.db.execute("DELETE FROM places WHERE place >= ? AND place < ?", table.whole)
        self.db.execute("DELETE FROM definitions WHERE name = ?", (table.name,))
        self.definitions_changed()

    def definitions_changed(self) -> None:
        self.defining = True
        self.db.execute(f"PRAGMA user_version = {self.number('user_version') + 1}")

    def fetch(self, place: bytes) -> StoredItem | None:
        row = self.db.execute(FETCH, (place,)).fetchone()
        return StoredItem(row[0], row[1], from_json(row[2])) if row else None

    def walk(self, interval: Interval, *, forward: bool = True) -> Iterator[StoredItem]:
        for row, size, body in self.db.execute(WALK if forward else WALK + " DESC", interval):
            yield StoredItem(row, size, from_json(body))

    def count(self, relation: Relation) -> int:
        counted = self.db.execute("SELECT count(*) FROM places WHERE place >= ? AND place < ?", relation.whole)
        number: int = counted.fetchone()[0]
        return number

    def save(
        self, stored: StoredItem | None, item: Item | None, size: int, old: Collection[bytes], new: Collection[bytes]
    ) -> None:
        """Insert, replace or delete (None) an item, and move it from its old places to the new ones."""
        row = stored.row if stored else None
        if item is None:
            self.db.execute("DELETE FROM items WHERE id = ?", (row,))
        elif stored is None:
            row = self.db.execute("INSERT INTO items (size, body) VALUES (?, ?)", (size, to_json(item))).lastrowid
        else:
            self.db.execute("UPDATE items SET size = ?, body = ? WHERE id = ?", (size, to_json(item), row))
        if left := [(place,) for place in old if place not in new]:
            self.db.executemany("DELETE FROM places WHERE place = ?", left)
        if entered := [(place, row) for place in new if place not in old]:
            self.db.executemany("INSERT INTO places VALUES (?, ?)", entered)

    def set_time_to_live(self, table: TableDefinition, attribute: str | None) -> None:
        """Index all items by their time to live, or delete that index (None)."""
        index = self.define({**table.definition, "TimeToLive": attribute}).time_to_live
        if index is None:
            assert table.time_to_live is not None
            self.db.execute("DELETE FROM places WHERE place >= ? AND place < ?", table.time_to_live.whole)
            return
        for stored in self.walk(table.primary.whole):
            if place := index.place(stored.item):
                self.db.execute("INSERT INTO places VALUES (?, ?)", (place, stored.row))

    def record_token(self, token: str, digest: bytes, since: float) -> bytes | None:
        """Return the digest that was stored for a token since that epoch second; store `digest` if there is none."""
        row = self.db.execute("SELECT digest FROM tokens WHERE token = ? AND used >= ?", (token, since)).fetchone()
        if row is None:
            self.db.execute("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?)", (token, time.time(), digest))
        return row[0] if row else None

    def delete_tokens(self, before: float) -> None:
        self.db.execute("DELETE FROM tokens WHERE used < ?", (before,))
