"""The SQLite file: connections, transactions, and the rows that items and index entries are."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import orjson

from standalone.storage.tables import NUMBERS_PER_TABLE, Position, Table, not_found, table_from
from standalone.storage.values import Item

# FULL, not NORMAL: with NORMAL a commit outlives kill -9 but not a power cut, and an acknowledged
# write must outlive both. It costs one fsync of the log a commit.
SETUP = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
"""
SCHEMA = """
CREATE TABLE IF NOT EXISTS definitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, definition BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS items (
    id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, size INTEGER NOT NULL, expires INTEGER, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS items_expiring ON items (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS entries (
    relation INTEGER, hash BLOB, range BLOB, owner BLOB, item INTEGER NOT NULL,
    PRIMARY KEY (relation, hash, range, owner)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY, used REAL NOT NULL, digest BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tokens_used ON tokens (used);
"""
BUSY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Stored:
    """An item as it lies in the file."""

    id: int
    size: int
    body: bytes

    def item(self) -> Item:
        item: Item = orjson.loads(self.body)
        return item


class Database:
    """One file, shared by the threads of this process and by other processes.

    A connection belongs to one call at a time and goes back to a pool, so threads may come and go.
    It must not be carried across a fork: open the database in the child.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pool: deque[sqlite3.Connection] = deque()
        self.watching: deque[sqlite3.Connection] = deque()
        self.closed = False
        # SQLite lets waiting writers poll; within a process they queue here instead.
        self.turn = Lock()
        self.tables: tuple[int, dict[str, Table]] = (-1, {})
        with self.writing() as db:
            for statement in SCHEMA.split(";"):
                db.execute(statement)

    def open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        db.executescript(SETUP)
        return db

    def borrow(self) -> sqlite3.Connection:
        if self.closed:
            raise sqlite3.ProgrammingError("the database is closed")
        with suppress(IndexError):
            return self.pool.pop()
        return self.open()

    def release(self, db: sqlite3.Connection) -> None:
        self.pool.append(db)
        if self.closed:
            self.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        db = self.borrow()
        try:
            yield db
        finally:
            self.release(db)

    @contextmanager
    def transaction(self, db: sqlite3.Connection, mode: str) -> Iterator[None]:
        db.execute(f"BEGIN {mode}")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Several reads of one moment."""
        with self.reading() as db, self.transaction(db, "DEFERRED"):
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        with self.turn, self.reading() as db, self.transaction(db, "IMMEDIATE"):
            yield db

    def watch(self) -> Callable[[], int]:
        """A function that tells a number, another one after every commit of any process, without reading a row."""
        db, turn = self.open(), Lock()
        self.watching.append(db)

        def state() -> int:
            with turn:
                number: int = db.execute("PRAGMA data_version").fetchone()[0]
                return number

        return state

    def close(self) -> None:
        self.closed = True
        for kept in (self.pool, self.watching):
            while kept:
                kept.pop().close()

    def all_tables(self, db: sqlite3.Connection) -> dict[str, Table]:
        """Every table by name. SQLite's user_version counts changes to the definitions, so that
        one made by another process is noticed at the next call."""
        version = db.execute("PRAGMA user_version").fetchone()[0]
        known, tables = self.tables
        if version != known:
            rows = db.execute("SELECT id, definition, name FROM definitions ORDER BY name")
            tables = {name: table_from(number, orjson.loads(body)) for number, body, name in rows}
            self.tables = (version, tables)
        return tables

    def table(self, db: sqlite3.Connection, name: str) -> Table:
        table = self.all_tables(db).get(name)
        if table is None:
            raise not_found(name)
        return table


def definitions_changed(db: sqlite3.Connection) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute(f"PRAGMA user_version = {version + 1}")


def fetch(db: sqlite3.Connection, place: Position) -> Stored | None:
    row = db.execute(
        "SELECT items.id, size, body FROM entries JOIN items ON items.id = item"
        " WHERE relation = ? AND hash = ? AND range = ? AND owner = ?",
        place,
    ).fetchone()
    return Stored(*row) if row else None


def insert(db: sqlite3.Connection, table: Table, size: int, item: Item) -> int:
    values = (table.id, size, expiry(table, item), orjson.dumps(item))
    cursor = db.execute("INSERT INTO items (table_id, size, expires, body) VALUES (?, ?, ?, ?)", values)
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def overwrite(db: sqlite3.Connection, table: Table, row: int, size: int, item: Item) -> None:
    values = (size, expiry(table, item), orjson.dumps(item), row)
    db.execute("UPDATE items SET size = ?, expires = ?, body = ? WHERE id = ?", values)


def place_entries(db: sqlite3.Connection, row: int, old: list[Position], new: list[Position]) -> None:
    for place in old:
        if place not in new:
            db.execute("DELETE FROM entries WHERE relation = ? AND hash = ? AND range = ? AND owner = ?", place)
    for place in new:
        if place not in old:
            db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", (*place, row))


def expiry(table: Table, item: Item) -> int | None:
    """The epoch second an item's TTL attribute names, if it names one that SQLite can hold."""
    text = item.get(table.time_to_live or "", {}).get("N")
    seconds = int(text.partition(".")[0]) if text else 0
    return seconds if 0 < seconds < 2**62 else None


def drop_rows(db: sqlite3.Connection, table: Table) -> None:
    first = table.primary.number
    db.execute("DELETE FROM items WHERE id IN (SELECT item FROM entries WHERE relation = ?)", (first,))
    db.execute("DELETE FROM entries WHERE relation >= ? AND relation < ?", (first, first + NUMBERS_PER_TABLE))
