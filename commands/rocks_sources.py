"""The sources of an import of rocks: a directory of `luarocks-admin`, a Git mirror, or another rocks server."""

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from chalicelib.core.errors import CoreError
from chalicelib.core.outbound import git
from chalicelib.core.outbound.fetch import Caps, WebAnswer, WebClient, basic_authorization
from chalicelib.core.outbound.git import GitCaps
from chalicelib.web.headers import parse_date
from commands.rocks_manifest import read_manifest

ROCKSPEC = re.compile(r"(?P<stem>.+-.+)\.rockspec", re.DOTALL | re.IGNORECASE)
ROCK = re.compile(r"(?P<stem>.+-.+)\.(?P<arch>[^.]+)\.rock", re.DOTALL | re.IGNORECASE)
# Files of a mirror that are made of the others.
_MADE = re.compile(r"(manifest(-5\.\d)?(\.(json|zip))?|index\.html|README.*|\..*)", re.IGNORECASE)
_CAPS = Caps(size=64 * 1024 * 1024, seconds=120.0, attempts=4)
_GIT_CAPS = GitCaps(written=1 << 30, zipped=1 << 30)
_FOLDER = "mirror"  # of all files in the zip of a commit
UNKNOWN = "its name is neither NAME-VERSION.rockspec nor NAME-VERSION.ARCH.rock"


class SourceContent(NamedTuple):
    """The bytes of a file, and the time of their last change in epoch seconds if the source knows it."""

    body: bytes
    modified: int | None = None


@dataclass(frozen=True)
class SourceFile:
    """A rockspec (without an architecture) or a rock, at a path of the source.

    `names` are the names and versions, in lower case, that its file name can mean: one if the source says which.
    `owner` is the user of a source with users. `sha256` and the dates, in epoch seconds, are what the source says.
    """

    path: str
    names: tuple[tuple[str, str], ...]
    arch: str | None
    owner: str | None = None
    sha256: str | None = None
    created_at: int | None = None
    updated_at: int | None = None

    @property
    def filename(self) -> str:
        """The name of the file."""
        return self.path.rpartition("/")[2]


@dataclass
class Listed:
    """The files of a source, rockspecs first, and what it has besides, with the reasons why that is not taken."""

    files: list[SourceFile] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)

    def add_named(self, filename: str) -> None:
        """Add a file of which only the name is known."""
        found = ROCKSPEC.fullmatch(filename) or ROCK.fullmatch(filename)
        if found is None:
            self.refused.append({"file": filename, "why": UNKNOWN})
            return
        self.files.append(SourceFile(filename, tuple(_splits(found["stem"])), found.groupdict().get("arch")))

    def in_order(self) -> "Listed":
        """The same, rockspecs before rocks, each by name."""
        self.files.sort(key=lambda file: (file.arch is not None, file.path))
        self.refused.sort(key=lambda row: row["file"])
        return self


class RockSource(Protocol):
    """Files by path: rockspecs, rocks, and their signatures with the suffix `.asc`."""

    def listed(self) -> Listed:
        """All files. Raises OSError or ValueError."""

    def read(self, path: str) -> SourceContent | None:
        """A file; None if it does not exist. Raises OSError."""


class RockTree:
    """A directory of `luarocks-admin`, a clone of a mirror, or any directory that contains rockspecs and rocks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def listed(self) -> Listed:
        paths = sorted(self._directory.iterdir())
        return _of_directory([path.name for path in paths if path.is_file()], [p.name for p in paths if p.is_dir()])

    def read(self, path: str) -> SourceContent | None:
        file = self._directory / path
        return SourceContent(file.read_bytes()) if file.is_file() else None


class GitMirror:
    """A Git repository with the files of a rocks server, such as a mirror of luarocks.org."""

    def __init__(self, url: str) -> None:
        fetched = git.fetch(url.removeprefix("git+"), _GIT_CAPS, None, _FOLDER)
        self._archive = zipfile.ZipFile(io.BytesIO(fetched.content))
        members = (name.removeprefix(f"{_FOLDER}/") for name in self._archive.namelist())
        self._members = frozenset(name for name in members if not name.endswith("/"))

    def listed(self) -> Listed:
        top = [name for name in self._members if "/" not in name]
        return _of_directory(top, sorted({name.partition("/")[0] for name in self._members if "/" in name}))

    def read(self, path: str) -> SourceContent | None:
        return SourceContent(self._archive.read(f"{_FOLDER}/{path}")) if path in self._members else None


class RocksServer:
    """A server from which `luarocks` installs; its manifest lists the files."""

    def __init__(self, url: str) -> None:
        self._url, self._headers = basic_authorization(url.rstrip("/"))
        self._client = WebClient(self._url)

    def listed(self) -> Listed:
        manifest = self.read("manifest")
        if manifest is None:
            raise FileNotFoundError(f"there is no manifest at {self._url}")
        repository = read_manifest(manifest.body.decode("utf-8", "replace")).get("repository", {})
        found = Listed()
        for name, versions in repository.items():
            for version, rocks in versions.items():
                for arch in sorted({rock.get("arch") for rock in (_items(rocks)) if isinstance(rock.get("arch"), str)}):
                    kind, is_rock = (arch, True) if arch != "rockspec" else (None, False)
                    path = f"{name}-{version}.{arch}.rock" if is_rock else f"{name}-{version}.rockspec"
                    found.files.append(SourceFile(path, ((str(name).lower(), str(version).lower()),), kind))
        return found.in_order()

    def read(self, path: str) -> SourceContent | None:
        answer = self.fetch(path)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise OSError(f"{path}: the server returned {answer.status}")
        modified = parse_date(answer.headers.get("last-modified", ""))
        return SourceContent(answer.body, int(modified.timestamp()) if modified else None)

    def fetch(self, path: str) -> WebAnswer:
        """The response to GET, of any status. Raises OSError."""
        try:
            headers = {**self._headers, "Accept": "application/json, */*"}
            return self._client.fetch(f"{self._url}/{path}", _CAPS, headers=headers)
        except CoreError as error:
            raise OSError(f"{path}: {error}") from error


def _items(rocks: Any) -> Sequence[Any]:
    return [rock for rock in (rocks.values() if isinstance(rocks, dict) else rocks) if isinstance(rock, dict)]


def _of_directory(filenames: Sequence[str], directories: Sequence[str]) -> Listed:
    """All files of a directory; signatures belong to their files, and files that a mirror makes are none of its own."""
    found, names = Listed(), frozenset(filenames)
    for name in filenames:
        if not (_MADE.fullmatch(name) or name.removesuffix(".asc") in names - {name}):
            found.add_named(name)
    found.refused += [{"file": name, "why": "it is a directory"} for name in directories if not name.startswith(".")]
    return found.in_order()


def _splits(stem: str) -> Iterator[tuple[str, str]]:
    """All ways to split NAME-VERSION, the longest name first, because both can contain hyphens."""
    parts = stem.lower().split("-")
    for position in range(len(parts) - 1, 0, -1):
        yield "-".join(parts[:position]), "-".join(parts[position:])
