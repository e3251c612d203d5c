"""One machine's installation: everything in a data directory, DynamoDB's API on its SQLite file."""

import logging
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chalicelib import settings

if TYPE_CHECKING:
    from chalicelib.web.site import Site
    from standalone.storage.engine import Engine

_log = logging.getLogger(__name__)
_JOBS_EVERY = 1.0


def open_data(directory: Path) -> "Engine":
    """Let this process live on `directory`, which is made when it is not there; other processes may do the same.

    Returns what answers in place of DynamoDB. Raises OSError when the directory cannot be used.
    """
    os.umask(0o077)  # what is in there is nobody else's business
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    settings.install(
        replace(settings.current(), blobs=f"file:{directory / 'blobs'}", key_file=str(directory / "key"), kms_key="")
    )
    # Nothing is sent to AWS or signed for it; botocore only wants credentials before it makes a client.
    os.environ.update(dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "none"))
    os.environ.pop("AWS_PROFILE", None)

    from standalone.storage.engine import Engine
    from standalone.storage.hook import attach

    engine = Engine(directory / "tables.sqlite")
    attach(engine)

    from chalicelib.core import storage
    from standalone.tables import MODELS

    storage.create_tables(MODELS)
    return engine


def make_site(directory: Path, base_url: str | None, *, serves_dns: bool = False) -> "Site":
    """What a worker process of the server needs: the app on `directory`, and the jobs done beside it.

    `serves_dns` tells that a name server of ours answers for LuaDNS' zones.
    """
    open_data(directory)
    if serves_dns:
        settings.install(replace(settings.current(), luadns_engine="authoritative"))
    if base_url:
        settings.install(replace(settings.current(), base_url=base_url))

    from app import site

    threading.Thread(target=_do_jobs, name="jobs", daemon=True).start()
    return site


def _do_jobs() -> None:
    from chalicelib.core import jobs

    while True:
        try:
            jobs.promise_repeats()
            jobs.run_due()
        except Exception:  # the store may be away for a moment; the jobs wait
            _log.exception("jobs could not be run")
        time.sleep(_JOBS_EVERY)
