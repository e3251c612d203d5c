"""kill -9 during folds: nothing that was published is lost, and fsck finds nothing.

MOONBASE_CRASHES is the number of kills; the default is small.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from infra.stages import ROOT

CRASHES = int(os.environ.get("MOONBASE_CRASHES", "3"))

# Publishes users of Hel's list and folds after every third change; every shard is a blob of its own, and what a newer
# fold covers is dropped at once. Prints the number of each committed change.
WORK = """
import sys
from pathlib import Path
from standalone.runtime import open_data
open_data(Path(sys.argv[1]))
from chalicelib.core.catalogues import change_log, stored
from chalicelib.hel.entry import UserEntry
from chalicelib.hel.tables import User
from chalicelib.hel import users
stored.INLINE, change_log.KEEP_FOLDED, change_log.LARGE_ENTRY = 1, -1, 20
for number in range(int(sys.argv[2]), 10**9):
    key = str(number % 200)
    def decide(snapshot, writes):
        users._write(writes, key, UserEntry(nickname=f"user{number}", groups=("user",)))
        return {key: UserEntry(nickname=f"user{number}", groups=("user",))}, None
    users.catalogue.publish(decide)
    print(number, flush=True)
    if number % 3 == 0:
        users.catalogue.fold()
"""

# Prints the differences between the list and the table, and what fsck finds; then the entries.
CHECK = """
import sys
from pathlib import Path
from standalone.runtime import open_data
open_data(Path(sys.argv[1]))
from chalicelib.core import fsck
from chalicelib.hel import users
entries = {key: entry.value for key, entry in users.catalogue.snapshot().entries.items()}
found = list(map(str, fsck.check(fsck.FsckScan(), lambda _: None)))
print(entries == dict(users.entities()), found, *(entry.nickname for entry in entries.values()), sep="\\n")
"""


def command(program: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", program, *map(str, arguments)]


def killed(data: Path, start: int, seconds: float, work: str = WORK) -> int:
    """Do `work` from number `start` on, kill the process after `seconds`; return the last printed number."""
    with subprocess.Popen(command(work, data, start), cwd=ROOT, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        first = worker.stdout.readline()
        time.sleep(seconds)
        worker.send_signal(signal.SIGKILL)
        return int((worker.stdout.read().split() or [first])[-1])


def test_nothing_is_lost_when_a_process_dies_in_a_fold(tmp_path: Path) -> None:
    data, dice, published = tmp_path / "data", random.Random(), 0
    for _ in range(CRASHES):
        published = killed(data, published + 1, dice.uniform(0, 0.5))
        done = subprocess.run(command(CHECK, data), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        same, found, *names = done.stdout.splitlines()
        assert (same, found) == ("True", "[]")
        numbers = {int(name.removeprefix("user")) for name in names}
        assert max(numbers) - published in (0, 1)  # the last one may be committed and not printed
        assert numbers >= set(range(max(1, published - 150), published + 1))
        published = max(numbers)
    print(f"{CRASHES} crashes, {published} changes")
