"""The stored file of an upload: its content, its signature and its dates."""

from dataclasses import dataclass

from chalicelib.core import blobs
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.errors import Busy, Full
from chalicelib.core.tables import now
from chalicelib.luarocks import index
from chalicelib.luarocks.entry import PublishedFile


@dataclass(frozen=True)
class Dates:
    """The dates of a file that was published elsewhere before, in epoch seconds."""

    created_at: int
    updated_at: int


def store(content: bytes, signature: bytes | None, failure: str, dates: Dates | None) -> PublishedFile:
    """Store a file and its signature; return their hashes and sizes. Raises Busy or Full with upstream's texts."""
    try:
        blob, signed = blobs.put(content, index.AREA), blobs.put(signature, index.AREA) if signature else None
    except (Busy, Full) as error:
        raise type(error)(failure, **error.detail) from error
    moment = int(now().timestamp())
    dates = dates or Dates(moment, moment)
    return PublishedFile(
        sha256=blob.sha256,
        size=blob.size,
        revision=1,
        created_at=dates.created_at,
        updated_at=dates.updated_at,
        sig_sha256=signed.sha256 if signed else None,
        sig_size=signed.size if signed else None,
    )


def over(before: PublishedFile, stored: PublishedFile) -> PublishedFile:
    """The new content, the next revision, and a date that does not decrease."""
    moved = max(stored.updated_at, before.updated_at)
    first = before.first_sha256 or before.sha256
    revision = before.revision + 1
    return replace(stored, revision=revision, created_at=before.created_at, updated_at=moved, first_sha256=first)
