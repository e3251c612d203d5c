"""Native code in the worker that fetches from Git servers reaches its scratch directory and the network, no more."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core.confinement.workers import Confined
from chalicelib.core.errors import Invalid
from chalicelib.core.outbound import git
from tests.hostile import payloads

LIMITS = git.FETCHER.limits._replace(seconds=10.0)
USERS = {"root or this user": "native", "nobody": "native_as_nobody"}
ON_PROCESSES = ("ptrace", "process_vm_readv", "process_vm_writev", "pidfd", "kill")
ON_FILES = ("open", "create", "truncate", "unlink", "mkdir", "rename", "symlink")
WITHOUT_TARGET = ("memfd", "unix socket", "fork", "exec", "io_uring")


@pytest.fixture(scope="module", params=[False, True], ids=["without threads", "with threads"])
def threads(request: pytest.FixtureRequest) -> bool:
    """Whether the worker is the one for SSH."""
    return bool(request.param)


@pytest.fixture(scope="module", params=USERS.values(), ids=USERS)
def attacker(request: pytest.FixtureRequest, threads: bool) -> Iterator[Confined]:
    worker = Confined(f"tests.hostile.payloads:{request.param}", b"", LIMITS._replace(threads=threads))
    yield worker
    worker.close()


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return shared(tmp_path / "scratch")


def shared(directory: Path) -> Path:
    directory.mkdir()
    directory.chmod(0o777)
    return directory


def contents(directory: Path) -> dict[Path, tuple[int, int, int, str]]:
    """The inode, mode, time of change and text of every file, without its time of access: a test reads the files."""
    status = {path: path.stat() for path in directory.iterdir()}
    return {path: (s.st_ino, s.st_mode, s.st_ctime_ns, path.read_text()) for path, s in status.items()}


def result(attacker: Confined, scratch: Path, name: str, *arguments: Any) -> int:
    return int(json.loads(attacker.run(json.dumps([name, arguments]).encode(), scratch)))


@pytest.mark.parametrize("name", ON_FILES)
def test_files_can_be_used_in_the_scratch_directory_only(
    attacker: Confined, scratch: Path, tmp_path: Path, name: str
) -> None:
    data = shared(tmp_path / "data")
    (path,) = payloads.targets(name, str(data), 0)
    before = contents(data)
    assert result(attacker, scratch, name, path) < 0
    assert contents(data) == before
    if name != "truncate":
        (within,) = payloads.targets(name, str(scratch), 0)
        for file in scratch.iterdir():
            file.chmod(0o666)
        assert result(attacker, scratch, name, Path(within).name) >= 0


def test_modes_of_files_cannot_be_changed(attacker: Confined, scratch: Path, tmp_path: Path) -> None:
    file = tmp_path / "tables.sqlite"
    file.write_text("content")
    before = file.stat().st_mode
    assert result(attacker, scratch, "chmod", str(file)) == 0
    assert stat.S_IMODE(file.stat().st_mode) != 0o777
    assert file.stat().st_mode == before


@pytest.mark.parametrize("name", ON_PROCESSES)
def test_the_server_is_out_of_reach(attacker: Confined, scratch: Path, name: str) -> None:
    assert result(attacker, scratch, name, *payloads.targets(name, "", os.getpid())) < 0


@pytest.mark.parametrize("name", WITHOUT_TARGET)
def test_it_starts_no_program_and_uses_no_local_socket(attacker: Confined, scratch: Path, name: str) -> None:
    assert result(attacker, scratch, name) < 0


@pytest.mark.parametrize("path", ["/proc/{server}/environ", "/proc/self/mem", "/etc/shadow", str(Path.home())])
def test_files_of_the_machine_cannot_be_read(attacker: Confined, scratch: Path, path: str) -> None:
    assert result(attacker, scratch, "open", path.format(server=os.getpid())) < 0


def test_only_the_worker_for_ssh_starts_threads(attacker: Confined, scratch: Path, threads: bool) -> None:
    assert result(attacker, scratch, "thread") == threads


def test_the_worker_for_ssh_has_the_same_limits_otherwise() -> None:
    assert git.SSH_FETCHER.limits._replace(threads=False) == git.FETCHER.limits


def test_it_connects_to_hosts(attacker: Confined, scratch: Path) -> None:
    assert result(attacker, scratch, "socket") >= 0


def test_a_link_in_place_of_the_zip_is_not_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret")
    worker = Confined("tests.hostile.payloads:linking", b"{}", LIMITS)
    monkeypatch.setattr(git, "FETCHER", worker)
    with pytest.raises(Invalid, match="cannot be read"):
        git.fetch(f"http://x{key}", git.GitCaps(written=1000, zipped=1000), None, "mod")
    worker.close()
