"""A real server process on a data directory."""

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from infra.ports import free_port
from tests import warm
from tests.luarocks.builders import rockspec

MOONBASE = Path(__file__).parent.parent / "moonbase"
CHECKOUT = (sys.executable, str(MOONBASE))


def moonbase(data: Path, *arguments: str, program: Sequence[str] = CHECKOUT) -> Any:
    """Run the command line with --json, also while a server runs; return its output."""
    options = ("--data", str(data), "--json", *arguments)
    if program is CHECKOUT:
        done = warm.run(options)
    else:
        done = subprocess.run([*program, *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass
class Server:
    """A running server."""

    url: str
    data: Path
    process: "subprocess.Popen[bytes]"
    program: Sequence[str] = CHECKOUT

    def make_key(self, username: str, service: str = "luarocks") -> str:
        """Create an account and a key; return the key."""
        user = ("user", "create", username, "--email", f"{username}@example.org")
        moonbase(self.data, *user, program=self.program)
        return str(moonbase(self.data, "key", "create", username, "--service", service, program=self.program)["key"])

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Return status and body."""
        connection = self.connect()
        try:
            connection.request("GET", path, headers=headers)
            return read(connection)
        finally:
            connection.close()

    def post_form(self, path: str, **fields: str) -> tuple[int, bytes]:
        """Send a form; return status and body."""
        connection = self.connect()
        try:
            connection.request("POST", path, urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"})
            return read(connection)
        finally:
            connection.close()

    def upload_rockspec(self, key: str, version: str = "1.0-1") -> tuple[int, Any]:
        """Publish a version of the module `say`; return the status and the JSON of the response."""
        connection = self.connect()
        try:
            status, body = send_file(connection, f"/api/1/{key}/upload", "rockspec_file", "x", rockspec("say", version))
            return status, json.loads(body)
        finally:
            connection.close()

    def upload_rock(self, key: str, version_id: int, filename: str, content: bytes) -> tuple[int, Any]:
        """Publish a rock; return the status and the JSON of the response."""
        connection = self.connect()
        try:
            status, body = send_file(
                connection, f"/api/1/{key}/upload_rock/{version_id}", "rock_file", filename, content
            )
            return status, json.loads(body)
        finally:
            connection.close()

    def kill(self) -> None:
        """Kill the server and its workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [pid for pid in map(int, children) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def send_file(
    connection: http.client.HTTPConnection, path: str, field: str, filename: str, content: bytes
) -> tuple[int, bytes]:
    """Send a file in a form; return status and body."""
    head = f'--B\r\nContent-Disposition: form-data; name="{field}"; filename="{filename}"\r\n\r\n'.encode()
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    connection.request("POST", path, head + content + b"\r\n--B--\r\n", headers)
    return read(connection)


def read(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    response = connection.getresponse()
    return response.status, response.read()


def rock(package: str, version: str, payload: bytes) -> bytes:
    """Return a rock that is slightly larger than its payload."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{package}-{version}.rockspec", rockspec(package, version))
        archive.writestr(f"{package}.so", payload)
    return file.getvalue()


@contextmanager
def serving(
    data: Path,
    *options: str,
    scheme: str = "http",
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = CHECKOUT,
) -> Iterator[Server]:
    """Serve `data` on a free port until the block ends; `options` are further options of `moonbase serve`.

    `environment` is added to this process's. `program` is the command line, by default this checkout's. The server's
    output is in `server.log`, in the parent directory of `data`, which is also the working directory.
    """
    port = free_port()
    command = [*program, "--data", str(data), "serve", "--port", str(port), *options]
    with running(command, data, port, environment) as process:
        yield Server(f"{scheme}://127.0.0.1:{port}", data, process, program)


@contextmanager
def running(
    command: Sequence[str], data: Path, port: int, environment: Mapping[str, str] | None = None
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a server that listens on the port until the block ends; see `serving`."""
    log = (data.parent / "server.log").open("ab")
    process = subprocess.Popen(
        command,
        cwd=data.parent,
        stdout=log,
        stderr=log,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    try:
        wait_for(port, process)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        log.close()


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return when the process listens on the port."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server has exited"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server does not listen after 30 seconds")
