"""kill -9 during parallel uploads: acknowledged uploads survive completely, and no upload is partial.

MOONBASE_CRASHES is the number of kills; the default is small.
"""

import http.client
import json
import os
import random
import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.luarocks.builders import rockspec
from tests.servers import Server, moonbase, rock, send_file, serving

CRASHES = int(os.environ.get("MOONBASE_CRASHES", "3"))
UPLOADERS = 4


@dataclass
class Uploader:
    """Uploads versions of one module, each with a rock, until the server dies."""

    server: Server
    key: str
    name: str
    acknowledged: dict[str, bytes] = field(default_factory=dict)  # file name -> content

    def run(self) -> None:
        connection = self.server.connect()
        with suppress(OSError, http.client.HTTPException):
            for number in range(1, 10_000):
                version = f"{number}.0-1"
                spec = rockspec(self.name, version)
                answer = self.send(connection, "upload", "rockspec_file", "x.rockspec", spec)
                self.acknowledged[f"{self.name}-{version}.rockspec"] = spec
                filename = f"{self.name}-{version}.src.rock"
                content = rock(self.name, version, random.Random(filename).randbytes(50_000))
                self.send(connection, f"upload_rock/{answer['version']['id']}", "rock_file", filename, content)
                self.acknowledged[filename] = content
        connection.close()

    def send(self, connection: http.client.HTTPConnection, action: str, *file: Any) -> Any:
        status, body = send_file(connection, f"/api/1/{self.key}/{action}", *file)
        assert status == 200, body
        return json.loads(body)


def crash(data: Path, key: str, number: int, dice: random.Random) -> dict[str, bytes]:
    """Kill a server at a random moment during uploads; return the acknowledged files by name."""
    with serving(data) as server:
        urllib.request.urlopen(f"{server.url}/healthz", timeout=30).close()  # a worker is ready
        uploaders = [Uploader(server, key, f"m{number}-{letter}") for letter in "abcd"[:UPLOADERS]]
        threads = [threading.Thread(target=uploader.run) for uploader in uploaders]
        for thread in threads:
            thread.start()
        time.sleep(dice.uniform(0.0, 1.5))
        server.kill()
        for thread in threads:
            thread.join()
    return {name: content for uploader in uploaders for name, content in uploader.acknowledged.items()}


def test_acknowledged_uploads_survive_and_none_is_partial(tmp_path: Path) -> None:
    data, dice = tmp_path / "data", random.Random()
    moonbase(data, "user", "create", "alice", "--email", "alice@example.org")
    key = moonbase(data, "key", "create", "alice", "--service", "luarocks")["key"]
    acknowledged: dict[str, bytes] = {}
    for number in range(CRASHES):
        acknowledged |= crash(data, key, number, dice)
    assert acknowledged, "no upload was acknowledged"
    with serving(data) as server:
        for name, content in acknowledged.items():
            assert server.get(f"/{name}") == (200, content), name
        listed = named_in_manifest(json.loads(server.get("/manifest.json")[1]))
        assert acknowledged.keys() <= listed
        for name in listed - acknowledged.keys():
            assert server.get(f"/{name}")[0] == 200, name
    print(f"{CRASHES} crashes, {len(acknowledged)} acknowledged, {len(listed)} listed")
    assert moonbase(data, "fsck")["faults"] == []


def named_in_manifest(manifest: dict[str, dict[str, dict[str, list[dict[str, str]]]]]) -> set[str]:
    """The names of all files in a manifest."""
    return {
        f"{name}-{version}.rockspec" if file["arch"] == "rockspec" else f"{name}-{version}.{file['arch']}.rock"
        for name, versions in manifest["repository"].items()
        for version, files in versions.items()
        for file in files
    }
