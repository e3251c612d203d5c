"""The cold start of a function: the time of the import, its memory, and the cost of the first requests.

python -m bench.cold DIRECTORY PATH    # the first request of a process on a filled data directory, as JSON
"""

import http.server
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.servers import ROOT

IMPORTS = 10
IMPORT = """
import time
began, cpu = time.perf_counter(), time.process_time()
import app
took = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu}
import json
from bench.cold import peak_memory
print(json.dumps({**took, "held": peak_memory()}))
"""
CALLS = 300
# The heaviest first request of each service: it loads the whole catalogue.
FIRST = ("/manifest-5.1.zip", "/api/packages/?type=mod", "/packages")


def starts(data: Path) -> dict[str, Any]:
    """Return, for each path in FIRST, the CPU seconds of a cold process and its peak memory in megabytes."""
    return {path: _run("-m", "bench.cold", str(data), path) for path in FIRST}


def imported() -> dict[str, float]:
    """The best of several imports of the app in a fresh interpreter: seconds, CPU seconds, peak memory in megabytes."""
    every = [_run("-c", IMPORT) for _ in range(IMPORTS)]
    return {name: min(one[name] for one in every) for name in every[0]}


def call_cpu() -> float:
    """CPU seconds of one DynamoDB call through botocore, over HTTP: to build, sign, send and parse it."""
    return min(float(_run("-m", "bench.cold", "--calls")["cpu"]) for _ in range(3))


def start(data: Path, path: str) -> dict[str, float]:
    """The CPU seconds of this process' first request, and its peak memory in megabytes after and before."""
    from standalone.runtime import open_data

    open_data(data)
    from tests.client import Client

    client, before, began = Client(), peak_memory(), time.process_time()
    name, _, query = path.partition("?")
    reply = client.get(name, query=query, headers={"Accept-Encoding": "gzip"})
    assert reply.status == 200, reply.status
    return {"cpu": time.process_time() - began, "held": peak_memory(), "before": before}


def calls() -> dict[str, float]:
    """CPU seconds per call to a server in another process that always returns the same item."""
    from botocore.session import get_session

    server = subprocess.Popen([sys.executable, "-m", "bench.cold", "--answer"], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert server.stdout
        client = get_session().create_client(
            "dynamodb",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{int(server.stdout.readline())}",
            aws_access_key_id="none",
            aws_secret_access_key="none",
        )
        key = {"pk": {"S": "credential#" + "0" * 64}, "sk": {"S": "credential"}}
        began = 0.0
        for number in range(CALLS + 10):
            if number == 10:
                began = time.process_time()
            client.get_item(TableName="moonbase-core", Key=key, ConsistentRead=True)
        return {"cpu": (time.process_time() - began) / CALLS}
    finally:
        server.terminate()
        server.wait()


class SameItem(http.server.BaseHTTPRequestHandler):
    """Returns the same item of the core's table to every request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"Item": {f"attribute{n}": {"S": "x" * 30} for n in range(12)}}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)


def answer() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), SameItem)
    print(server.server_port, flush=True)
    server.serve_forever()


def peak_memory() -> float:
    """The peak memory of this process so far, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _run(*arguments: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--calls"]:
            print(json.dumps(calls()))
        case ["--answer"]:
            answer()
        case [data, path]:
            print(json.dumps(start(Path(data), path)))
