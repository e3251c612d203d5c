"""`moonbase log`: the administrator's commands for the transparency log, and `moonbase-verify` against the server."""

import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.client import multipart
from tests.luarocks.builders import rockspec
from tests.servers import moonbase, serving

VERIFY = Path(__file__).parents[2] / "moonbase-verify"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Alice has published `say`, and a client has verified it."""
    directory, content = tmp_path / "data", rockspec("say", "1.0-1")
    file = tmp_path / "say-1.0-1.rockspec"
    file.write_bytes(content)
    with serving(directory, "--workers", "1") as server:
        moonbase(directory, "user", "create", "Alice", "--email", "alice@example.org")
        key = moonbase(directory, "key", "create", "alice", "--service", "luarocks", "--comment", "CI")["key"]
        body = multipart({}, {"rockspec_file": (file.name, content)})
        request = urllib.request.Request(
            f"{server.url}/api/1/{key}/upload", body, {"Content-Type": "multipart/form-data; boundary=BoundaryQ"}
        )
        urllib.request.urlopen(request, timeout=30).close()
        moonbase(directory, "jobs", "run")
        shown = moonbase(directory, "log", "show")
        command = [sys.executable, VERIFY, "--key", shown["keys"][0], "--url", f"{server.url}/log", "--work"]
        done = subprocess.run([*command, "luarocks/alice/say", file], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        file.write_bytes(content + b"\n")
        done = subprocess.run([*command, "luarocks/alice/say", file], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
    return directory


def shown(data: Path) -> Any:
    return moonbase(data, "log", "show")


def test_the_log_is_shown_and_verified(data: Path, tmp_path: Path) -> None:
    found = shown(data)
    assert (found["origin"], found["size"], len(found["keys"]), found["retired"]) == (
        "moonbase.localhost/log",
        1,
        1,
        [],
    )
    older = tmp_path / "checkpoint"
    older.write_text(found["checkpoint"])
    assert moonbase(data, "log", "verify", "--since", str(older)) == {"entries": 1, "files": 1, "faults": []}
    older.write_text("no checkpoint")
    done = warm.run(("--data", str(data), "log", "verify", "--since", str(older)))
    assert (done.returncode, done.stderr) == (
        1,
        "moonbase: This is no checkpoint: it needs an origin, a size and a root, each on a line.\n",
    )


def test_an_entry_is_shown_with_its_actor_until_that_is_erased(data: Path) -> None:
    entry = moonbase(data, "log", "entry", "0")
    assert (entry["name"], entry["version"], entry["action"]) == ("alice/say", "1.0-1", "publish")
    assert (entry["actor_name"], entry["actor_key"], entry["actor_address"]) == ("Alice", "CI", "127.0.0.1")
    assert moonbase(data, "log", "erase", "alice", "--yes") == {"erased": 1}
    entry = moonbase(data, "log", "entry", "0")
    assert (entry["actor_name"], entry["actor_key"], entry["actor_address"]) == ("erased", None, None)
    assert moonbase(data, "log", "verify")["faults"] == []


def test_keys_are_rotated_and_retired(data: Path) -> None:
    old = shown(data)["keys"]
    new = moonbase(data, "log", "rotate-key", "--origin", "rocks.example.org/log")
    assert shown(data)["keys"] == [*old, new["key"]]
    assert [row["key"] for row in moonbase(data, "log", "retire-keys")] == old
    assert (shown(data)["keys"], shown(data)["retired"]) == ([new["key"]], old)
