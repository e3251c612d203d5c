"""Finds out whether this system confines workers: one of them attempts what it must not do."""

import json
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.walls import Wall
from chalicelib.core.confinement.workers import Confined
from chalicelib.core.health import Degraded

# A worker with network has all walls. Its filter refuses calls, where that of other workers ends the process.
_LIMITS = Limits(seconds=5.0, cpu_seconds=2, memory=256 << 20, network=True)
_FORBIDDEN = {
    Wall.FILTER: lambda: os.kill(os.getpid(), 0),
    Wall.FILES: lambda: list(Path("/").iterdir()),
}
_log = logging.getLogger(__name__)


class Unconfined(Degraded):
    """This system lacks mechanisms that confine workers."""


def make() -> Callable[[bytes], bytes]:
    """Return a function that answers with the names of the walls that do not stop it."""
    return lambda payload: json.dumps([wall.name for wall in _FORBIDDEN if _succeeds(_FORBIDDEN[wall])]).encode()


def missing_walls() -> Sequence[Wall]:
    """Return the walls that do not hold on this system. Raises Busy if workers cannot be started."""
    worker = Confined(f"{__name__}:make", b"", _LIMITS)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            return [Wall[name] for name in json.loads(worker.run(b"", Path(scratch)))]
    finally:
        worker.close()


def verify() -> None:
    """Raise Unconfined with the names of the missing mechanisms."""
    if missing := missing_walls():
        raise Unconfined(f"this system does not have {' and '.join(wall.value for wall in missing)}")


def warn() -> None:
    """Log a warning for each missing mechanism."""
    for wall in missing_walls():
        _log.warning("%s is not available: docs/operating.md describes what that means", wall.value)


def _succeeds(action: Callable[[], object]) -> bool:
    try:
        action()
    except OSError:
        return False
    return True
