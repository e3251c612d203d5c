"""Fetches one commit of a Git repository as a zip, and finds the newest one.

A confined process parses the data of the Git server. It has no secrets and writes to its scratch directory only, under
limits of memory, time and disk.
"""

import json
import os
import stat
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalicelib import settings
from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.workers import Confined, Stopped, TimedOut
from chalicelib.core.errors import Invalid
from chalicelib.core.outbound import ssh_keys, ssh_urls
from chalicelib.core.outbound.agent import git_user_agent
from chalicelib.core.outbound.pools import proxies_of_environment

_MOST_RECEIVED = 128 * 1024 * 1024  # bytes
_MOST_LOOKED_AT = 32 * 1024 * 1024  # bytes, to find the newest commit
_TARGET = "commit.zip"  # in the scratch directory
_UNREADABLE = "The repository is too large, or cannot be read."

_LIMITS = Limits(
    seconds=150.0,  # on Lambda jobs have 300
    cpu_seconds=100,
    memory=768 * 1024 * 1024,
    network=True,
    largest_file=2 * _MOST_RECEIVED,
)
FETCHER = Confined("chalicelib.core.outbound.git_worker:make", b"{}", _LIMITS)
SSH_FETCHER = Confined(
    "chalicelib.core.outbound.git_worker:make_with_ssh", b"{}", _LIMITS._replace(threads=True), at_once=2
)


@dataclass(frozen=True)
class GitCaps:
    """The limits of a fetch in bytes: received from the server, of all files together, and of the zip."""

    written: int
    zipped: int
    received: int = _MOST_RECEIVED


@dataclass(frozen=True)
class Fetched:
    """A commit: its zip, its hash, the subjects of the commits since a previous one, and what it says of itself."""

    content: bytes
    commit: str
    subjects: list[str]
    author: str  # the name
    subject: str
    committed_at: datetime


@dataclass(frozen=True)
class Newest:
    """The newest commit of a branch; or the newest tag with its commit, and its message if it is annotated."""

    commit: str
    tag: str | None
    notes: str | None


def newest(url: str, *, branch: str | None = None, tags: bool = False, owner: str | None = None) -> Newest | None:
    """The newest commit of a branch (None: the default one) or, with `tags`, the tag that was created last.

    None if there are no tags. A repository over SSH is read with the key of `owner`. Raises Invalid or Busy.
    """
    request = {"look": "tag" if tags else "commit", "ref": branch, "received": _MOST_LOOKED_AT}
    with tempfile.TemporaryDirectory(prefix="moonbase-git-") as scratch:
        found = _ask(url, request, Path(scratch), owner)["found"]
    return Newest(**found) if found else None


def fetch(
    url: str, caps: GitCaps, ref: str | None, prefix: str, previous: str | None = None, owner: str | None = None
) -> Fetched:
    """Fetch `ref` (a branch, tag or hash; None: the default branch) of the repository at `url`.

    `prefix` is the folder of all files in the zip, `previous` the commit after which `subjects` begin. A repository
    over SSH is fetched with the key of `owner`, see ssh_keys. Raises Invalid or Busy.
    """
    request = {
        "ref": ref or None,
        "prefix": prefix,
        "previous": previous,
        "received": caps.received,
        "written": caps.written,
        "target": _TARGET,
    }
    with tempfile.TemporaryDirectory(prefix="moonbase-git-") as scratch:
        response = _ask(url, request, Path(scratch), owner)
        content = _read(Path(scratch) / _TARGET, caps.zipped)
    return Fetched(
        content,
        str(response["commit"]),
        list(response["subjects"]),
        str(response["author"]),
        str(response["subject"]),
        _time(response["time"]),
    )


def _ask(url: str, request: dict[str, Any], scratch: Path, owner: str | None) -> dict[str, Any]:
    """The worker's response to a request about the repository at `url`; see `fetch`. Raises Invalid or Busy."""
    address = ssh_urls.parse(url)
    if not address and (urlsplit(url).scheme not in ("http", "https") or urlsplit(url).username):
        raise Invalid(
            "The repository's address must start with http://, https:// or ssh://, and name no user for http."
        )
    request = {
        **request,
        "url": url,
        "ssh": ssh_keys.identity(owner) if address else None,
        "networks": settings.current().outbound_networks,
        "proxies": proxies_of_environment(),
        "agent": git_user_agent(),
    }
    response = _run_worker(SSH_FETCHER if address else FETCHER, request, scratch)
    if address and owner:
        ssh_keys.pin(owner, response["host_keys"])
    return response


def _time(seconds: Any) -> datetime:
    """A commit's time in UTC. Its author can write any number."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise Invalid("The commit has no valid time.") from None


def _run_worker(worker: Confined, request: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """The worker's response. Raises Invalid with its error, or if it was stopped."""
    try:
        response: dict[str, Any] = json.loads(worker.run(json.dumps(request).encode(), scratch))
    except TimedOut:
        raise Invalid("The Git server is too slow.") from None
    except (Stopped, ValueError):
        raise Invalid(_UNREADABLE) from None
    if "error" in response:
        raise Invalid(str(response["error"]))
    return response


def _read(target: Path, largest: int) -> bytes:
    """The zip that the worker wrote. Raises Invalid if it is too large.

    A link is refused: a hostile server that controls the worker could name a file that only this process can read.
    """
    try:
        descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        raise Invalid(_UNREADABLE) from None
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(largest + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    if len(content) > largest:
        raise Invalid(f"The repository makes a zip of more than {largest} bytes.")
    return content
