"""A running server with its name server, and helpers to call both."""

import base64
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.ports import free_port
from tests.servers import Server, moonbase, serving

EMAIL = "alice@example.org"


@dataclass
class Served:
    """A server, its DNS port, and Alice's key."""

    server: Server
    dns_port: int
    key: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API as Alice; `path` is what follows /v1."""
        return json.loads(self.read(path, method, body))

    def read(self, path: str, method: str = "GET", body: Any = None) -> bytes:
        """The bytes of a response, see `call`."""
        token = base64.b64encode(f"{EMAIL}:{self.key}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.server.url}/v1{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            content: bytes = answer.read()
            return content

    def zone(self, name: str, *records: tuple[str, str, str]) -> int:
        """Create a zone with records (name, type, content); return its id."""
        rows = [{"name": name, "type": type, "content": content} for name, type, content in records]
        zone_id: int = self.call("POST", "/zones", {"name": name, "records": rows})["id"]
        return zone_id

    def dig(self, *arguments: str) -> str:
        """Return the output of Debian's dig."""
        command = ["dig", "@127.0.0.1", "-p", str(self.dns_port), "+tries=4", "+time=5", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


@contextmanager
def served(data: Path, *options: str) -> Iterator[Served]:
    """Create Alice's account in `data` and serve it."""
    moonbase(data, "user", "create", "alice", "--email", EMAIL)
    moonbase(data, "luadns", "enable", "alice")
    key = moonbase(data, "key", "create", "alice", "--service", "luadns")["key"]
    port = free_port()
    with serving(data, "--dns-port", str(port), *options) as server:
        yield Served(server, port, key)
