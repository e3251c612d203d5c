"""An installation in the rehearsal, on one machine or on AWS: its server and its command line."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra.stages import ROOT

_TIMEOUT_SECONDS = 30.0
_LAST = 2000  # characters of a command's error output


class Failure(Exception):
    """A step of the rehearsal failed."""


class HttpClient:
    """An HTTP client for one host and port that follows no redirects and decodes nothing."""

    def __init__(self, address: str) -> None:
        self._address = address

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request; return (status, headers by lower-case name, body)."""
        connection = HTTPConnection(self._address, timeout=60)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def expect(self, status: int, method: str, path: str, wanted: Any = None, body: bytes | None = None) -> None:
        """Send a request; raises Failure unless the response has this status and, if `wanted` is given, this JSON."""
        got, _, content = self.request(method, path, body)
        if got != status or (wanted is not None and json.loads(content) != wanted):
            raise Failure(f"{method} {path}: {got} {content[:300]!r}, not {status} {wanted or ''}")

    def json(
        self,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] = {},
        file: bytes = b"",
        headers: Mapping[str, str] = {},
    ) -> Any:
        """Send a request; return the response's JSON, or raises Failure for another status than 200."""
        body, kind = multipart(form, file) if form or file else (None, {})
        status, _, content = self.request(method, path, body, {**kind, **headers})
        if status != 200:
            raise Failure(f"{method} {path}: {status} {content[:300]!r}")
        return json.loads(content)

    def fetch(self, path: str) -> bytes:
        """GET a path and follow its redirects; returns the body, or raises Failure for another status than 200."""
        status, headers, content = self.request("GET", path)
        for _ in range(3):
            if status not in (301, 302):
                break
            link = urlsplit(headers["location"])
            status, headers, content = HttpClient(link.netloc).request("GET", f"{link.path}?{link.query}")
        if status != 200:
            raise Failure(f"GET {path}: {status} {content[:300]!r}")
        return content


@dataclass(frozen=True)
class Installation:
    """An installation: its public URL, its server, and the arguments and environment of its command line."""

    url: str
    site: HttpClient
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    scratch: Path

    def moonbase(self, *arguments: str) -> Any:
        """Run a command of `moonbase`; return its JSON output, or raises Failure if it fails."""
        command = [sys.executable, str(ROOT / "moonbase"), *self.arguments, "--json", *arguments]
        return json.loads(run(command, self.scratch, self.environment))

    def account(self, name: str) -> None:
        """Create an account."""
        self.moonbase("user", "create", name, "--email", f"{name.lower()}@example.org")

    def key(self, name: str, service: str) -> str:
        """Create a key of an account."""
        return str(self.moonbase("key", "create", name, "--service", service)["key"])

    def send(self, slot: Mapping[str, Any], content: bytes) -> None:
        """Send a file to an upload slot, with the form fields that the slot describes."""
        url = urlsplit(slot["url"])
        body, kind = multipart(slot["fields"], content)
        status, _, answer = HttpClient(url.netloc).request("POST", url.path or "/", body, kind)
        if status != 204:
            raise Failure(f"POST {slot['url']}: {status} {answer[:300]!r}")


def multipart(fields: Mapping[str, str], content: bytes) -> tuple[bytes, dict[str, str]]:
    """The body of a multipart form with a file, and the header with its Content-Type."""
    parts = [
        f'--form\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if content:
        head = '--form\r\nContent-Disposition: form-data; name="file"; filename="x.zip"\r\n'
        parts.append(head.encode() + b"Content-Type: application/zip\r\n\r\n" + content + b"\r\n")
    return b"".join([*parts, b"--form--\r\n"]), {"Content-Type": "multipart/form-data; boundary=form"}


def run(command: list[str], scratch: Path, environment: Mapping[str, str] = {}) -> str:
    """Run a command in `scratch`; return its output, or raises Failure with output and errors."""
    known = {"HOME": str(scratch), "PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", **environment}
    done = subprocess.run(command, cwd=scratch, env=known, capture_output=True, text=True, timeout=180)
    if done.returncode:
        raise Failure(f"{' '.join(command)}: {done.stdout}{done.stderr[-_LAST:]}")
    return done.stdout


def until(name: str, poll: Callable[[], Any], timeout: float = _TIMEOUT_SECONDS) -> Any:
    """Call `poll` until its result is true, and return the result. Raises Failure after `timeout` seconds."""
    limit = time.monotonic() + timeout
    while not (result := poll()):
        if time.monotonic() > limit:
            raise Failure(f"timed out after {timeout:.0f} s: {name}")
        time.sleep(0.2)
    return result


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print the name and the duration of the block."""
    began = time.monotonic()
    yield
    print(f"✓ {name}: {time.monotonic() - began:.1f} s", flush=True)
