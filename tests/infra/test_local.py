"""`make local`: the app under Chalice's own server, on a data directory of one machine."""

import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.ports import free_port
from infra.stages import ROOT
from tests.luarocks.luarocks_command import LuaRocks
from tests.servers import Server, rock, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data, port = tmp_path_factory.mktemp("local") / "data", free_port()
    command = [sys.executable, "-m", "infra.local", "--data", str(data), "--port", str(port)]
    with running(command, data, port, {"PYTHONPATH": str(ROOT)}) as process:
        yield Server(f"http://127.0.0.1:{port}", data, process)


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return server.make_key("alice")


@pytest.mark.parametrize("transport", ["LuaSocket", "wget"])
def test_luarocks_publishes_and_installs_a_rock(server: Server, key: str, tmp_path: Path, transport: str) -> None:
    luarocks, name = LuaRocks(server, tmp_path, transport=transport), f"moon_{transport.lower()}"
    uploaded = luarocks.upload(key, luarocks.module(name))
    assert (uploaded.returncode, uploaded.stderr) == (0, "")
    assert f"Done: {server.url}/modules/alice/{name}" in uploaded.stdout
    installed = luarocks.install(name)
    assert (installed.returncode, installed.stderr.replace("No existing manifest. Attempting to rebuild...\n", "")) == (
        0,
        "",
    )
    assert luarocks.output_of(name) == f"this is {name} 1.0-1"


def test_pages_are_served_although_the_gateway_has_no_resource_for_them(server: Server) -> None:
    status, page = server.get("/account/log-in", Accept="text/html")
    assert (status, b"<title>Log in" in page) == (200, True)


def test_a_rock_that_is_too_large_for_a_response_redirects_to_a_link(server: Server, key: str) -> None:
    content = rock("say", "1.0-1", bytes(5 * 1024 * 1024))
    status, answer = server.upload_rockspec(key, "1.0-1")
    assert status == 200
    status, answer = server.upload_rock(key, answer["version"]["id"], "say-1.0-1.linux-x86_64.rock", content)
    assert status == 200, answer
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.request("GET", "/say-1.0-1.linux-x86_64.rock")
    redirect = connection.getresponse()
    redirect.read()
    assert redirect.status == 302
    connection.request("GET", urlsplit(redirect.headers["Location"])._replace(scheme="", netloc="").geturl())
    assert connection.getresponse().read() == content
    connection.close()


def test_keys_are_not_logged(server: Server, key: str) -> None:
    assert server.get(f"/api/1/{key}/status")[0] == 200
    log = (server.data.parent / "server.log").read_text()
    assert "GET /api/1/{key}/status 200" in log
    assert key not in log
