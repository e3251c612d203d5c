"""The verification of the whole log: its tree, its signatures, and that it has every file that the services serve."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from chalicelib.core import blobs, events, registry
from chalicelib.core.declaration import Inconsistency, ServedFile
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.transparency import entries, keys, log, notes, tree
from chalicelib.core.transparency.tables import LogEntry, LogOpening

KIND = "log"
_LATE = timedelta(hours=1)


@dataclass
class Verified:
    """What a verification has read."""

    entries: int = 0
    files: int = 0
    published: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))  # hashes by work
    unnamed: set[tuple[str, str]] = field(default_factory=set)  # services and hashes of entries without an opening


def verify(seen: Verified, since: str | None = None) -> Iterator[Inconsistency]:
    """Yield what is wrong with the log and the served files. `since` is an older checkpoint. Raises Invalid for it."""
    known = [keys.verifier(key) for key in keys.stored()]
    older = notes.verified(since, known) if since is not None else None
    head = log.find_head()
    if head is None:
        if older and older.size:
            yield _wrong("checkpoint", f"the log is empty and had {older.size} entries")
        return
    try:
        newest = notes.verified(head.checkpoint, known)
    except Invalid as error:
        yield _wrong("checkpoint", str(error))
        return
    if older and older.size > newest.size:
        yield _wrong("checkpoint", f"the log has {newest.size} entries and had {older.size}")
    yield from _check_tree(seen, newest, older)
    yield from compare_events()
    yield from _check_files(seen)


def compare_events() -> Iterator[Inconsistency]:
    """Compare the published events with the entries: a check of fsck. Events of the last hour may have none yet."""
    head = log.find_head()
    size = int(head.size) if head else 0
    late = datetime.now(UTC) - _LATE
    following = log.every()
    entry = next(following, None)
    for event in events.every():
        if not 0 < event.number <= size:
            if event.at < late:
                yield _wrong(f"{event.service} {event.name}", "a published event has no entry in the log")
            continue
        index = event.number - 1
        while entry and int(entry.id) < index:
            entry = next(following, None)
        if entry is None or int(entry.id) != index:
            yield _wrong(f"entry {index}", "is missing")
            continue
        body = json.loads(entry.body)
        is_same = (body["service"], body["kind"], body["action"]) == (event.service, event.kind, event.action)
        if not is_same or body.get("name", event.name) != event.name:
            yield _wrong(f"entry {index}", "is about something else than the published event")


def _check_tree(seen: Verified, newest: notes.Checkpoint, older: notes.Checkpoint | None) -> Iterator[Inconsistency]:
    """Compare the entries with the tiles and with both checkpoints, and collect the files that they name."""
    growing, leaves = tree.GrowingTree(), bytearray()
    for entry in log.every():
        if int(entry.id) != growing.size or entry.sk != entries.sk_of(growing.size):
            yield _wrong(f"entry {growing.size}", "is missing")
            return
        leaf = tree.leaf_hash(bytes(entry.body))
        growing.append(leaf)
        leaves += leaf
        _collect(seen, entry)
        if older and growing.size == older.size and growing.root != older.root:
            yield _wrong("checkpoint", f"the first {older.size} entries are not those of the older checkpoint")
        if growing.size == newest.size and growing.root != newest.root:
            yield _wrong("checkpoint", f"the first {newest.size} entries have another root")
    seen.entries = growing.size
    if growing.size < newest.size:
        yield _wrong("checkpoint", f"it has {newest.size} entries, of which {growing.size} are stored")
    yield from _check_tiles(bytes(leaves), newest.size)


def _check_tiles(leaves: bytes, size: int) -> Iterator[Inconsistency]:
    """Compare every stored tile with the one that the entries make."""
    level = tree.split(leaves[: size * tree.HASH_BYTES])
    number = 0
    while level:
        above = []
        for position in range(0, len(level), tree.WIDTH):
            hashes = level[position : position + tree.WIDTH]
            if log.stored_tile(number, position // tree.WIDTH) != b"".join(hashes):
                yield _wrong(f"tile {number}/{position // tree.WIDTH}", "does not match the entries")
            if len(hashes) == tree.WIDTH:
                above.append(tree.root_of(hashes))
        level, number = above, number + 1


def _collect(seen: Verified, entry: LogEntry) -> None:
    body = json.loads(entry.body)
    service, work, files = body["service"], body, entries.files_of(entry)
    if "work" in body:
        opening = LogOpening.find("log-openings", entry.sk)
        if opening is None or not opening.work:
            seen.unnamed.update((service, file["sha256"]) for file in files)
            return
        work = json.loads(opening.work)
        files = work["files"]
    known = seen.published[service, work["name"]]
    if former := work.get("former_name"):
        known |= seen.published[service, former]
    known.update(file["sha256"] for file in files)


def _check_files(seen: Verified) -> Iterator[Inconsistency]:
    """Compare the files that the services serve with those that the log names, and with the stored bytes."""
    for declared in registry.current().declarations:
        if declared.served_files is None:
            continue
        for file in declared.served_files():
            seen.files += 1
            subject = f"{declared.name} {file.work} {file.name}"
            is_logged = file.sha256 in seen.published[declared.name, file.work]
            if not is_logged and (declared.name, file.sha256) not in seen.unnamed:
                yield _wrong(subject, f"no entry of the log names the content {file.sha256}")
            if not _is_intact(file):
                yield _wrong(subject, "its stored bytes have another hash")


def _is_intact(file: ServedFile) -> bool:
    try:
        return blobs.hash_stored(file.blob) == file.sha256
    except NotFound:
        return False


def _wrong(subject: str, message: str) -> Inconsistency:
    return Inconsistency(KIND, subject, message)
