"""Read-only mode: requests that change something are refused and jobs rest, while reads are answered.

The operator turns it on for all processes of an installation, with an item, or for one with the setting `read_only`.
Counts, dates of last use and rate limits are still written, because reads need them.
"""

import threading
import time
from dataclasses import dataclass

from chalicelib import settings
from chalicelib.core.errors import Conflict, Invalid, ReadOnly
from chalicelib.core.tables import ReadOnlyMode, now

RETRY_AFTER = 60  # seconds
LONGEST_TEXT = 500  # characters
TEXT = "This server accepts no changes at the moment."


@dataclass(frozen=True)
class Notice:
    """The text for people whose request is refused, and the time from which on; None if the setting refuses them."""

    text: str
    since: str | None


class _Watch:
    """The mode as this process knows it; read again after `settings.read_only_check` seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: ReadOnlyMode | None = None
        self._next_at: float | None = None

    def mode(self) -> ReadOnlyMode | None:
        with self._lock:
            if self._next_at is None or time.monotonic() >= self._next_at:
                self._known = ReadOnlyMode.find("read-only", "mode")
                self._next_at = time.monotonic() + settings.current().read_only_check
            return self._known

    def forget(self) -> None:
        with self._lock:
            self._next_at = None


_watch = _Watch()


def notice() -> Notice | None:
    """The notice of the mode, or None if changes are accepted.

    This process reads it at most every few seconds, so it can be as old as that.
    """
    mode = _watch.mode()
    if mode is not None:
        return Notice(mode.text, mode.since.isoformat())
    return Notice(TEXT, None) if settings.current().read_only else None


def require_writable() -> None:
    """Raise ReadOnly in read-only mode."""
    if found := notice():
        raise ReadOnly(found.text, retry_after=RETRY_AFTER)


def turn_on(text: str = TEXT) -> None:
    """Refuse changes, in this process at once and in others within seconds; a later call replaces the text.

    Raises Invalid for a text that is empty, too long or not on one line.
    """
    text = text.strip()
    if not text or len(text) > LONGEST_TEXT or not text.isprintable():
        raise Invalid(f"The text is one line of at most {LONGEST_TEXT} characters.")
    ReadOnlyMode("read-only", "mode", text=text, since=now()).save()
    _watch.forget()


def turn_off() -> None:
    """Accept changes again. Raises Conflict if the setting `read_only` refuses them."""
    if settings.current().read_only:
        raise Conflict("The setting MOONBASE_READ_ONLY turns read-only mode on: change it, and restart the server.")
    ReadOnlyMode("read-only", "mode").delete()
    _watch.forget()


def forget() -> None:
    """Let this process read the mode again when it needs it next."""
    _watch.forget()
