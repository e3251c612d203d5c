"""Fetches one commit of a package's Git repository as a zip.

A separate process parses the data of the Git server. It has no secrets, and limits of memory, time and disk.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalicelib import settings
from chalicelib.contentdb.releases import archive
from chalicelib.core.errors import Invalid

_MOST_RECEIVED = 128 * 1024 * 1024  # bytes
_TIMEOUT = 150.0  # seconds for the whole fetch; on Lambda jobs have 300


@dataclass(frozen=True)
class Fetched:
    """A commit: its zip, its hash, and the subjects of the commits since the previous release."""

    content: bytes
    commit: str
    subjects: list[str]


def fetch(url: str, ref: str | None, prefix: str, previous: str | None) -> Fetched:
    """Fetch `ref` (a branch, tag or hash; None: the default branch) of the repository at `url`.

    `prefix` is the folder of all files in the zip, `previous` the commit of the last release. Raises Invalid.
    """
    if urlsplit(url).scheme not in ("http", "https") or urlsplit(url).username:
        raise Invalid("The repository's address must start with http:// or https://, and name no user.")
    with tempfile.TemporaryDirectory(prefix="moonbase-git-") as scratch:
        target = Path(scratch) / "release.zip"
        response = _run_child(
            {
                "url": url,
                "ref": ref or None,
                "prefix": prefix,
                "previous": previous,
                "networks": settings.current().contentdb_git_networks,
                "received": _MOST_RECEIVED,
                "written": archive.LARGEST,
                "largest_file": 2 * _MOST_RECEIVED,
                "scratch": scratch,
                "target": str(target),
            },
            scratch,
        )
        largest = settings.current().contentdb_max_upload
        if target.stat().st_size > largest:
            raise Invalid(f"The repository makes a zip of more than {largest} bytes.")
        return Fetched(target.read_bytes(), str(response["commit"]), list(response["subjects"]))


def _run_child(request: dict[str, Any], home: str) -> dict[str, Any]:
    """The child's response. Raises Invalid with its error, or if it was stopped."""
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HOME": home, "TMPDIR": home}
    if libraries := os.environ.get("LD_LIBRARY_PATH"):
        environment["LD_LIBRARY_PATH"] = libraries
    try:
        done = subprocess.run(
            [sys.executable, "-m", "chalicelib.contentdb.releases.git_child"],
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
            env=environment,
            timeout=_TIMEOUT,
            check=False,
        )
        response: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise Invalid("The Git server is too slow.") from None
    except ValueError:
        raise Invalid("The repository is too large, or cannot be read.") from None
    if "error" in response:
        raise Invalid(str(response["error"]))
    return response
