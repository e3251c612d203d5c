"""The server tests whether the system confines its workers, and says where it does not."""

import json
import re
import subprocess
from pathlib import Path

from chalicelib.core.confinement import self_test
from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.workers import Confined
from infra.ports import free_port
from tests.hostile import payloads
from tests.servers import CHECKOUT, serving

# The system then calls itself 32-bit, for which there is no filter.
WITHOUT_WALLS = ("setarch", "linux32", *CHECKOUT)


def test_this_system_has_all_walls() -> None:
    assert self_test.missing_walls() == []


def test_a_server_without_walls_works_warns_and_is_degraded(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--workers", "1", program=WITHOUT_WALLS) as server:
        assert server.get("/healthz?deep=1") == (
            200,
            b'{"status":"ok","checks":{"confinement":"degraded","tables":"ok"}}',
        )
        assert server.upload_rockspec(server.make_key("alice"))[0] == 200
    log = (tmp_path / "server.log").read_text()
    for wall in ("the seccomp filter", "Landlock"):
        assert f"WARNING chalicelib.core.confinement.self_test: {wall} is not available" in log


def test_no_process_of_the_server_shows_its_memory(tmp_path: Path) -> None:
    attacker = Confined(
        "tests.hostile.payloads:without_filter", b"", Limits(seconds=5.0, cpu_seconds=2, memory=256 << 20)
    )
    with serving(tmp_path / "data", "--workers", "1", "--dns-port", str(free_port())) as server:
        assert server.upload_rockspec(server.make_key("alice"))[0] == 200
        processes = [server.process.pid, *descendants(server.process.pid)]
        assert len(processes) >= 4  # with a worker, the name server, and the child of the worker
        for pid in processes:
            for name in ("ptrace", "process_vm_readv"):
                request = json.dumps([name, payloads.targets(name, "", pid)]).encode()
                assert json.loads(attacker.run(request)) < 0, Path(f"/proc/{pid}/cmdline").read_text()
    attacker.close()


def descendants(pid: int) -> list[int]:
    """The running child processes, and theirs, without the resource tracker of multiprocessing: it has no secrets."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    lines = [line for line in listed.stdout.splitlines() if not re.search("resource_tracker|defunct", line)]
    children = [int(line.split()[0]) for line in lines]
    return [*children, *(below for child in children for below in descendants(child))]
