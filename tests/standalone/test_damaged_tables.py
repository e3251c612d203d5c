"""A damaged file of tables is found by the health check, and is no internal error for clients."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from standalone.runtime import TABLES
from tests.servers import serving


def test_the_deep_health_check_finds_a_damaged_page(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, "--workers", "1") as server:
        key = server.make_key("alice")
        for number in range(1, 25):
            assert server.upload_rockspec(key, f"{number}.0-1")[0] == 200
        assert server.get("/healthz?deep=1") == (200, b'{"status":"ok","checks":{"confinement":"ok","tables":"ok"}}')
    damage(data / TABLES)
    with serving(data, "--workers", "1") as server:
        assert server.get("/healthz?deep=1") == (
            503,
            b'{"status":"failed","checks":{"confinement":"ok","tables":"failed"}}',
        )
        log = (tmp_path / "server.log").read_text()
        assert "the health check of tables failed" in log
        assert server.get(f"/api/1/{key}/status")[0] == 200


def damage(file: Path) -> None:
    """Overwrite the last pages of the file."""
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE unread (data BLOB)")  # in the last pages, which no request reads
        db.executemany("INSERT INTO unread VALUES (zeroblob(3000))", [()] * 20)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all pages into the file itself
    with file.open("r+b") as tables:
        tables.seek(-3 * 4096, os.SEEK_END)
        tables.write(os.urandom(3 * 4096))
