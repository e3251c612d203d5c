"""Thorough checks of the installation's health, for `/healthz?deep=1`."""

import logging
import time
from collections.abc import Callable

from chalicelib.core.confinement import self_test
from chalicelib.core.locks import Lock

CACHED_FOR = 60.0  # seconds: requests cannot keep the checks running
_log = logging.getLogger(__name__)
_checks: dict[str, Callable[[], object]] = {"confinement": self_test.verify}
_running = Lock("health")
_latest: tuple[float, dict[str, str]] | None = None


def install(name: str, check: Callable[[], object]) -> None:
    """Add a check, which raises if something is wrong; the runtime adds one of its storage."""
    global _latest
    _checks[name], _latest = check, None


def results() -> dict[str, str]:
    """The result of each check by name: `ok`, `failed`, or `degraded` for a server that works with less protection.

    A process runs the checks once in `CACHED_FOR` seconds. The log has the reason of a failure. It can name files, so
    the result does not.
    """
    global _latest
    with _running.held():
        if _latest is None or time.monotonic() - _latest[0] > CACHED_FOR:
            _latest = time.monotonic(), {name: _run(name, check) for name, check in _checks.items()}
        return _latest[1]


def _run(name: str, check: Callable[[], object]) -> str:
    try:
        check()
    except self_test.Unconfined as unconfined:
        _log.warning("the health check of %s: %s", name, unconfined)
        return "degraded"
    except Exception:
        _log.exception("the health check of %s failed", name)
        return "failed"
    return "ok"
