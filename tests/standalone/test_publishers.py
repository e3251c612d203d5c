"""Fifty clients that write at once to a real server: each waits until it may publish, and none gets a 503."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.luadns.served import served
from tests.servers import serving


def test_fifty_uploads_at_once_succeed(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server, ThreadPoolExecutor(50) as pool:
        key = server.make_key("alice")
        replies = list(pool.map(lambda number: server.upload_rockspec(key, f"{number}.0-1"), range(50)))
        assert [status for status, _ in replies] == [200] * 50
        assert len(json.loads(server.get("/modules/alice/say")[1])["versions"]) == 50


def test_fifty_changes_of_a_zone_at_once_succeed(tmp_path: Path) -> None:
    with served(tmp_path / "data") as dns, ThreadPoolExecutor(50) as pool:
        zone = dns.zone("example.org")

        def create(number: int) -> None:
            record = {"name": f"n{number}.example.org.", "type": "A", "content": "192.0.2.1", "ttl": 3600}
            dns.call("POST", f"/zones/{zone}/records", record)

        list(pool.map(create, range(50)))
        assert sum(each["type"] == "A" for each in dns.call("GET", f"/zones/{zone}/records")) == 50
