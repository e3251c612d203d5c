"""Turns: nobody is at a thing while somebody else is, in this process or beside it."""

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
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | None]:
    directory = tmp_path / "turns" if request.param == "shared" else None
    locks.share(directory)
    yield directory
    locks.share(None)


def test_one_thread_after_the_other_has_its_turn(place: Path | None) -> None:
    lock, at_it, most = Lock("x"), 0, 0

    def work(_: int) -> None:
        nonlocal at_it, most
        for _ in range(200):
            with lock.held():
                at_it += 1
                most = max(most, at_it)
                at_it -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert (at_it, most) == (0, 1)


def test_a_fault_ends_the_turn(place: Path | None) -> None:
    lock = Lock("x")
    with pytest.raises(KeyError), lock.held():
        raise KeyError
    with lock.held():
        pass


def test_different_things_do_not_wait_for_each_other(place: Path | None) -> None:
    with Lock("x").held(), Lock("y").held():
        pass


@pytest.mark.parametrize("place", ["shared"], indirect=True)
def test_another_process_is_waited_for_even_until_its_death(place: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        taken = threading.Event()

        def take() -> None:
            with Lock("x").held():
                taken.set()

        waiting = threading.Thread(target=take)
        waiting.start()
        with (place / "x").open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not taken.is_set()
        holder.kill()
        waiting.join(30)
        assert taken.is_set()
