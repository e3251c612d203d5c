"""Finds the newest commit of a branch, or the newest tag. Runs in a child process, see git_worker.py."""

import re
import tempfile
from typing import Any

from dulwich.objects import Commit, ObjectID, Tag
from dulwich.refs import Ref
from dulwich.repo import Repo

from chalicelib.core.outbound.git_clients import GitClients, Unfetchable

_TAGS, _PEELED = b"refs/tags/", b"^{}"
_MOST_TAGS = 200  # whose dates are compared: those with the highest numbers in their names
_LONGEST_TAG, _LONGEST_MESSAGE = 255, 10_000
_PART = re.compile(rb"([0-9]+)")


def look(request: dict[str, Any], scratch: str) -> dict[str, Any]:
    """The response to a request of git_worker.py, see git.newest.

    Raises Unfetchable, ForbiddenAddress, and the errors of dulwich.
    """
    clients = GitClients(request)
    client, path = clients.client(request["url"])
    if request["look"] == "tag":
        found = _newest_tag(client, path, scratch)
    else:
        refs = client.get_refs(path.encode()).refs
        wanted = Ref(f"refs/heads/{request['ref']}".encode() if request["ref"] else b"HEAD")
        found = {"commit": _hash(refs.get(wanted), request["ref"]), "tag": None, "notes": None}
    return {"found": found, "host_keys": clients.host_keys}


def _hash(found: ObjectID | None, ref: str | None) -> str:
    if found is None:
        raise Unfetchable(f"There is no branch {ref} in the repository." if ref else "The repository is empty.")
    return found.decode()


def _newest_tag(client: Any, path: str, scratch: str) -> dict[str, Any] | None:
    """The tag that was created last, with its message if it is annotated; None without one."""
    tags: dict[bytes, ObjectID] = {}

    def choose(refs: dict[bytes, ObjectID], depth: int | None = None) -> list[ObjectID]:
        names = [name for name in refs if name.startswith(_TAGS) and not name.endswith(_PEELED)]
        short = sorted((name for name in names if len(name) <= len(_TAGS) + _LONGEST_TAG), key=_natural)
        tags.update((name, refs[name]) for name in short[-_MOST_TAGS:])
        return list(tags.values())

    repo = Repo.init_bare(tempfile.mkdtemp(dir=scratch))
    client.fetch(path, repo, determine_wants=choose, depth=1, filter_spec=b"tree:0")
    dated = [(*known, name) for name, sha in tags.items() if (known := _read(repo, sha))]
    if not dated:
        return None
    _, commit, notes, name = max(dated, key=lambda each: (each[0], _natural(each[3])))
    return {"commit": commit.decode(), "tag": name.removeprefix(_TAGS).decode(errors="replace"), "notes": notes}


def _read(repo: Repo, sha: ObjectID) -> tuple[int, ObjectID, str | None] | None:
    """(date of creation, commit, message) of a tag; None if it is no tag of a commit."""
    found, date, notes = repo.object_store[sha], None, None
    while isinstance(found, Tag):
        if date is None:
            date = found.tag_time
            notes = (found.message or b"").decode(errors="replace").strip()[:_LONGEST_MESSAGE] or None
        found = repo.object_store[found.object[1]]
    if not isinstance(found, Commit):
        return None
    return found.commit_time if date is None else date, found.id, notes


def _natural(name: bytes) -> list[tuple[bool, int, bytes]]:
    """A key for sorting in which `v10` follows `v9`."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in _PART.split(name)]
