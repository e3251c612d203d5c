"""Download counts: collected in memory, and added up every few minutes.

A process writes its counts at most every `WRITE_AFTER` seconds from a separate thread, so a download makes no call for
its count; a process that is killed loses the counts of that time. A job adds up the counts of all processes, and
updates the catalogue with one change.
"""

import atexit
import logging
import secrets
import threading
import time
from collections import Counter
from itertools import islice

from chalicelib.core.catalogue import Changes
from chalicelib.core.errors import CoreError
from chalicelib.core.snapshots import Snapshot
from chalicelib.core.storage import Contended, Transaction
from chalicelib.luarocks import index, items
from chalicelib.luarocks.entry import ModuleEntry, with_downloads
from chalicelib.luarocks.items import Counts
from chalicelib.luarocks.roots import RootFile
from chalicelib.luarocks.tables import DownloadCount, DownloadTally

WRITE_AFTER = 30.0
ADD_UP_EVERY = 300
_CLIENTS = ("luarocks", "luasocket", "wget", "curl")  # clients whose downloads count, as on luarocks.org
_MOST_COUNTS = 90  # in one tally, which is added in one transaction of at most 100 writes
_log = logging.getLogger(__name__)


Counted = tuple[int, int, str]  # module id, version id, architecture or `rockspec`


class _Counts:
    """The counts of this process that are not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Counted] = Counter()
        self._timer: threading.Timer | None = None

    def add(self, counted: Counted, number: int = 1) -> None:
        """Add to the count of a file, and schedule the next write."""
        with self._lock:
            self._counts[counted] += number
            if self._timer is None:
                self._timer = threading.Timer(WRITE_AFTER, write)
                self._timer.daemon = True
                self._timer.start()

    def drain(self) -> Counter[Counted]:
        """Return all counts and reset them."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            counts, self._counts, self._timer = self._counts, Counter(), None
        return counts


_counts = _Counts()


def count(file: RootFile, user_agent: str) -> None:
    """Count a download, if the User-Agent names a package manager or a script; signatures do not count."""
    agent = user_agent.lower()
    if not file.is_signature and any(client in agent for client in _CLIENTS):
        _counts.add((file.module.value.id, file.version.id, file.arch))


def write() -> None:
    """Write the counts of this process; counts that cannot be written are kept for the next write."""
    counts = _counts.drain()
    rest = iter(counts.items())
    while part := list(islice(rest, _MOST_COUNTS)):
        tally = DownloadTally("tallies", f"{time.time():017.6f}#{secrets.token_hex(4)}")
        tally.counts = [[*counted, number] for counted, number in part]
        try:
            tally.save()
        except CoreError as error:
            _log.warning("downloads are not written yet: %s", error.message)
            for counted, number in (*part, *rest):
                _counts.add(counted, number)


def discard() -> None:
    """Drop the counts of this process that are not written yet."""
    _counts.drain()


def add_up() -> None:
    """Add up the written counts, and update the catalogue.

    A tally is added and marked in one transaction, and deleted after the catalogue has its counts, so a crash neither
    loses nor doubles counts.
    """
    write()
    added = []
    for tally in DownloadTally.query("tallies", consistent_read=True):
        try:
            if not tally.added:
                _add(tally)
        except Contended:  # another process adds it
            continue
        added.append(tally)
    touched = {module_id for tally in added for module_id, *_ in tally.counts}
    counts = {module_id: _counts_of(module_id) for module_id in touched}

    def changes(snapshot: Snapshot[ModuleEntry]) -> Changes[ModuleEntry]:
        entries = [entry for entry in snapshot.entries.values() if entry.value.id in counts]
        return {entry.key: with_downloads(entry.value, counts[entry.value.id]) for entry in entries}

    index.catalogue.refresh(changes, modifies=False)
    with DownloadTally.batch_write() as batch:
        for tally in added:
            batch.delete(tally)


def _add(tally: DownloadTally) -> None:
    writes = Transaction()
    for module_id, version_id, arch, number in tally.counts:
        item = DownloadCount(f"downloads#{module_id}", f"{version_id}#{arch}")
        writes.update(item, [DownloadCount.kind.set(DownloadCount), DownloadCount.number.add(number)])
    writes.update(tally, [DownloadTally.added.set(True)], DownloadTally.added == False)  # noqa: E712
    writes.commit()


def _counts_of(module_id: int) -> Counts:
    """All counts of a module, by version id and arch."""
    counts: Counts = {}
    for item in index.downloads_of(module_id):
        items.count(counts, item)
    return counts


@atexit.register
def _write_at_exit() -> None:
    try:
        write()
    except Exception as error:  # the storage may be closed already
        _log.warning("the last downloads are lost: %s", type(error).__name__)
