"""Locks exclude threads of this process and other processes."""

import fcntl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chalicelib.core import locks
from chalicelib.core.locks import Lock

HOLDER = """
import sys
from pathlib import Path
from chalicelib.core import locks
locks.share(Path(sys.argv[1]))
with locks.Lock("x").held():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["alone", "shared"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | None]:
    directory = tmp_path / "locks" if request.param == "shared" else None
    locks.share(directory)
    yield directory
    locks.share(None)


def test_threads_hold_the_lock_one_at_a_time(shared: Path | None) -> None:
    lock, holders, maximum = Lock("x"), 0, 0

    def work(_: int) -> None:
        nonlocal holders, maximum
        for _ in range(200):
            with lock.held():
                holders += 1
                maximum = max(maximum, holders)
                holders -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert (holders, maximum) == (0, 1)


def test_an_exception_releases_the_lock(shared: Path | None) -> None:
    lock = Lock("x")
    with pytest.raises(KeyError), lock.held():
        raise KeyError
    with lock.held():
        pass


def test_different_locks_are_independent(shared: Path | None) -> None:
    with Lock("x").held(), Lock("y").held():
        pass


@pytest.mark.parametrize("shared", ["shared"], indirect=True)
def test_a_lock_of_another_process_is_released_at_its_death(shared: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(shared)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        acquired = threading.Event()

        def acquire() -> None:
            with Lock("x").held():
                acquired.set()

        waiting = threading.Thread(target=acquire)
        waiting.start()
        with (shared / "x").open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not acquired.is_set()
        holder.kill()
        waiting.join(30)
        assert acquired.is_set()
