"""Events for the tests of the log, and the ways to change a stored log."""

import base64
from datetime import UTC, datetime
from typing import Any

import time_machine

from chalicelib.core import events, job_runner
from chalicelib.core.caller import Caller
from chalicelib.core.published import EventFile
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Credential, PublishedEvent
from chalicelib.core.transparency import keys, log, notes, tree
from chalicelib.core.transparency.tables import LogHead, LogTile

MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ALICE = Caller(
    Account("account#1", "account", id=1, username="Alice"),
    Credential("x", "credential", id=9, comment="CI"),
    "192.0.2.7",
)
FILE = EventFile("say-1.0-1.rockspec", "ab" * 32, 300)


def publish(*names: str, **more: Any) -> None:
    """Record one event per name, and let the log follow."""
    for start in range(0, len(names), 40):
        writes = Transaction()
        for name in names[start : start + 40]:
            more = {"service": "toys", "kind": "toy", "action": "publish", **more}
            events.record(writes, ALICE, name=name, **more)
        writes.commit()
    run_jobs()


def run_jobs() -> None:
    events.number_new()
    while job_runner.run_due():
        pass


def change_entry(index: int, old: bytes, new: bytes) -> None:
    """Replace bytes of a stored entry, and nothing else."""
    entry = log.entry(index)
    entry.update(entry.assign(body=bytes(entry.body).replace(old, new)))


def fork(old: bytes, new: bytes) -> None:
    """Write another last entry, with all tiles and a valid signature, as somebody who has the key can."""
    size = len(list(log.every()))
    change_entry(size - 1, old, new)
    leaves = [tree.leaf_hash(bytes(entry.body)) for entry in log.every()]
    tiles: dict[tuple[int, int], bytes] = tree.extended(0, leaves, lambda level, position: b"")
    for (level, position), hashes in tiles.items():
        LogTile(f"log-tiles#{level}", f"{position:012d}", hashes=hashes).save()
    (key,) = keys.stored()
    forked = notes.Checkpoint(key.name, size, tree.root_of(leaves))
    note = notes.signed(forked, [(keys.verifier(key), keys.private(key))])
    LogHead("log-head", "head", size=size, checkpoint=note).save()
    PublishedEvent("events", f"{size:012d}").delete()


def sign_with_another_key() -> None:
    """Sign the newest checkpoint with a key that is not the log's."""
    (key,), note = keys.stored(), log.checkpoint()
    with time_machine.travel(MOMENT):
        other = keys.create(Transaction(), key.name)
    checkpoint = notes.verified(note, [keys.verifier(key)])
    _store(notes.signed(checkpoint, [(keys.verifier(other), keys.private(other))]))


def damage_signature() -> None:
    """Change one bit of the signature of the newest checkpoint."""
    text, _, line = log.checkpoint().rpartition(" ")
    data = bytearray(base64.b64decode(line))
    data[20] ^= 1
    _store(f"{text} {base64.b64encode(bytes(data)).decode()}\n")


def _store(note: str) -> None:
    head = log.find_head()
    assert head is not None
    head.update(head.assign(checkpoint=note))
