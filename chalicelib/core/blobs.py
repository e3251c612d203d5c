"""Bytes: S3 on AWS, a directory on one machine. Keys are content-addressed, so a blob never changes."""

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import quote

from botocore.exceptions import ClientError

from chalicelib import settings
from chalicelib.core import aws
from chalicelib.core.errors import NotFound

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")  # no way up, no draft


@dataclass(frozen=True)
class Blob:
    """Stored bytes: where they are, how many, and their SHA-256 in hex."""

    key: str
    size: int
    sha256: str


class Store(Protocol):
    """A place for bytes."""

    def write(self, key: str, content: bytes) -> None: ...

    def read(self, key: str) -> bytes: ...

    def delete(self, key: str) -> None: ...

    def link(self, key: str, method: str, filename: str, content_type: str, seconds: int) -> str | None: ...

    def size(self, key: str) -> int | None: ...

    def form(self, key: str, largest: int, seconds: int) -> tuple[str, dict[str, str]] | None: ...


def put(content: bytes, area: str) -> Blob:
    """Keep `content` under `area`, such as `luarocks`. Store it before the metadata that names it."""
    digest = hashlib.sha256(content).hexdigest()
    blob = Blob(key_of(area, digest), len(content), digest)
    _store().write(blob.key, content)
    return blob


def key_of(area: str, sha256: str) -> str:
    """Where the bytes with this hash lie in an area."""
    return f"{area}/{sha256[:2]}/{sha256}"


def get(key: str) -> bytes:
    """The bytes; raises NotFound."""
    return _store().read(key)


def delete(key: str) -> None:
    """Drop the bytes, if they are there."""
    _store().delete(key)


def link(key: str, *, method: str, filename: str, content_type: str, seconds: int = 900) -> str | None:
    """An absolute URL at which `method` (GET or HEAD) works for `seconds`; None where bytes are sent directly."""
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

    def read(self, key: str) -> bytes:
        try:
            return cast(bytes, aws.client("s3").get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise NotFound("There is no such file.") from None
            raise

    def delete(self, key: str) -> None:
        aws.client("s3").delete_object(Bucket=self._bucket, Key=key)

    def link(self, key: str, method: str, filename: str, content_type: str, seconds: int) -> str | None:
        asked = {
            "Bucket": self._bucket,
            "Key": key,
            "ResponseContentType": content_type,
            "ResponseContentDisposition": _attachment(filename),
        }
        operation = "head_object" if method == "HEAD" else "get_object"
        return cast(str, aws.client("s3").generate_presigned_url(operation, Params=asked, ExpiresIn=seconds))

    def size(self, key: str) -> int | None:
        try:
            return int(aws.client("s3").head_object(Bucket=self._bucket, Key=key)["ContentLength"])
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "403"):  # 403: absent, to whom may not list the bucket
                return None
            raise

    def form(self, key: str, largest: int, seconds: int) -> tuple[str, dict[str, str]] | None:
        made = aws.client("s3").generate_presigned_post(
            self._bucket, key, Conditions=[["content-length-range", 1, largest]], ExpiresIn=seconds
        )
        return made["url"], made["fields"]


class DirectoryStore:
    """Files below one directory, each written whole or not at all."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, key: str, content: bytes) -> None:
        path = self._path(key)
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)

    def read(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFound("There is no such file.") from None

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def link(self, key: str, method: str, filename: str, content_type: str, seconds: int) -> str | None:
        return None

    def size(self, key: str) -> int | None:
        try:
            return self._path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def form(self, key: str, largest: int, seconds: int) -> tuple[str, dict[str, str]] | None:
        return None

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise NotFound("There is no such file.")
        return self._directory / key


def _attachment(filename: str) -> str:
    """A Content-Disposition (RFC 6266) that no filename can break out of."""
    plain = re.sub(r"""[^ !#-\[\]-~]""", "_", filename)
    if plain == filename:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _sync_directory(directory: Path) -> None:
    """Make a rename in `directory` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
