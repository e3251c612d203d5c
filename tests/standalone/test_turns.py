"""Turns between processes: one at a time for each name, and none is lost with the process that had it."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from standalone.turns import Turns
from tests.servers import MOONBASE

HOLD = """
import sys, time
from pathlib import Path
from standalone.turns import Turns
with Turns(Path(sys.argv[1]))("rocks"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[Turns]:
    turns = Turns(tmp_path)
    yield turns
    turns.close()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process, which has the turn called `rocks`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=MOONBASE.parent, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def take(turns: Turns, name: str) -> threading.Event:
    """Told when the turn was had."""
    had = threading.Event()

    def wait() -> None:
        with turns(name):
            had.set()

    threading.Thread(target=wait, daemon=True).start()
    return had


def test_a_turn_that_another_process_has_is_waited_for(turns: Turns, holder: "subprocess.Popen[bytes]") -> None:
    had = take(turns, "rocks")
    assert not had.wait(0.3)
    holder.send_signal(signal.SIGKILL)
    assert had.wait(10)


def test_other_names_are_free(turns: Turns, holder: "subprocess.Popen[bytes]") -> None:
    assert take(turns, "packages").wait(10)


def test_a_turn_ends_with_its_block_however_that_ended(turns: Turns, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), turns("rocks"):
            raise ZeroDivisionError
    other = Turns(tmp_path)
    assert take(other, "rocks").wait(10)
    other.close()
