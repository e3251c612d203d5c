"""One machine's installation: everything in a data directory, DynamoDB's API on its SQLite file."""

import logging
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chalicelib import settings
from chalicelib.core import transport

if TYPE_CHECKING:
    from chalicelib.web.site import Site
    from standalone.storage.engine import Engine

TABLES = "tables.sqlite"
LOCKS = "turns"

_log = logging.getLogger(__name__)
_JOBS_EVERY = 1.0  # what this process promises is done at once; this is for other processes and for the clock


def open_data(directory: Path) -> "Engine":
    """Let this process live on `directory`, which is made when it is not there; other processes may do the same.

    Returns the engine that answers from now on. Raises OSError when the directory cannot be used.
    """
    os.umask(0o077)  # what is in there is nobody else's business
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    blobs, key_file = f"file:{directory / 'blobs'}", str(directory / "key")
    settings.install(replace(settings.current(), blobs=blobs, key_file=key_file, kms_key="", queue=""))

    from app import SLICES
    from chalicelib.core import locks, registry, storage
    from standalone.storage import Engine, local_transport

    engine = Engine(directory / TABLES)
    transport.install(local_transport(engine))

    locks.share(directory / LOCKS)
    storage.create_tables(registry.install(SLICES).models)
    return engine


def check_data(directory: Path) -> None:
    """Open `directory`, see that it can be written, and let go of it. Raises OSError."""
    from chalicelib.core import sealing

    engine = open_data(directory)
    transport.install(None)
    engine.close()
    with tempfile.TemporaryFile(dir=directory):
        pass
    sealing.derived_key("links")


@contextmanager
def frozen(directory: Path, scratch: Path) -> Iterator[None]:
    """Let this process see the tables as they are at this moment, by a copy below `scratch`; servers go on."""
    from standalone.storage import Engine, local_transport

    assert transport.current(), "the data are open"
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".tables-") as place:
        copy = Path(place) / TABLES
        with closing(sqlite3.connect(directory / TABLES)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        with closing(Engine(copy)) as engine, transport.override(local_transport(engine)):
            yield


def make_site(directory: Path, base_url: str | None, *, serves_dns: bool = False) -> "Site":
    """What a worker process of the server needs: the app on `directory`, and the jobs done beside it.

    `serves_dns` tells that a name server of ours answers for LuaDNS' zones.
    """
    open_data(directory)
    if serves_dns and not settings.current().luadns_engine:
        settings.install(replace(settings.current(), luadns_engine="authoritative"))
    if base_url:
        settings.install(replace(settings.current(), base_url=base_url))

    from app import site

    start_jobs()
    return site


def start_jobs() -> None:
    """Let a thread of this process run the jobs of the opened data until the process ends."""
    threading.Thread(target=_do_jobs, name="jobs", daemon=True).start()


def _do_jobs() -> None:
    from chalicelib.core import jobs

    while True:
        try:
            jobs.enqueue_repeats()
            jobs.run_due()
        except Exception:  # the store may be away for a moment; the jobs wait
            _log.exception("jobs could not be run")
        jobs.wait(_JOBS_EVERY)
