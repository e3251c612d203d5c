"""Requests through the proxy that the environment names."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib import settings
from chalicelib.core.outbound import git
from chalicelib.core.outbound.addresses import ForbiddenAddress
from chalicelib.core.outbound.fetch import Caps, OutboundFailed, fetch
from tests import git_server
from tests.web_server import Received, WebServer, response, web_server

CAPS = Caps(size=1000, seconds=5.0)


def respond(request: Received, connection: socket.socket) -> bytes | None:
    if request.line.startswith("CONNECT"):
        return response("403 Forbidden")
    return response(body=f"by proxy: {request.line}".encode())


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A proxy on a private address, which is allowed because the environment names it."""
    with web_server(respond) as server:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://me:word@127.0.0.1:{server.port}")
        monkeypatch.setenv("no_proxy", "direct.example,127.0.0.5")
        yield server


def test_requests_go_through_the_proxy(proxy: WebServer) -> None:
    assert fetch("http://far.example/x", CAPS).body == b"by proxy: GET http://far.example/x HTTP/1.1"
    assert proxy.received[0].headers["proxy-authorization"] == "Basic bWU6d29yZA=="


def test_secure_requests_use_a_tunnel(proxy: WebServer) -> None:
    with pytest.raises(OutboundFailed):
        fetch("https://far.example/x", CAPS)
    assert [request.line.rpartition(" ")[0] for request in proxy.received] == ["CONNECT far.example:443"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]", "169.254.169.254"])
def test_the_proxy_is_not_asked_for_private_addresses(proxy: WebServer, host: str) -> None:
    for url in (f"http://{host}:{proxy.port}/", f"https://{host}/"):
        with pytest.raises(ForbiddenAddress):
            fetch(url, CAPS)
    assert proxy.received == []


def test_hosts_of_no_proxy_are_connected_directly(proxy: WebServer) -> None:
    with (
        web_server(lambda *_: response(body=b"direct"), "127.0.0.5") as server,
        settings.override(outbound_networks=("127.0.0.5/32",)),
    ):
        assert fetch(server.url, CAPS).body == b"direct"
    assert proxy.received == []


def test_git_uses_the_proxy_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    repo = git_server.repository()
    sha = git_server.commit(repo, {"init.lua": b""})
    with git_server.serving({"mod": repo}) as url:
        monkeypatch.setenv("http_proxy", url)  # a Git server that ignores the host of absolute URLs
        fetched = git.fetch("http://git.example/mod", git.GitCaps(written=1000, zipped=1000), None, "m")
        assert fetched.commit == sha
        with pytest.raises(ForbiddenAddress.__base__, match="is not a public address"):  # type: ignore[arg-type]
            git.fetch("http://127.0.0.1:9/mod", git.GitCaps(written=1000, zipped=1000), None, "m")
