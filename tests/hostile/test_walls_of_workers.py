"""Native code in a confined worker, which an evaluator or a decoder with a hole would run, reaches nothing."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.workers import Confined, Stopped
from chalicelib.core.errors import Busy
from tests.hostile import payloads

ROOT = Path(__file__).parents[2]
LIMITS = Limits(seconds=5.0, cpu_seconds=2, memory=256 << 20)
USERS = {"root or this user": "native", "nobody": "native_as_nobody"}
NOBODY = 65534
ON_PROCESSES = ("ptrace", "process_vm_readv", "process_vm_writev", "pidfd", "kill")
FAILING_OUTSIDE = {"exec"}  # the program does not exist, so that the attacker survives


@contextmanager
def confined(factory: str, sample: bytes = b"", limits: Limits = LIMITS) -> Iterator[Confined]:
    worker = Confined(f"tests.hostile.payloads:{factory}", sample, limits)
    try:
        yield worker
    finally:
        worker.close()


@pytest.fixture(scope="module", params=USERS.values(), ids=USERS)
def attacker(request: pytest.FixtureRequest) -> Iterator[Confined]:
    """Workers that carry out native attacks, as two users."""
    with confined(request.param) as worker:
        yield worker


@pytest.fixture(scope="module")
def victim(attacker: Confined) -> Iterator[int]:
    """A process of the attacker's user."""
    user = NOBODY if os.geteuid() == 0 and attacker.factory.endswith("nobody") else None
    with subprocess.Popen(["sleep", "300"], user=user) as process:
        yield process.pid
        assert process.poll() is None
        process.kill()


def is_refused(attacker: Confined, name: str, *arguments: Any) -> bool:
    """Whether the attack ended the worker instead of having a result."""
    return is_stopped(attacker, json.dumps([name, arguments]).encode())


def is_stopped(worker: Confined, payload: bytes) -> bool:
    try:
        worker.run(payload)
    except Stopped:
        return True
    return False


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_the_attacks_work_outside_of_the_walls(user: str) -> None:
    request = json.dumps([user == "native_as_nobody", [*payloads.ATTACKS]])
    command = [sys.executable, "-m", "tests.hostile.payloads", request]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60)
    assert {name for name, result in json.loads(done.stdout).items() if result < 0} == FAILING_OUTSIDE


@pytest.mark.parametrize("name", payloads.ATTACKS)
def test_the_walls_refuse(attacker: Confined, victim: int, name: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    arguments = payloads.targets(name, str(tmp_path), victim)
    before = [(path, path.stat().st_mode, path.read_text()) for path in tmp_path.iterdir()]
    assert is_refused(attacker, name, *arguments)
    assert [(path, path.stat().st_mode, path.read_text()) for path in tmp_path.iterdir()] == before


def test_the_server_its_child_and_other_workers_are_out_of_reach(attacker: Confined) -> None:
    attacker.run(b"")
    child = next(
        pid for pid in children(os.getpid()) if f'"{attacker.factory}"' in Path(f"/proc/{pid}/cmdline").read_text()
    )
    wait_for(lambda: len(children(child)) == 1)  # a worker that is ready for the next request
    sleeper = threading.Thread(target=is_stopped, args=[attacker, payloads.SLEEP])
    sleeper.start()
    wait_for(lambda: len(children(child)) == 2)
    sibling = min(children(child))
    for pid in (os.getpid(), child, sibling):
        for name in ON_PROCESSES:
            assert is_refused(attacker, name, *payloads.targets(name, "", pid))
            assert Path(f"/proc/{pid}/status").exists()
    assert sleeper.is_alive()
    sleeper.join()


def test_without_filters_the_servers_memory_and_files_are_still_out_of_reach() -> None:
    with confined("without_filter") as attacker:
        for name in ("ptrace", "process_vm_readv", "process_vm_writev"):
            result = attacker.run(json.dumps([name, payloads.targets(name, "", os.getpid())]).encode())
            assert json.loads(result) < 0
        for path in (f"/proc/{os.getpid()}/environ", f"/proc/{os.getpid()}/mem", "/etc/passwd"):
            assert json.loads(attacker.run(json.dumps(["open", [path]]).encode())) < 0


def test_a_forbidden_system_call_is_reported_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    with confined("native") as attacker:
        assert is_refused(attacker, "fork")
        wait_for(lambda: "tests.hostile.payloads:native made a forbidden system call" in capfd.readouterr().err)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_work_that_its_own_walls_forbid_is_reported_and_unavailable(capfd: pytest.CaptureFixture[str]) -> None:
    with confined("never_works") as worker, pytest.raises(Busy):
        worker.run(b"")
    assert "tests.hostile.payloads:never_works does not work in its confinement" in capfd.readouterr().err


def test_a_worker_has_no_environment_and_no_module_of_the_app() -> None:
    with confined("environment") as worker:
        variables, modules = json.loads(worker.run(b""))
        assert set(variables) <= {"LD_LIBRARY_PATH", "LC_CTYPE"}
        assert {name for name in modules if not name.startswith("chalicelib.core.confinement")} == {"chalicelib.core"}


@pytest.mark.parametrize("payload", [b"raise", b"loop", b"memory"])
def test_work_that_fails_or_takes_too_much_is_stopped(payload: bytes) -> None:
    with confined("misbehaving", limits=Limits(seconds=1.0, cpu_seconds=1, memory=64 << 20)) as worker:
        with pytest.raises(Stopped):
            worker.run(payload)
        assert worker.run(b"") == b""


def test_an_answer_that_is_too_long_is_refused() -> None:
    with confined("misbehaving", limits=LIMITS._replace(answer=10)) as worker, pytest.raises(Stopped):
        worker.run(b"long")


def test_payloads_and_answers_of_megabytes_pass() -> None:
    content = os.urandom(20 << 20)
    with confined("echo", limits=LIMITS._replace(answer=32 << 20)) as worker:
        assert worker.run(content) == content


def test_images_are_decoded_within_the_walls() -> None:
    small = encoded("PNG", 8)
    with confined("images", small, LIMITS._replace(memory=384 << 20)) as worker:
        for kind in ("PNG", "JPEG", "WEBP"):
            assert json.loads(worker.run(encoded(kind, 1500))) == [1500, 1500]


def encoded(kind: str, size: int) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((size, size), 80).convert("RGB").save(file, kind)
    return file.getvalue()


def test_markdown_is_rendered_within_the_walls() -> None:
    with confined("text", b"# warm\n\n* up", LIMITS) as worker:
        assert worker.run(b"*a* <b onclick=x>") == b"<p><em>a</em> <b></b></p><b>\n</b>"
