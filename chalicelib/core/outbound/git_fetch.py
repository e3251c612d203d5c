"""Fetches a commit from a Git server into a zip. Runs in a child process (git_worker.py) that can be killed."""

import re
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from dulwich.attrs import GitAttributes, compile_gitattributes_patterns, parse_git_attributes
from dulwich.config import ConfigFile, parse_submodules
from dulwich.errors import GitProtocolError
from dulwich.object_store import BaseObjectStore
from dulwich.objects import Blob, Commit, ObjectID, Tag, Tree
from dulwich.repo import Repo

from chalicelib.core.outbound.addresses import ForbiddenAddress
from chalicelib.core.outbound.git_clients import GitClients, Unfetchable
from chalicelib.core.outbound.ssh_urls import resolve

_HASH = re.compile(rb"[0-9a-f]{40}")
_SHORT_HASH = re.compile(r"[0-9a-f]{4,39}")
_FOLDER, _SYMLINK, _SUBMODULE = 0o040000, 0o120000, 0o160000
_KIND = 0o170000
_DEEPEST = 32
_MOST_SUBMODULES = 20
_HISTORY = 50
_LONG_HISTORY = 1000  # commits of each branch that can have a short hash


class Fetcher:
    """Fetches commits with `clients`, and writes at most `written` bytes of files; `scratch` is a directory."""

    def __init__(self, clients: GitClients, written: int, scratch: str) -> None:
        self._clients = clients
        self._left = written
        self._scratch = scratch
        self._submodules = 0

    def commit(self, url: str, ref: str | None) -> tuple[Repo, Commit]:
        """The commit of a branch, tag or hash, by default of the default branch. Raises Unfetchable.

        A hash can be short if it is one of the last thousand commits of a branch or tag.
        """
        try:
            return self._fetch(url, ref, depth=1)
        except Unfetchable:
            if not ref or not _SHORT_HASH.fullmatch(ref):
                raise
            return self._abbreviated(url, ref)

    def _abbreviated(self, url: str, short: str) -> tuple[Repo, Commit]:
        """The commit whose hash begins with `short`. Raises Unfetchable. It needs the history."""

        def choose(refs: Any, depth: int | None = None) -> list[ObjectID]:
            return [refs[name] for name in refs if name.startswith((b"refs/heads/", b"refs/tags/"))]

        repo = Repo.init_bare(tempfile.mkdtemp(dir=self._scratch))
        client, path = self._clients.client(url)
        client.fetch(path, repo, determine_wants=choose, depth=_LONG_HISTORY)
        begun = [repo.object_store[found] for found in repo.object_store if found.startswith(short.encode())]
        commits = [found for found in begun if isinstance(found, Commit)]
        if len(commits) != 1:
            raise Unfetchable(f"Several commits begin with {short}." if commits else _unknown(short))
        return repo, commits[0]

    def subjects(self, url: str, commit: Commit, previous: str) -> list[str]:
        """First lines of the commits since `previous`, newest first; empty if it is not among the last fifty."""
        repo, newest = self._fetch(url, commit.id.decode(), depth=_HISTORY, filter_spec=b"tree:0")
        found: list[str] = []
        for entry in repo.get_walker(include=[newest.id], max_entries=_HISTORY):
            if entry.commit.id == previous.encode():
                return found
            if len(entry.commit.parents) < 2:
                found.append(_subject(entry.commit))
        return []

    def write_zip(self, url: str, repo: Repo, commit: Commit, prefix: str, target: str) -> None:
        """Write the commit's files, below the folder `prefix`, as `git archive` would. Raises Unfetchable."""
        moment = max(time.gmtime(commit.commit_time)[:6], (1980, 1, 1, 0, 0, 0))
        with ZipFile(target, "w", ZIP_DEFLATED) as archive:
            for path, content in self._files(url, repo.object_store, commit.tree, _DEEPEST):
                self._left -= len(content)
                if self._left < 0:
                    raise Unfetchable("The files of the repository are too large.")
                entry = ZipInfo(f"{prefix}/{path}", moment)
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, content, ZIP_DEFLATED)

    def _fetch(self, url: str, ref: str | None, depth: int, filter_spec: bytes | None = None) -> tuple[Repo, Commit]:
        wanted: list[ObjectID] = []

        def choose(refs: Any, depth: int | None = None) -> list[ObjectID]:
            wanted[:] = [_find(refs, ref)]
            return wanted

        repo = Repo.init_bare(tempfile.mkdtemp(dir=self._scratch))
        client, path = self._clients.client(url)
        client.fetch(path, repo, determine_wants=choose, depth=depth, filter_spec=filter_spec)
        found = repo.object_store[wanted[0]]
        while isinstance(found, Tag):
            found = repo.object_store[found.object[1]]
        if not isinstance(found, Commit):
            raise Unfetchable(f"{ref} is no commit.")
        return repo, found

    def _files(self, url: str, store: BaseObjectStore, tree: ObjectID, deepest: int) -> Any:
        """(path, content) of every file, including submodules; without export-ignored files and symbolic links."""
        root = cast(Tree, store[tree])
        attributes = GitAttributes(
            _patterns(store, root, b""),
            directory_loader=lambda path: _patterns(store, _tree_at(store, root, path), path),
        )
        submodules = _submodules(store, root)
        pending: list[tuple[bytes, Tree, int]] = [(b"", root, deepest)]
        while pending:
            parent, folder, depth = pending.pop()
            for entry in folder.iteritems():
                path = parent + entry.path
                if attributes.match_path(path).get(b"export-ignore") is True:
                    continue
                kind = entry.mode & _KIND
                if kind == _FOLDER:
                    if not depth:
                        raise Unfetchable("The folders of the repository are too deep.")
                    pending.append((path + b"/", cast(Tree, store[entry.sha]), depth - 1))
                elif kind == _SUBMODULE:
                    yield from self._submodule(url, submodules.get(path), path, entry.sha, depth)
                elif kind != _SYMLINK:
                    yield path.decode(errors="replace"), cast(Blob, store[entry.sha]).data

    def _submodule(self, url: str, address: bytes | None, path: bytes, commit: ObjectID, depth: int) -> Any:
        self._submodules += 1
        if address is None or not depth or self._submodules > _MOST_SUBMODULES:
            raise Unfetchable(f"The submodule {path.decode(errors='replace')} cannot be fetched.")
        submodule_url = resolve(url, address.decode(errors="replace"))
        repo, found = self._fetch(submodule_url, commit.decode(), depth=1)
        for name, content in self._files(submodule_url, repo.object_store, found.tree, depth - 1):
            yield f"{path.decode(errors='replace')}/{name}", content


def fetch(request: dict[str, Any], scratch: str) -> dict[str, Any]:
    """The response to a request of git_worker.py, see git.fetch.

    Raises Unfetchable, ForbiddenAddress, and the errors of dulwich.
    """
    url = request["url"]
    clients = GitClients(request)
    fetcher = Fetcher(clients, request["written"], scratch)
    repo, commit = fetcher.commit(url, request["ref"])
    fetcher.write_zip(url, repo, commit, request["prefix"], request["target"])
    subjects: Sequence[str] = []
    if request["previous"] and request["previous"] != commit.id.decode():
        with suppress(GitProtocolError, Unfetchable, ForbiddenAddress, KeyError):  # release notes are optional
            subjects = fetcher.subjects(url, commit, request["previous"])
    return {
        "commit": commit.id.decode(),
        "subjects": subjects,
        "host_keys": clients.host_keys,
        "author": commit.author.decode(errors="replace").partition(" <")[0],
        "subject": _subject(commit),
        "time": commit.commit_time,
    }


def _find(refs: dict[bytes, ObjectID], ref: str | None) -> ObjectID:
    name = (ref or "HEAD").encode()
    for candidate in (b"refs/heads/" + name, b"refs/tags/" + name, name):
        if candidate in refs and (candidate == b"HEAD" or candidate.startswith(b"refs/")):
            return refs[candidate]
    if _HASH.fullmatch(name):
        return ObjectID(name)
    raise Unfetchable(_unknown(ref) if ref else "The repository is empty.")


def _unknown(ref: str) -> str:
    return f"There is no branch or tag {ref} in the repository."


def _subject(commit: Commit) -> str:
    return str(commit.message.decode(errors="replace")).strip().partition("\n")[0][:200]


def _tree_at(store: BaseObjectStore, root: Tree, path: bytes) -> Tree:
    return cast(Tree, store[root.lookup_path(store.__getitem__, path)[1]])


def _text_in(store: BaseObjectStore, folder: Tree, name: bytes) -> bytes:
    """The content of a file in a folder; empty if it is missing or not a regular file."""
    if name not in folder or folder[name][0] & _KIND != 0o100000:
        return b""
    return cast(Blob, store[folder[name][1]]).data


def _patterns(store: BaseObjectStore, folder: Tree, path: bytes) -> Any:
    from io import BytesIO

    text = _text_in(store, folder, b".gitattributes")
    return compile_gitattributes_patterns(parse_git_attributes(BytesIO(text)), base=path)


def _submodules(store: BaseObjectStore, root: Tree) -> dict[bytes, bytes]:
    """The URLs of submodules, by path."""
    from io import BytesIO

    config = ConfigFile.from_file(BytesIO(_text_in(store, root, b".gitmodules")))
    return {path: url for path, url, _ in parse_submodules(config)}
