"""Sends hostile requests in this process, and records what they cost and what went wrong."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.client import Client, Reply
from tests.hostile import judge
from tests.hostile.generator import HostileRequest
from tests.hostile.store import Store

HANG = 10  # seconds
MOST_PROBLEMS = 50  # that are described; all are counted


@dataclass
class Findings:
    """The result; `slowest` is in seconds of CPU, or of waiting for a server, and `memory` in MB."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    reached: set[str] = field(default_factory=set)  # routes with a response of success
    problems: list[str] = field(default_factory=list)
    failures: int = 0
    hangs: int = 0
    slowest: tuple[float, str] = (0.0, "")
    memory: float = 0.0

    def add(self, sent: HostileRequest, reply: Reply, seconds: float, secrets: Iterable[str]) -> None:
        """Record a response."""
        self.requests += 1
        self.statuses[int(reply.status)] += 1
        if reply.status < 400:
            self.reached.add(sent.route)
        if seconds > self.slowest[0]:
            self.slowest = seconds, str(sent)
        self.hangs += seconds > HANG
        if wrong := judge.problem(sent, reply, secrets):
            self.fail(f"{wrong}: {reply.status} {reply.body[:200]!r} to {sent}")

    def fail(self, text: str) -> None:
        """Record a problem."""
        self.failures += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(text)


def besiege(store: Store, sent: Iterable[HostileRequest], findings: Findings) -> None:
    """Send requests to the app in this process. The log is checked, too: it may not contain a secret."""
    client = Client()
    client.headers = {}
    with _logged() as records:
        for request in sent:
            began = time.process_time()
            reply = client.request(
                request.method, request.path, query=request.query, headers=request.headers, body=request.body
            )
            findings.add(request, reply, time.process_time() - began, store.secrets)
            if reply.status in (401, 403) and request.identity:
                store.renew(request.identity)
            for text in records:
                if "Traceback" in text or " failed\n" in text:
                    findings.fail(f"logged by {request}: {text[-1500:]}")
                if any(secret in text for secret in store.secrets):
                    findings.fail(f"a secret in the log by {request}")
            records.clear()


def peak_memory(pid: int | str = "self") -> float:
    """The most memory that a process, by default this one, has had, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) / 1024


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Collect the log's lines in the block."""
    handler, root = _Records(), logging.getLogger()
    level, access = root.level, logging.getLogger("moonbase.access")
    access_level = access.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    access.setLevel(logging.INFO)
    try:
        yield handler.texts
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        access.setLevel(access_level)
