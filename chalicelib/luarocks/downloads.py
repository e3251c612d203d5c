"""Download counts of files: each download adds to the item of its file, and a job publishes them.

See core/catalogues/counters.py.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from pynamodb.expressions.update import Action

from chalicelib.core.catalogues import days
from chalicelib.core.catalogues.counters import CounterSet
from chalicelib.core.errors import Busy, Full
from chalicelib.core.storage import Contended, Transaction
from chalicelib.luarocks.entry import ModuleEntry
from chalicelib.luarocks.roots import RootFile
from chalicelib.luarocks.tables import DownloadCount, DownloadTally

FileCounts = dict[int, dict[str, int]]  # of a module: by version id, and by architecture or `rockspec`

_CLIENTS = ("luarocks", "luasocket", "wget", "curl")  # clients whose downloads count, as on luarocks.org
_log = logging.getLogger(__name__)


def count(file: RootFile, user_agent: str) -> None:
    """Count a download, if the User-Agent names a package manager or a script; signatures do not count.

    A count that fails does not fail the download.
    """
    agent = user_agent.lower()
    if file.is_signature or not any(client in agent for client in _CLIENTS):
        return
    module_id = file.module.value.id
    try:
        counters.count(str(module_id), _item(module_id, file.version.id, file.arch), _added(1))
    except (Busy, Full) as error:
        _log.warning("a download was not counted: %s", error.message)


def of(module: ModuleEntry) -> FileCounts:
    """The published counts of a module's files."""
    return counters.counts().get(str(module.id)) or {}


def total(module: ModuleEntry) -> int:
    """The published downloads of all files of a module's versions."""
    return total_of(module.id, [version.id for version in module.versions.values()])


def total_of(module_id: int, version_ids: Iterable[int]) -> int:
    """The published downloads of all files of these versions of a module."""
    counts = counters.counts().get(str(module_id)) or {}
    return sum(sum(counts[version_id].values()) for version_id in version_ids if version_id in counts)


def by_day(module: ModuleEntry) -> dict[str, int]:
    """The downloads of a module on each day with any, before today."""
    return days.of(counters.name, str(module.id))


def state() -> int:
    """A number that changes whenever published counts change."""
    return counters.counts().sequence


def delete(module_id: int, version_id: int | None = None) -> None:
    """Delete the counts of a deleted module or version."""
    below = DownloadCount.sk.startswith(f"{version_id}#") if version_id is not None else None
    with DownloadCount.batch_write() as batch:
        for item in DownloadCount.query(_pk(module_id), below):
            batch.delete(item)
    counters.mark(str(module_id))
    if version_id is None:
        days.delete(counters.name, str(module_id))


def move(module_id: int, version_id: int, arch: str, number: int) -> bool:
    """Include the downloads that a file had on another server; return whether the count changed. Safe to repeat.

    `number` is all of them, so a later call adds the difference.
    """
    item = _item(module_id, version_id, arch)
    stored = DownloadCount.find(item.pk, item.sk)
    before = int(stored.moved or 0) if stored else 0
    if before == number:
        return False
    is_same = DownloadCount.moved == before if before else DownloadCount.moved.does_not_exist()
    writes = Transaction()
    writes.update(item, [*_added(number - before), DownloadCount.moved.set(number)], is_same)
    writes.commit()
    counters.mark(str(module_id))
    return True


def publish() -> None:
    """The job: publish the counts of all modules with new downloads."""
    tallies = [tally for tally in DownloadTally.query("tallies", consistent_read=True) if _book(tally)]
    if tallies:
        counters.publish_things({str(module_id) for tally in tallies for module_id, *_ in tally.counts})
        with DownloadTally.batch_write() as batch:
            for tally in tallies:
                batch.delete(tally)
    counters.publish()


def _book(tally: DownloadTally) -> bool:
    """Add a tally of an older version, which counted in memory, once; return False if another process does it now."""
    writes = Transaction()
    for module_id, version_id, arch, number in tally.counts:
        writes.update(_item(module_id, version_id, arch), _added(number))
    writes.update(tally, [DownloadTally.added.set(True)], DownloadTally.added == False)  # noqa: E712
    try:
        if not tally.added:
            writes.commit()
    except Contended:
        return False
    return True


def _read(modules: Collection[str]) -> dict[str, FileCounts]:
    found = {module: _gather(DownloadCount.query(_pk(int(module)), consistent_read=True)) for module in modules}
    return {module: counts for module, counts in found.items() if counts}


def _everything() -> Iterator[tuple[str, FileCounts]]:
    partitions: dict[str, list[DownloadCount]] = defaultdict(list)
    for item in DownloadCount.scan(consistent_read=True):
        partitions[item.pk].append(item)
    for pk, items in partitions.items():
        yield pk.partition("#")[2], _gather(items)


def _gather(items: Iterable[DownloadCount]) -> FileCounts:
    counts: FileCounts = defaultdict(dict)
    for item in items:
        version_id, _, arch = item.sk.partition("#")
        counts[int(version_id)][arch] = int(item.number)
    return dict(counts)


def _item(module_id: int, version_id: int, arch: str) -> DownloadCount:
    return DownloadCount(_pk(module_id), f"{version_id}#{arch}")


def _added(number: int) -> list[Action]:
    return [DownloadCount.kind.set(DownloadCount), DownloadCount.number.add(number)]


def _pk(module_id: int) -> str:
    return f"downloads#{module_id}"


counters: CounterSet[FileCounts] = CounterSet(
    "luarocks",
    FileCounts,
    read=_read,
    everything=_everything,
    total=lambda counts: sum(sum(files.values()) for files in counts.values()),
)
