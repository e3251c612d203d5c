"""Debian's luarocks against a server that requires a key for reading, and redirects every file to a link."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.luarocks.luarocks_command import LuaRocks
from tests.servers import Server, moonbase, serving

ENVIRONMENT = {"MOONBASE_LUAROCKS_READS": "key", "MOONBASE_MAX_ANSWER": "100"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "data", environment=ENVIRONMENT) as running:
        yield running


@pytest.fixture(scope="module")
def alice_key(server: Server) -> str:
    return server.make_key("Alice")


@pytest.fixture(scope="module")
def read_key(server: Server, alice_key: str) -> str:
    """A read-only key."""
    made = moonbase(server.data, "key", "create", "Alice", "--service", "luarocks", "--scope", "read")
    return str(made["key"])


@pytest.fixture(params=["LuaSocket", "wget"])
def luarocks(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> LuaRocks:
    return LuaRocks(server, tmp_path, transport=request.param)


def url_with(server: Server, key: str) -> str:
    return server.url.replace("://", f"://reader:{key}@")


def test_it_installs_and_verifies_with_the_key_in_the_servers_url(
    luarocks: LuaRocks, alice_key: str, read_key: str, gnupg: Path
) -> None:
    luarocks.environment["GNUPGHOME"] = str(gnupg)
    name = f"private-{luarocks.transport}".lower()
    assert luarocks.upload(alice_key, "--sign", luarocks.module(name)).returncode == 0

    refused = luarocks.install(name)
    assert refused.returncode != 0
    assert f"Failed downloading {luarocks.server.url}/manifest-5.1" in refused.stderr
    mistaken = luarocks.install(name, server=url_with(luarocks.server, "wrong"))
    assert mistaken.returncode != 0

    private = url_with(luarocks.server, read_key)
    installed = luarocks.install("--verify", name, server=private)
    assert installed.returncode == 0, installed.stderr
    assert "Good signature" in installed.stderr
    assert luarocks.output_of(name) == f"this is {name} 1.0-1"
    again = luarocks.install(f"alice/{name}", server=private, tree="again")
    assert again.returncode == 0, again.stderr
    found = luarocks.run("search", name, f"--only-server={private}", "--porcelain")
    assert f"{name}\t1.0-1\tsrc\t" in found.stdout


def test_a_read_only_key_cannot_publish(luarocks: LuaRocks, read_key: str) -> None:
    assert luarocks.upload(read_key, "--skip-pack", luarocks.module("unpublished")).returncode != 0


def test_keys_are_not_in_the_log(luarocks: LuaRocks, alice_key: str, read_key: str) -> None:
    keys = (alice_key, read_key, "no-key-at-all")
    rockspec = luarocks.module("logged")
    for key in keys:
        luarocks.upload(key, "--skip-pack", "--force", rockspec)
        luarocks.install("logged", server=url_with(luarocks.server, key))
    log = (luarocks.server.data.parent / "server.log").read_text()
    assert "POST /api/1/{key}/upload 200" in log
    assert "GET /{file} 302" in log
    assert [key for key in keys if key in log] == []
