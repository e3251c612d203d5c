"""A killed server loses no acknowledged data."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.luarocks.builders import rockspec
from tests.servers import Server, moonbase, serving


def _upload(server: Server, key: str, content: bytes) -> dict[str, object]:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="rockspec_file"; filename="x.rockspec"\r\n\r\n'
        + content
        + b"\r\n--B--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    request = urllib.request.Request(f"{server.url}/api/1/{key}/upload", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


def _read(server: Server, path: str) -> bytes:
    with urllib.request.urlopen(server.url + path, timeout=30) as answer:
        return bytes(answer.read())


def test_acknowledged_data_survives_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data) as server:
        key = server.make_key("alice")
        for version in range(1, 6):
            assert _upload(server, key, rockspec(version=f"{version}.0-1"))["is_new"] == (version == 1)
        manifest = _read(server, "/manifest")
        server.kill()
    with serving(data) as server:
        assert _read(server, "/manifest") == manifest
        assert _read(server, "/say-5.0-1.rockspec") == rockspec(version="5.0-1")
        assert _upload(server, key, rockspec(version="6.0-1"))["is_new"] is False


def test_the_command_line_works_during_a_running_server(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        key = server.make_key("alice")
        assert json.loads(_read(server, f"/api/1/{key}/status"))["user_id"] == 1
        (row,) = moonbase(server.data, "key", "list", "alice")
        assert row["last_used_at"] is not None
        moonbase(server.data, "key", "revoke", str(row["id"]))
        request = urllib.request.Request(f"{server.url}/api/1/{key}/status")
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(request, timeout=30)
        assert refusal.value.code == 403
        assert json.load(refusal.value) == {"errors": ["The API key you provided has been revoked"]}


def test_the_log_contains_no_key(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        key = server.make_key("alice")
        _read(server, f"/api/1/{key}/status")
    log = (tmp_path / "server.log").read_text()
    assert "GET /api/1/{key}/status 200" in log
    assert key not in log
