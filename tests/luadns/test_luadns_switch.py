"""`moonbase luadns enable`, `luadns disable` and `key create --scope` while a server is running."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.servers import Server, moonbase, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "data") as running:
        moonbase(running.data, "user", "create", "alice", "--email", "alice@example.org")
        yield running


def call(server: Server, key: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    token = base64.b64encode(f":{key}".encode()).decode()
    headers = {"Accept": "application/json", "Authorization": f"Basic {token}"}
    data = json.dumps(body).encode() if body is not None else None
    try:
        with urlopen(Request(f"{server.url}/v1{path}", data, headers, method=method), timeout=30) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def test_an_administrator_enables_the_api_creates_keys_and_disables_it(server: Server) -> None:
    key = moonbase(server.data, "key", "create", "alice", "--service", "luadns")["key"]
    assert call(server, key, "GET", "/zones")[0] == 403
    enabled = moonbase(server.data, "luadns", "enable", "Alice")
    assert (enabled["username"], enabled["luadns"]) == ("alice", True)
    assert "MOONBASE_LUADNS_NAME_SERVERS" in enabled["warning"]
    for name in ("example.com", "example.org"):
        assert call(server, key, "POST", "/zones", {"name": name})[0] == 200
    narrow = moonbase(server.data, "key", "create", "alice", "--service", "luadns", "--scope", "zone:example.org")[
        "key"
    ]
    assert [zone["name"] for zone in call(server, narrow, "GET", "/zones")[1]] == ["example.org"]
    assert moonbase(server.data, "luadns", "disable", "alice") == {"username": "alice", "luadns": False}
    assert call(server, key, "GET", "/zones")[1]["message"] == "API access is disabled for this account."
    actions = [entry["action"] for entry in moonbase(server.data, "activity", "--account", "alice")]
    assert actions == [
        "luadns.disable",
        "luadns.create",
        "zone.create",
        "zone.create",
        "luadns.enable",
        "luadns.create",
        "account.create",
    ]
