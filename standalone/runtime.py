"""One machine's installation: everything in a data directory, DynamoDB's API on its SQLite file."""

import gc
import logging
import os
import pwd
import shlex
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chalicelib import settings
from chalicelib.core import transport
from chalicelib.core.confinement import walls

if TYPE_CHECKING:
    from chalicelib.core.wakeups import Lane
    from chalicelib.web.site import Site
    from standalone.storage.engine import Engine

TABLES = "tables.sqlite"
LOCKS = "turns"
_SWITCH = 0.0005  # seconds until a thread that computes lets another one run; the default delays short requests

_COLLECTOR = (5_000, 10, 20)  # new objects until a collection, and collections until one of an older generation

_log = logging.getLogger(__name__)
_JOBS_EVERY = 1.0  # for jobs of other processes and repeating jobs; a job of this process wakes the thread


def open_data(directory: Path) -> "Engine":
    """Open a data directory, or create it, for this process; other processes can use it at the same time.

    Returns the engine, which executes DynamoDB operations from now on. Raises OSError if the directory is unusable.
    """
    os.umask(0o077)  # the files are private
    walls.hide_memory()  # and so are the keys that this process reads
    directory = directory.resolve()
    _refuse_foreign(directory)
    directory.mkdir(parents=True, exist_ok=True)
    blobs, key_file = f"file:{directory / 'blobs'}", str(directory / "key")
    settings.install(replace(settings.current(), blobs=blobs, key_file=key_file, kms_key="", queue=""))

    from app import SLICES
    from chalicelib.core import health, locks, registry, storage
    from standalone.storage import Engine, local_transport

    engine = Engine(directory / TABLES)
    transport.install(local_transport(engine))
    health.install("tables", engine.verify)

    locks.share(directory / LOCKS)
    storage.create_tables(registry.install(SLICES).models)
    return engine


def _refuse_foreign(directory: Path) -> None:
    """Raise PermissionError for root and another user's directory: that user's server could not read root's files.

    For a directory that does not exist yet, the nearest existing parent counts.
    """
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if os.geteuid() != 0 or (uid := existing.stat().st_uid) == 0:
        return
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = f"#{uid}"
    command = shlex.join(["sudo", "-u", user, *sys.argv])
    raise PermissionError(f"{existing} belongs to another user; run: {command}")


def is_new(directory: Path) -> bool:
    """Whether a data directory does not exist yet, or is empty."""
    return not (directory / TABLES).exists()


def check_data(directory: Path) -> None:
    """Open `directory`, check that it is writable, and close it. Raises OSError."""
    from chalicelib.core import sealing

    engine = open_data(directory)
    transport.install(None)
    engine.close()
    with tempfile.TemporaryFile(dir=directory):
        pass
    sealing.derived_key("links")


@contextmanager
def frozen(directory: Path, scratch: Path) -> Iterator[None]:
    """In the block, use a copy of the tables in `scratch`, which running servers do not change."""
    from standalone.storage import Engine, local_transport

    assert transport.current(), "open_data comes first"
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".tables-") as temporary:
        copy = Path(temporary) / TABLES
        with closing(sqlite3.connect(directory / TABLES)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        with closing(Engine(copy)) as engine, transport.override(local_transport(engine)):
            yield


def make_site(directory: Path, base_url: str | None, *, serves_dns: bool = False) -> "Site":
    """Open `directory` for a worker process of the server: return the app, and run jobs in a thread.

    `serves_dns` means that this server's own name server answers for LuaDNS' zones.
    """
    sys.setswitchinterval(_SWITCH)
    open_data(directory)
    if serves_dns and not settings.current().luadns_engine:
        settings.install(replace(settings.current(), luadns_engine="authoritative"))
    if base_url:
        settings.install(replace(settings.current(), base_url=base_url))

    from app import site

    _tune_collector()
    start_jobs()
    return site


def _tune_collector() -> None:
    """Let the garbage collector ignore what start-up has made, and run less often.

    A full collection stops all threads. With everything in it, it takes a tenth of a second during a bulk change, and
    all collections together take a seventh of such a request's CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTOR)


def start_jobs() -> None:
    """Run the jobs of the opened directory until the process ends, each lane in a thread of its own."""
    from chalicelib.core.wakeups import LANES

    for lane in LANES:
        threading.Thread(target=_run_jobs, args=(lane,), name=f"{lane}-jobs", daemon=True).start()


def _run_jobs(lane: "Lane") -> None:
    from chalicelib.core import job_runner, wakeups

    while True:
        try:
            if lane == "short":
                job_runner.enqueue_repeats()
            job_runner.run_due(lanes=(lane,))
        except Exception:  # the store can be unavailable for a moment; the jobs stay enqueued
            _log.exception("jobs could not be run")
        wakeups.wait(_JOBS_EVERY, lane)
