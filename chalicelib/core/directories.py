"""A blob store in a directory: writes are atomic and survive a power cut."""

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from chalicelib.core import links
from chalicelib.core.errors import Full, NotFound
from chalicelib.core.links import Link

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")  # neither `..` nor a draft
_DRAFT = ".draft-"
_CHUNK = 1024 * 1024
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@dataclass(frozen=True)
class StoredBlob:
    """A stored blob: its key, its size in bytes, and the time of its last write in epoch seconds."""

    key: str
    size: int
    written_at: float


class DirectoryStore:
    """Blobs as files below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, key: str, content: bytes) -> None:
        self.write_from(key, BytesIO(content))

    def write_from(self, key: str, source: BinaryIO) -> None:
        try:
            self._write(self._path(key), source)
        except OSError as error:
            if error.errno in _DISK_FULL:
                raise Full from error
            raise

    def read(self, key: str) -> bytes:
        with self.open(key) as file:
            return file.read()

    def read_all(self, keys: Sequence[str]) -> Iterator[bytes]:
        return map(self.read, keys)

    def open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFound("There is no such file.") from None

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def delete_older(self, key: str, moment: float) -> bool:
        """Rename the file before the check, so that a concurrent writer of the same bytes writes a new file."""
        path = self._path(key)
        renamed = path.with_name(f"{_DRAFT}{path.name}-{os.getpid()}")
        try:
            path.rename(renamed)
        except FileNotFoundError:
            return False
        if renamed.stat().st_mtime < moment:
            renamed.unlink()
            return True
        renamed.replace(path)
        return False

    def list_blobs(self, prefix: str) -> Iterator[StoredBlob]:
        for path in self._files():
            key = path.relative_to(self._directory).as_posix()
            if key.startswith(prefix) and _KEY.fullmatch(key):
                with suppress(FileNotFoundError):
                    stat = path.stat()
                    yield StoredBlob(key, stat.st_size, stat.st_mtime)

    def drop_drafts(self, moment: float, *, dry: bool = False) -> int:
        """Delete partial files of crashed writers from before `moment`, unless `dry`; return their number."""
        dropped = 0
        for path in self._files():
            with suppress(FileNotFoundError):
                if path.name.startswith(_DRAFT) and path.stat().st_mtime < moment:
                    dropped += 1
                    if not dry:
                        path.unlink()
        return dropped

    def link(self, key: str, method: str, filename: str, content_type: str, seconds: int) -> str | None:
        return links.sign(Link(key, method, filename, content_type, int(time.time()) + seconds))

    def size(self, key: str) -> int | None:
        try:
            return self._path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def form(self, key: str, largest: int, seconds: int) -> tuple[str, dict[str, str]] | None:
        return None

    def _write(self, path: Path, source: BinaryIO) -> None:
        with suppress(FileNotFoundError):
            os.utime(path)  # its age is that of its last use, so that fsck does not delete it as orphaned
            sync_directory(path.parent)  # the process that wrote the file may not have done this yet
            return
        _make_directory(path.parent)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=_DRAFT)
        try:
            with os.fdopen(descriptor, "wb") as file:
                shutil.copyfileobj(source, file, _CHUNK)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        sync_directory(path.parent)

    def _files(self) -> Iterator[Path]:
        for folder, folders, names in os.walk(self._directory):
            folders.sort()
            yield from (Path(folder, name) for name in sorted(names))

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise NotFound("There is no such file.")
        return self._directory / key


def sync_directory(directory: Path) -> None:
    """Make created and renamed files in `directory` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_directory(directory: Path) -> None:
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    sync_directory(directory.parent)
