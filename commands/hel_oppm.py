"""`moonbase hel import oppm`: the programs of an OPPM repository as packages."""

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from chalicelib.hel.oppm.programs import Repository

_FOLDER = "repository"  # of all files in the zip of a commit
_MOST_BYTES = 64 * 1024 * 1024  # of a repository
_MOST_LISTED = 1000  # files of a folder
_SHORT = re.compile(r"[\w.-]+/[\w.-]+")


@click.group("import")
def import_() -> None:
    """Publish packages from elsewhere."""


@import_.command()
@click.argument("source")
@click.option("--account", required=True, metavar="NAME", help="The account that will own the packages.")
@click.option("--url", required=True, help="The address that players use, for the files: http://hel.example.org")
def oppm(source: str, account: str, url: str) -> dict[str, Any]:
    """Publish all programs in the programs.cfg of SOURCE.

    SOURCE is a directory, OWNER/REPO at GitHub, or the URL of a Git repository. The files are stored here. OPPM has no
    versions: a program that has changed since the last import gets a version with the date. What Hel cannot say is
    listed in `notes`.
    """
    from chalicelib.core.caller import Caller
    from chalicelib.core.identity import accounts
    from chalicelib.core.tables import Credential
    from chalicelib.hel.oppm import imports

    caller = Caller(accounts.named(account), Credential("", "credential"))  # a key without a scope
    return asdict(imports.publish(caller, _source(source), url))


def _source(source: str) -> "Repository":
    if Path(source).is_dir():
        return _Folder(Path(source))
    return _Commit(f"https://github.com/{source}.git" if _SHORT.fullmatch(source) else source)


class _Folder:
    """A directory. Links that lead out of it are not followed, and `.git` is no part of it."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read(self, path: str) -> bytes | None:
        found = self._find(path)
        try:
            if found is None or not found.is_file():
                return None
            _check_size(path, found.stat().st_size)
            return found.read_bytes()
        except OSError:  # too long a name, or no right to read
            return None

    def below(self, folder: str) -> Sequence[str]:
        top = self._find(folder)
        names: list[str] = []
        for found in top.rglob("*") if top is not None else ():
            inner = found.relative_to(self._root)
            if ".git" not in inner.parts and found.is_file() and not found.is_symlink():
                names.append(found.relative_to(top or found).as_posix())
            if len(names) > _MOST_LISTED:
                break
        return sorted(names)

    def _find(self, path: str) -> Path | None:
        """The file or directory; None outside of this directory."""
        try:
            found = (self._root / path).resolve()
        except (OSError, ValueError):  # too long, or a NUL
            return None
        return found if found.is_relative_to(self._root) else None


class _Commit:
    """The newest commit of the default branch of a Git repository."""

    def __init__(self, url: str) -> None:
        from chalicelib.core.outbound import git

        fetched = git.fetch(url, git.GitCaps(written=_MOST_BYTES, zipped=_MOST_BYTES), None, _FOLDER)
        self._archive = zipfile.ZipFile(io.BytesIO(fetched.content))
        members = (info.filename.removeprefix(f"{_FOLDER}/") for info in self._archive.infolist() if not info.is_dir())
        self._members = frozenset(members)

    def read(self, path: str) -> bytes | None:
        if path not in self._members:
            return None
        _check_size(path, self._archive.getinfo(f"{_FOLDER}/{path}").file_size)
        return self._archive.read(f"{_FOLDER}/{path}")

    def below(self, folder: str) -> Sequence[str]:
        start = f"{folder}/" if folder else ""
        return sorted(name.removeprefix(start) for name in self._members if name.startswith(start))


def _check_size(path: str, size: int) -> None:
    """Raise TooLarge for a file that cannot be stored."""
    from chalicelib.core.errors import TooLarge
    from chalicelib.hel import files

    if size > files.largest():
        raise TooLarge(f"{path} is larger than {files.largest()} bytes.")
