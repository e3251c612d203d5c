"""A real server in a process of its own, on a data directory."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOONBASE = Path(__file__).parent.parent / "moonbase"


def moonbase(data: Path, *arguments: str) -> Any:
    """Run the command line with --json, as an administrator does beside a running server."""
    command = [sys.executable, str(MOONBASE), "--data", str(data), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


@dataclass
class Server:
    """A running server."""

    url: str
    data: Path
    process: "subprocess.Popen[bytes]"

    def make_key(self, username: str) -> str:
        """A new account's LuaRocks key."""
        moonbase(self.data, "user", "create", username, "--email", f"{username}@example.org")
        return str(moonbase(self.data, "key", "create", username, "--service", "luarocks")["key"])

    def kill(self) -> None:
        """End it as a power cut would, workers included."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(data: Path, *options: str) -> Iterator[Server]:
    """Serve `data` on a free port until the block ends; `options` are more of `moonbase serve`."""
    port = free_port()
    log = (data.parent / "server.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, str(MOONBASE), "--data", str(data), "serve", "--port", str(port), *options],
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        wait_for(port, process)
        yield Server(f"http://127.0.0.1:{port}", data, process)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        log.close()


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return when the process listens on the port."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server does not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server does not listen")
