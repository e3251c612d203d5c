"""The bytes of a log entry, as docs/log.md fixes them, and the openings of its commitments.

An entry is canonical JSON: UTF-8, sorted keys, no blanks between tokens. Code that changes these bytes changes only
future entries: the stored ones are never encoded again.
"""

import json
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from chalicelib.core.published import Event
from chalicelib.core.transparency.tables import LogEntry, LogOpening

LONGEST = 65_535  # bytes of an entry, because bundles have 16 bits for its length
_SALT_BYTES = 32
_VERSION = 1  # of the format


@dataclass(frozen=True)
class CommittedEntry:
    """An entry of the log and the opening of its commitments."""

    entry: LogEntry
    opening: LogOpening


def of_event(event: Event) -> CommittedEntry:
    """The entry of a numbered event. Its salt is new with each call."""
    index = event.number - 1
    salt = secrets.token_bytes(_SALT_BYTES)
    actor = canonical(_actor(event))
    work = None if event.listed else canonical(_work(event))
    body, files = _body(event, commitment(salt, actor), commitment(salt, work) if work else None)
    entry = LogEntry("log-entries", sk_of(index), id=index, listing=listing(event.service, event.name), body=body)
    entry.files = files
    opening = LogOpening("log-openings", sk_of(index), id=index, salt=salt, actor=actor.decode())
    opening.work = work.decode() if work else None
    opening.listing = f"log-openings#{event.actor.lower()}" if event.actor else None
    return CommittedEntry(entry, opening)


def commitment(salt: bytes, opening: bytes) -> str:
    """The hash that stands for an opening in an entry, in hexadecimal digits."""
    return sha256(salt + opening).hexdigest()


def canonical(data: Any) -> bytes:
    """Data as canonical JSON."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def listing(service: str, name: str) -> str:
    """The list of the entries of a work."""
    return f"log#{service}#{name}"


def sk_of(index: int) -> str:
    """The sort key of an entry or a tile."""
    return f"{index:012d}"


def files_of(entry: LogEntry) -> list[dict[str, Any]]:
    """The files of an entry."""
    found: list[dict[str, Any]] = json.loads(entry.files) if entry.files else json.loads(entry.body)["files"]
    return found


def _body(event: Event, actor: str, work: str | None) -> tuple[bytes, bytes | None]:
    """The bytes of the entry and, if its files do not fit into it, those of their list."""
    data: dict[str, Any] = {
        "v": _VERSION,
        "service": event.service,
        "kind": event.kind,
        "action": event.action,
        "at": msgspec.to_builtins(event.at),
        "actor": actor,
    }
    if work is None:
        data |= _work(event)
    else:
        data |= {"work": work, "files": [{"sha256": file.sha256, "size": file.size} for file in event.files]}
    body = canonical(data)
    if len(body) <= LONGEST:
        return body, None
    files = canonical(data["files"])
    data["files"] = {"count": len(event.files), "sha256": sha256(files).hexdigest()}
    return canonical(data), files


def _work(event: Event) -> dict[str, Any]:
    """What the event is about."""
    found: dict[str, Any] = {"name": event.name, "files": [msgspec.to_builtins(file) for file in event.files]}
    if event.version is not None:
        found["version"] = event.version
    if event.former_name is not None:
        found["former_name"] = event.former_name
    return found


def _actor(event: Event) -> dict[str, Any]:
    """Who caused the event: the username, the id and the comment of the key, and the address."""
    return {"name": event.actor, "credential": event.credential, "key": event.key, "address": event.address}
