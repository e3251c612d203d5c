"""Thorough checks of the installation's health, for `/healthz?deep=1`."""

import logging
import time
from collections.abc import Callable

from chalicelib.core.errors import Busy
from chalicelib.core.limits import Pool

CACHED_FOR = 60.0  # seconds: requests cannot keep the checks running
_log = logging.getLogger(__name__)
_checks: dict[str, Callable[[], object]] = {}
_running = Pool(at_once=1, waiting=0)  # other requests do not wait, so that they hold no thread
_latest: tuple[float, dict[str, str]] | None = None


class Degraded(Exception):
    """Raised by a check: the server works with less protection than it could have."""


def install(name: str, check: Callable[[], object]) -> None:
    """Add a check, which raises Degraded, or another exception if something is wrong."""
    global _latest
    _checks[name], _latest = check, None


def results() -> dict[str, str]:
    """The result of each check by name: `ok`, `failed` or `degraded`.

    A process runs the checks once in `CACHED_FOR` seconds; meanwhile it returns the last results, or raises Busy before
    there are any. The log has the reason of a failure. It can name files, so the result does not.
    """
    global _latest
    if _latest is None or time.monotonic() - _latest[0] > CACHED_FOR:
        try:
            with _running.worker("The health is being checked."):
                _latest = time.monotonic(), {name: _run(name, check) for name, check in _checks.items()}
        except Busy:
            if _latest is None:
                raise
    return _latest[1]


def _run(name: str, check: Callable[[], object]) -> str:
    try:
        check()
    except Degraded as degraded:
        _log.warning("the health check of %s: %s", name, degraded)
        return "degraded"
    except Exception:
        _log.exception("the health check of %s failed", name)
        return "failed"
    return "ok"
