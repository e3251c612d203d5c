"""The one-machine server's HTTP performance, compared in the same run with nginx serving static files of the same size.

    python -m bench.gateway [SECONDS]

Needs `nginx` and `wrk` (Debian packages). Both servers run one worker per core, and write an access log.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
NGINX = """\
daemon off; pid {directory}/pid; error_log {directory}/error.log; worker_processes auto;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log {directory}/access.log; client_body_temp_path {directory}; proxy_temp_path {directory};
    fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory}; sendfile on; tcp_nopush on;
    server {{ listen 127.0.0.1:{port}; root {directory}/files; default_type application/json; }}
}}
"""
TRIVIAL = b'{"version":"1.0.0"}'
LARGE = 200_000_000
ROWS = (("one keep-alive connection", 1), ("8 connections", 8))


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        directory.chmod(0o755)
        with nginx(directory) as static, moonbase(directory / "data") as ours:
            print(f"{'requests per second':30} {'nginx, file':>12} {'moonbase':>12} {'ratio':>7}")
            for name, connections in ROWS:
                show(name, *(wrk(f"{url}/api/tool_version", connections, seconds) for url in (static, ours)))
            link = ours + make_link(directory / "data", directory / "files" / "large")
            print(f"\n{'megabytes per second':30} {'nginx, file':>12} {'moonbase':>12} {'ratio':>7}")
            show("one download of 200 MB", *(download(url) for url in (f"{static}/large", link)))


def show(name: str, theirs: float, ours: float) -> None:
    print(f"{name:30} {theirs:12,.0f} {ours:12,.0f} {ours / theirs:7.2f}", flush=True)


def wrk(url: str, connections: int, seconds: int) -> float:
    """Requests per second; every response must have a 2xx status."""
    threads = min(connections, 2)
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}", url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in output, output
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert found, output
    return float(found[1])


def download(url: str) -> float:
    """Megabytes per second, the best of three."""
    best = 0.0
    for _ in range(3):
        began, size = time.perf_counter(), 0
        with urllib.request.urlopen(url) as answer:
            while piece := answer.read(1 << 20):
                size += len(piece)
        assert size == LARGE
        best = max(best, size / 1e6 / (time.perf_counter() - began))
    return best


def make_link(data: Path, source: Path) -> str:
    """The path of a signed link to the same bytes."""
    script = (
        "import sys; from pathlib import Path\n"
        "from standalone.runtime import open_data; open_data(Path(sys.argv[1]))\n"
        "from chalicelib.core import blobs\n"
        "blob = blobs.put(Path(sys.argv[2]).read_bytes(), 'bench')\n"
        "print(blobs.link(blob.key, method='GET', filename='x', content_type='a/b'))"
    )
    command = [sys.executable, "-c", script, str(data), str(source)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def nginx(directory: Path) -> Iterator[str]:
    """Let nginx serve the content of `directory`/files; yields its URL."""
    (directory / "files" / "api").mkdir(parents=True)
    (directory / "files" / "api" / "tool_version").write_bytes(TRIVIAL)
    with (directory / "files" / "large").open("wb") as file:
        for _ in range(LARGE // 1_000_000):
            file.write(os.urandom(1_000_000))
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (directory / "nginx.conf").write_text(NGINX.format(directory=directory, port=port, user=user))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with served([program, "-e", str(directory / "error.log"), "-c", str(directory / "nginx.conf")], port) as url:
        yield url


@contextmanager
def moonbase(data: Path) -> Iterator[str]:
    """Serve an empty installation."""
    port = free_port()
    program = [sys.executable, str(ROOT / "moonbase"), "--data", str(data), "serve", "--port", str(port)]
    with served(program, port) as url:
        urllib.request.urlopen(f"{url}/healthz").close()
        yield url


@contextmanager
def served(command: list[str], port: int) -> Iterator[str]:
    """Run a server process until the block ends; yields its URL."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            while True:
                assert process.poll() is None, f"{command[0]} does not start"
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()
