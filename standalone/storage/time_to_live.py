"""Time to live: its settings of a table, and the removal of what has outlived it."""

import sqlite3
import time
from typing import Any

import orjson

from standalone.storage.database import Database, Stored, definitions_changed, expiry
from standalone.storage.errors import invalid
from standalone.storage.tables import Table
from standalone.storage.writes import Change, Target, save

SWEEP_ITEMS = 1000
# DynamoDB leaves alone what expired longer ago than this, as the mark of a wrong unit.
OLDEST_EXPIRY = 5 * 365 * 24 * 3600


def update_time_to_live(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    wanted = params["TimeToLiveSpecification"]
    name, enabled = wanted["AttributeName"], wanted["Enabled"]
    with database.writing() as db:
        table = database.table(db, params["TableName"])
        if enabled == (table.time_to_live is not None):
            raise invalid(f"TimeToLive is already {'enabled' if enabled else 'disabled'}")
        if not enabled and name != table.time_to_live:
            raise invalid(
                f"TimeToLive is active on a different AttributeName: current AttributeName is {table.time_to_live}"
            )
        definition = {**table.definition, "TimeToLive": name if enabled else None}
        db.execute("UPDATE definitions SET definition = ? WHERE id = ?", (orjson.dumps(definition), table.id))
        definitions_changed(db)
        note_expiry(db, database.table(db, table.name))
    return {"TimeToLiveSpecification": wanted}


def note_expiry(db: sqlite3.Connection, table: Table) -> None:
    rows = db.execute("SELECT id, body FROM items WHERE table_id = ?", (table.id,)).fetchall()
    times = [(expiry(table, orjson.loads(body)), row) for row, body in rows]
    db.executemany("UPDATE items SET expires = ? WHERE id = ?", times)


def describe_time_to_live(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    with database.reading() as db:
        attribute = database.table(db, params["TableName"]).time_to_live
    if attribute is None:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}}


def remove_expired(database: Database, db: sqlite3.Connection) -> None:
    now = time.time()
    tables = {table.id: table for table in database.all_tables(db).values()}
    rows = db.execute(
        "SELECT table_id, id, size, body FROM items WHERE expires > ? AND expires <= ? LIMIT ?",
        (now - OLDEST_EXPIRY, now, SWEEP_ITEMS),
    ).fetchall()
    for table_id, *row in rows:
        table, stored = tables[table_id], Stored(*row)
        item = stored.item()
        save(db, Change(Target(table, table.position(item), item), stored, item, None, 0))
