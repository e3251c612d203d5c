"""Proofs of inclusion and consistency for clients, and the entries of a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.core.errors import Invalid
from chalicelib.core.transparency import entries, log, tree
from chalicelib.core.transparency.notes import in_base64

_FORMAT = "c2sp.org/tlog-proof@v1"
_MOST_NAMES = 20  # former names of a work that a look-up follows


@dataclass(frozen=True)
class Inclusion:
    """The proof that an entry is in the tree of a checkpoint. `hashes` lead from the leaf to the root."""

    index: int
    entry: bytes
    files: list[dict[str, Any]]
    hashes: list[bytes]
    checkpoint: str

    @property
    def text(self) -> str:
        """The proof by C2SP tlog-proof, with the entry as its extra data."""
        lines = [_FORMAT, f"extra {in_base64(self.entry)}", f"index {self.index}", *map(in_base64, self.hashes)]
        return "\n".join(lines) + "\n\n" + self.checkpoint


def inclusion(index: int) -> Inclusion:
    """The proof of an entry in the newest tree. Raises NotFound."""
    entry = log.entry(index)
    head = log.find_head()
    assert head is not None  # it is written together with the entries
    hashes = tree.inclusion_proof(index, int(head.size), log.remembering())
    return Inclusion(index, bytes(entry.body), entries.files_of(entry), hashes, str(head.checkpoint))


def consistency(old: int) -> tuple[list[bytes], str]:
    """The proof that the newest tree extends that of the first `old` entries, and the newest checkpoint.

    Raises NotFound before the first entry, and Invalid for a size that the log never had.
    """
    note = log.checkpoint()
    size = int(note.split("\n")[1])
    if not 0 < old <= size:
        raise Invalid(f"The log has {size} entries: old must be from 1 to {size}.")
    return tree.consistency_proof(old, size, log.remembering()), note


def indices_of_files(service: str, name: str) -> Mapping[tuple[str, str], int]:
    """The newest entry of each file of a work, by file name and SHA-256.

    It costs one query, and one more for each former name of the work. Files of the last seconds can be missing.
    """
    found: dict[tuple[str, str], int] = {}
    names = [name]
    for each in names:
        for entry in log.of_work(service, each):
            body = json.loads(entry.body)
            for file in entries.files_of(entry) if "name" in body else ():
                key = file["name"], file["sha256"]
                found[key] = max(int(entry.id), found.get(key, 0))
            former = body.get("former_name")
            if former and former not in names and len(names) < _MOST_NAMES:
                names.append(former)
    return found
