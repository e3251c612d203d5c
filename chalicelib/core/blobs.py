"""Bytes: S3 on AWS, a directory on one machine. Keys are content-addressed, so a blob never changes."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import settings
from chalicelib.core import aws
from chalicelib.core.directories import DirectoryStore, Stored
from chalicelib.core.errors import Busy, NotFound
from chalicelib.core.links import attachment

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Blob:
    """Stored bytes: where they are, how many, and their SHA-256 in hex."""

    key: str
    size: int
    sha256: str


class Store(Protocol):
    """A place for bytes."""

    def write(self, key: str, content: bytes) -> None: ...

    def write_from(self, key: str, source: BinaryIO) -> None: ...

    def read(self, key: str) -> bytes: ...

    def open(self, key: str) -> BinaryIO: ...

    def delete(self, key: str) -> None: ...

    def delete_older(self, key: str, moment: float) -> bool: ...

    def listed(self, prefix: str) -> Iterator[Stored]: ...

    def drop_drafts(self, moment: float, *, dry: bool = False) -> int: ...

    def link(self, key: str, method: str, filename: str, content_type: str, seconds: int) -> str | None: ...

    def size(self, key: str) -> int | None: ...

    def form(self, key: str, largest: int, seconds: int) -> tuple[str, dict[str, str]] | None: ...


def put(content: bytes, area: str) -> Blob:
    """Keep `content` under `area`, such as `luarocks`. Store it before the metadata that names it. Raises Busy."""
    digest = hashlib.sha256(content).hexdigest()
    blob = Blob(key_of(area, digest), len(content), digest)
    with _failing_as_busy():
        _store().write(blob.key, content)
    return blob


def key_of(area: str, sha256: str) -> str:
    """Where the bytes with this hash lie in an area."""
    return f"{area}/{sha256[:2]}/{sha256}"


def get(key: str) -> bytes:
    """The bytes; raises NotFound or Busy."""
    with _failing_as_busy():
        return _store().read(key)


def open(key: str) -> BinaryIO:
    """The bytes as a stream, to be closed; raises NotFound."""
    return _store().open(key)


def delete(key: str) -> None:
    """Drop the bytes, if they are there."""
    _store().delete(key)


def delete_older(key: str, moment: float) -> bool:
    """Drop the bytes if they were last written before `moment` (epoch seconds); returns whether they were."""
    return _store().delete_older(key, moment)


def restore(key: str, source: BinaryIO) -> None:
    """Keep what `source` (seekable) holds under the key that it had elsewhere."""
    _store().write_from(key, source)


def listed(prefix: str = "") -> Iterator[Stored]:
    """All blobs whose key begins like this, by key within each folder."""
    return _store().listed(prefix)


def drop_drafts(moment: float, *, dry: bool = False) -> int:
    """Remove what was left half-written before `moment`, unless `dry`; returns how many. S3 keeps no such thing."""
    return _store().drop_drafts(moment, dry=dry)


def link(key: str, *, method: str, filename: str, content_type: str, seconds: int = 900) -> str | None:
    """A URL at which `method` (GET or HEAD) works for `seconds`, for a redirect; None where bytes are sent directly.

    It is absolute, or starts with a slash where a directory holds the bytes and MOONBASE_BASE_URL is not set:
    `web/site.py` puts the host that the client asked before the Location of such a redirect.
    """
    return _store().link(key, method, filename, content_type, seconds)


def write(key: str, content: bytes) -> None:
    """Keep `content` under a key that is not made of it, such as an upload slot's. The first to write there stays."""
    _store().write(key, content)


def size(key: str) -> int | None:
    """How many bytes there are; None where there are none."""
    return _store().size(key)


def form(key: str, largest: int, seconds: int) -> tuple[str, dict[str, str]] | None:
    """The address of a form, and its fields, with which anybody may send `key` for `seconds`; None where it is not S3.

    S3 refuses more than `largest` bytes; the file is the form's last field, `file`.
    """
    return _store().form(key, largest, seconds)


class S3Store:
    """Objects of one bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def write(self, key: str, content: bytes) -> None:
        aws.client("s3").put_object(Bucket=self._bucket, Key=key, Body=content)

    def write_from(self, key: str, source: BinaryIO) -> None:
        aws.client("s3").put_object(Bucket=self._bucket, Key=key, Body=source)

    def read(self, key: str) -> bytes:
        with self.open(key) as stream:
            return stream.read()

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
        for stored in self.listed(key):
            if stored.key == key and stored.written_at < moment:
                self.delete(key)
                return True
        return False

    def listed(self, prefix: str) -> Iterator[Stored]:
        pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            for found in page.get("Contents", []):
                yield Stored(found["Key"], int(found["Size"]), found["LastModified"].timestamp())

    def drop_drafts(self, moment: float, *, dry: bool = False) -> int:
        return 0

    def link(self, key: str, method: str, filename: str, content_type: str, seconds: int) -> str | None:
        asked = {
            "Bucket": self._bucket,
            "Key": key,
            "ResponseContentType": content_type,
            "ResponseContentDisposition": attachment(filename),
        }
        operation = "head_object" if method == "HEAD" else "get_object"
        return cast(str, aws.client("s3").generate_presigned_url(operation, Params=asked, ExpiresIn=seconds))

    def size(self, key: str) -> int | None:
        try:
            return int(aws.client("s3").head_object(Bucket=self._bucket, Key=key)["ContentLength"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "404":
                return None
            raise

    def form(self, key: str, largest: int, seconds: int) -> tuple[str, dict[str, str]] | None:
        made = aws.client("s3").generate_presigned_post(
            self._bucket, key, Conditions=[["content-length-range", 1, largest]], ExpiresIn=seconds
        )
        return made["url"], made["fields"]


@contextmanager
def _failing_as_busy() -> Iterator[None]:
    """A bucket that is away, or a disk that fails, is not the caller's fault and may pass."""
    try:
        yield
    except (OSError, BotoCoreError, ClientError) as error:
        _log.error("the place for bytes fails: %s: %s", type(error).__name__, error)
        raise Busy("The place for files is away.", retry_after=5) from error


def _store() -> Store:
    return _store_at(settings.current().blobs)


@cache
def _store_at(place: str) -> Store:
    scheme, _, rest = place.partition(":")
    if scheme == "s3":
        return S3Store(rest.strip("/"))
    if scheme == "file":
        return DirectoryStore(Path(rest))
    raise ValueError(f"MOONBASE_BLOBS must be s3://BUCKET or file:DIRECTORY, not {place!r}")
