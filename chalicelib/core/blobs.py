"""Blobs: in S3 on AWS, in a directory on one machine. Keys are content-addressed, so a blob never changes."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import settings
from chalicelib.core import aws
from chalicelib.core.directories import DirectoryStore, StoredBlob
from chalicelib.core.errors import Busy, NotFound
from chalicelib.core.links import attachment

_log = logging.getLogger(__name__)
_PIECE = 1024 * 1024  # bytes
_READERS = 16  # objects that are read from S3 at a time


@dataclass(frozen=True)
class Blob:
    """A stored blob: its key, its size in bytes, and its SHA-256 in hex."""

    key: str
    size: int
    sha256: str


class BlobStore(Protocol):
    """A blob store."""

    def write(self, key: str, content: bytes) -> None: ...

    def write_from(self, key: str, source: BinaryIO) -> None: ...

    def read(self, key: str) -> bytes: ...

    def read_all(self, keys: Sequence[str]) -> Iterator[bytes]: ...

    def open(self, key: str) -> BinaryIO: ...

    def delete(self, key: str) -> None: ...

    def delete_older(self, key: str, moment: float) -> bool: ...

    def list_blobs(self, prefix: str) -> Iterator[StoredBlob]: ...

    def drop_drafts(self, moment: float, *, dry: bool = False) -> int: ...

    def link(self, key: str, method: str, filename: str, content_type: str, seconds: int) -> str | None: ...

    def size(self, key: str) -> int | None: ...

    def form(self, key: str, largest: int, seconds: int) -> tuple[str, dict[str, str]] | None: ...


def put(content: bytes, area: str) -> Blob:
    """Store `content` in an area such as `luarocks`. Call this before storing an item that names it. Raises Busy."""
    digest = hashlib.sha256(content).hexdigest()
    blob = Blob(key_of(area, digest), len(content), digest)
    with _failing_as_busy():
        _store().write(blob.key, content)
    return blob


def key_of(area: str, sha256: str) -> str:
    """The key of the blob with this hash in an area."""
    return f"{area}/{sha256[:2]}/{sha256}"


def sha256_of(key: str) -> str:
    """The SHA-256 in hex of the blob with a key of `key_of`."""
    return key.rpartition("/")[2]


def get(key: str) -> bytes:
    """Return a blob's content. Raises NotFound or Busy."""
    with _failing_as_busy():
        return _store().read(key)


def get_all(keys: Sequence[str]) -> Iterator[bytes]:
    """Return the contents of several blobs in order; from S3 several at a time. Raises NotFound or Busy."""
    with _failing_as_busy():
        yield from _store().read_all(keys)


def open(key: str) -> BinaryIO:
    """Open a blob as a stream, which the caller closes. Raises NotFound."""
    return _store().open(key)


def hash_stored(key: str) -> str:
    """Return the SHA-256 in hex of the stored bytes, which are read in pieces. Raises NotFound."""
    hashed = hashlib.sha256()
    with open(key) as stream:
        while piece := stream.read(_PIECE):
            hashed.update(piece)
    return hashed.hexdigest()


def delete(key: str) -> None:
    """Delete a blob if it exists."""
    _store().delete(key)


def delete_older(key: str, moment: float) -> bool:
    """Delete a blob if its last write was before `moment` (epoch seconds); return whether it was deleted."""
    return _store().delete_older(key, moment)


def restore(key: str, source: BinaryIO) -> None:
    """Store the content of `source` (seekable) under its key from another installation."""
    _store().write_from(key, source)


def list_blobs(prefix: str = "") -> Iterator[StoredBlob]:
    """All blobs whose key has this prefix, sorted by key within each directory."""
    return _store().list_blobs(prefix)


def drop_drafts(moment: float, *, dry: bool = False) -> int:
    """Delete partial files from before `moment`, unless `dry`; return their number. S3 has no partial objects."""
    return _store().drop_drafts(moment, dry=dry)


def link(key: str, *, method: str, filename: str, content_type: str, seconds: int = 900) -> str | None:
    """Return a URL for a redirect, valid for `method` (GET or HEAD) and `seconds`; None if the store has no links.

    It is absolute, or starts with a slash for a directory without MOONBASE_BASE_URL; then `web/site.py` adds the
    request's host to the Location.
    """
    return _store().link(key, method, filename, content_type, seconds)


def write(key: str, content: bytes) -> None:
    """Store `content` under a key that is not its hash, such as that of an upload slot. The first write wins."""
    _store().write(key, content)


def size(key: str) -> int | None:
    """A blob's size in bytes; None if it does not exist."""
    return _store().size(key)


def form(key: str, largest: int, seconds: int) -> tuple[str, dict[str, str]] | None:
    """Return the URL and the fields of a form that uploads `key` without credentials for `seconds`; None without S3.

    S3 rejects more than `largest` bytes. The file is the form's last field, `file`.
    """
    return _store().form(key, largest, seconds)


class S3Store:
    """Blobs as objects of one bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def write(self, key: str, content: bytes) -> None:
        aws.client("s3").put_object(Bucket=self._bucket, Key=key, Body=content)

    def write_from(self, key: str, source: BinaryIO) -> None:
        aws.client("s3").put_object(Bucket=self._bucket, Key=key, Body=source)

    def read(self, key: str) -> bytes:
        with self.open(key) as stream:
            return stream.read()

    def read_all(self, keys: Sequence[str]) -> Iterator[bytes]:
        with ThreadPoolExecutor(_READERS) as pool:
            yield from pool.map(self.read, keys)

    def open(self, key: str) -> BinaryIO:
        try:
            return cast(BinaryIO, aws.client("s3").get_object(Bucket=self._bucket, Key=key)["Body"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise NotFound("There is no such file.") from None
            raise

    def delete(self, key: str) -> None:
        aws.client("s3").delete_object(Bucket=self._bucket, Key=key)

    def delete_older(self, key: str, moment: float) -> bool:
        for stored in self.list_blobs(key):
            if stored.key == key and stored.written_at < moment:
                self.delete(key)
                return True
        return False

    def list_blobs(self, prefix: str) -> Iterator[StoredBlob]:
        pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Contents", []):
                yield StoredBlob(found["Key"], int(found["Size"]), found["LastModified"].timestamp())

    def drop_drafts(self, moment: float, *, dry: bool = False) -> int:
        return 0

    def link(self, key: str, method: str, filename: str, content_type: str, seconds: int) -> str | None:
        params = {
            "Bucket": self._bucket,
            "Key": key,
            "ResponseContentType": content_type,
            "ResponseContentDisposition": attachment(filename),
        }
        operation = "head_object" if method == "HEAD" else "get_object"
        return cast(str, aws.client("s3").generate_presigned_url(operation, Params=params, ExpiresIn=seconds))

    def size(self, key: str) -> int | None:
        try:
            return int(aws.client("s3").head_object(Bucket=self._bucket, Key=key)["ContentLength"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "404":
                return None
            raise

    def form(self, key: str, largest: int, seconds: int) -> tuple[str, dict[str, str]] | None:
        post = aws.client("s3").generate_presigned_post(
            self._bucket, key, Conditions=[["content-length-range", 1, largest]], ExpiresIn=seconds
        )
        return post["url"], post["fields"]


@contextmanager
def _failing_as_busy() -> Iterator[None]:
    """Raise Busy for errors of the bucket or the disk: they are temporary and not the caller's fault."""
    try:
        yield
    except (OSError, BotoCoreError, ClientError) as error:
        _log.error("the blob store failed: %s: %s", type(error).__name__, error)
        raise Busy("The file storage is not available.", retry_after=5) from error


def _store() -> BlobStore:
    return _store_at(settings.current().blobs)


@cache
def _store_at(location: str) -> BlobStore:
    scheme, _, rest = location.partition(":")
    if scheme == "s3":
        return S3Store(rest.strip("/"))
    if scheme == "file":
        return DirectoryStore(Path(rest))
    raise ValueError(f"MOONBASE_BLOBS must be s3://BUCKET or file:DIRECTORY, not {location!r}")
