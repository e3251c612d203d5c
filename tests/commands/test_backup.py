"""export, import and fsck on the command line, also while a server is running."""

import json
import subprocess
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.luarocks.builders import rockspec
from tests.servers import moonbase, serving


def run(data: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return warm.run(("--data", str(data), *arguments), timeout=120)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with an account, a published rockspec, and a second factor."""
    data = tmp_path_factory.mktemp("full") / "data"
    with serving(data, "--workers", "1") as server:
        key = server.make_key("alice")
        assert server.upload_rockspec(key)[0] == 200
    moonbase(data, "two-factor", "enable", "alice")
    return data


def test_an_export_can_be_imported_elsewhere(full: Path, tmp_path: Path) -> None:
    exported = moonbase(full, "export", str(tmp_path / "x.tar"))
    assert exported == {
        "file": str(tmp_path / "x.tar"),
        "key": str(tmp_path / "x.tar.key"),
        "items": exported["items"],
        "secrets": 2,  # of the second factor, and the key of the log
        "blobs": 1,
        "bytes": len(rockspec()),
    }
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    imported = moonbase(tmp_path / "new", "import", str(tmp_path / "x.tar"))
    assert imported == {name: exported[name] for name in ("items", "secrets", "blobs", "bytes")}
    assert moonbase(tmp_path / "new", "user", "list") == moonbase(full, "user", "list")
    assert moonbase(tmp_path / "new", "fsck")["faults"] == []
    with serving(tmp_path / "new", "--workers", "1") as server:
        assert server.get("/say-1.0-1.rockspec") == (200, rockspec())


def test_an_export_is_consistent_while_clients_write(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--workers", "1") as server:
        key, begun, over = server.make_key("alice"), threading.Event(), threading.Event()

        def publish() -> None:
            number = 0
            while not over.is_set():
                number += 1
                assert server.upload_rockspec(key, f"{number}.0-1")[0] == 200
                begun.set()

        with urllib.request.urlopen(f"{server.url}/healthz", timeout=30):
            writer = threading.Thread(target=publish)
            writer.start()
            assert begun.wait(60)
        exported = moonbase(tmp_path / "data", "export", str(tmp_path / "x.tar"))
        over.set()
        writer.join()
    moonbase(tmp_path / "new", "import", str(tmp_path / "x.tar"))
    checked: dict[str, Any] = moonbase(tmp_path / "new", "fsck")
    assert (checked["faults"], exported["blobs"] > 0) == ([], True)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["export", "{x}"], "{x} exists already"),
        (["export", "{dir}/no/such/x.tar"], "no such file or directory"),
        (["import", "{x}"], "It is not a backup of Moonbase, or it is truncated."),
        (["import", "--key", "{dir}/none", "{good}"], "there is no key file {dir}/none; set it with --key"),
        (["import", "{good}"], "There is something stored here already."),
    ],
)
def test_an_error_is_one_line(full: Path, tmp_path: Path, arguments: list[str], error: str) -> None:
    paths = {"x": tmp_path / "x.tar", "dir": tmp_path, "good": tmp_path / "good.tar"}
    paths["x"].write_bytes(b"something else" * 100)
    moonbase(full, "export", str(paths["good"]))
    refused = run(full, "--json", *(argument.format(**paths) for argument in arguments))
    assert refused.returncode == 1
    assert error.format(**paths) in json.loads(refused.stdout)["error"]
    assert len(refused.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.tar", "good.tar.key", "x.tar"]


def test_fsck_exits_with_1_while_inconsistencies_remain(full: Path, tmp_path: Path) -> None:
    moonbase(full, "export", str(tmp_path / "x.tar"))
    data = tmp_path / "data"
    moonbase(data, "import", str(tmp_path / "x.tar"))
    (blob,) = (path for path in (data / "blobs" / "luarocks").rglob("*") if path.is_file())
    blob.rename(tmp_path / "aside")
    found = run(data, "--json", "fsck", "--fix")
    (fault,) = json.loads(found.stdout)["faults"]
    assert (found.returncode, fault["kind"], fault["fixed"]) == (1, "missing-blob", False)
    (tmp_path / "aside").rename(blob)
    draft = blob.with_name(".draft-x")
    draft.write_bytes(b"half")
    subprocess.run(["touch", "-d", "2 days ago", str(draft)], check=True)
    shown = run(data, "fsck")
    assert (shown.returncode, "half-written: blobs: 1 files are unfinished" in shown.stdout) == (1, True)
    fixed = run(data, "fsck", "--fix")
    assert (fixed.returncode, "(fixed)" in fixed.stdout) == (0, True)
    clean = run(data, "fsck")
    assert (clean.returncode, clean.stdout.splitlines()[-1]) == (0, "faults: none")
