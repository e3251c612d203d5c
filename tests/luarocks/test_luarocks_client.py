"""Debian's luarocks against a real server: what its user sees."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import Server, serving


@dataclass
class LuaRocks:
    """The `luarocks` command with a home of its own, in LuaSocket mode."""

    server: Server
    home: Path

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        return subprocess.run(
            ["luarocks", *arguments], cwd=self.home, env=environment, capture_output=True, text=True, timeout=120
        )

    def upload(self, key: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.run("upload", f"--server={self.server.url}", f"--temp-key={key}", *arguments)

    def module(self, name: str, version: str = "1.0-1") -> str:
        """Write a module whose function says its version, and its rockspec; returns the rockspec's name."""
        source = self.home / f"{name}-{version}"
        source.mkdir()
        (source / f"{name}.lua").write_text(f"return function() return 'this is {name} {version}' end\n")
        with tarfile.open(self.home / f"{name}-{version}.tar.gz", "w:gz") as archive:
            archive.add(source, source.name)
        rockspec = self.home / f"{name}-{version}.rockspec"
        rockspec.write_text(
            f'package = "{name}"\nversion = "{version}"\n'
            f'source = {{ url = "file://{self.home}/{name}-{version}.tar.gz", dir = "{source.name}" }}\n'
            'description = { summary = "Says its version", license = "MIT" }\n'
            'dependencies = { "lua >= 5.1" }\n'
            f'build = {{ type = "builtin", modules = {{ {name} = "{name}.lua" }} }}\n'
        )
        return rockspec.name

    def says(self, tree: Path, name: str) -> str:
        """What an installed module says."""
        path = f"package.path = '{tree}/share/lua/5.1/?.lua'"
        done = subprocess.run(
            ["lua5.1", "-e", f"{path} print(require('{name}')())"], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def alice_key(server: Server) -> str:
    return server.make_key("Alice")


@pytest.fixture
def luarocks(server: Server, tmp_path: Path) -> LuaRocks:
    assert shutil.which("luarocks"), "apt-get install luarocks lua5.1 lua-cjson lua-dkjson zip"
    return LuaRocks(server, tmp_path)


def test_it_uploads_a_rockspec_alone(luarocks: LuaRocks, alice_key: str) -> None:
    done = luarocks.upload(alice_key, "--skip-pack", luarocks.module("alone"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Will create new module (alone)" in done.stdout
    assert f"Done: {luarocks.server.url}/modules/alice/alone" in done.stdout


def test_what_it_uploads_with_a_rock_it_finds_and_installs(luarocks: LuaRocks, alice_key: str, tmp_path: Path) -> None:
    done = luarocks.upload(alice_key, luarocks.module("packed"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "packed-1.0-1.src.rock" in done.stdout

    only = f"--only-server={luarocks.server.url}"
    found = luarocks.run("search", "packed", only, "--porcelain")
    assert found.stdout.splitlines() == [
        f"packed\t1.0-1\trockspec\t{luarocks.server.url}",
        f"packed\t1.0-1\tsrc\t{luarocks.server.url}",
    ]
    installed = luarocks.run("install", "packed", only, "--tree", str(tmp_path / "tree"))
    assert installed.returncode == 0, installed.stderr
    assert luarocks.says(tmp_path / "tree", "packed") == "this is packed 1.0-1"


def test_it_refuses_to_upload_a_version_twice(luarocks: LuaRocks, alice_key: str) -> None:
    rockspec = luarocks.module("twice")
    assert luarocks.upload(alice_key, "--skip-pack", rockspec).returncode == 0
    again = luarocks.upload(alice_key, "--skip-pack", rockspec)
    assert again.returncode != 0
    assert "Revision 1.0-1 already exists on the server" in again.stderr


def test_it_uploads_a_version_twice_when_forced(luarocks: LuaRocks, alice_key: str) -> None:
    rockspec = luarocks.module("forced")
    assert luarocks.upload(alice_key, rockspec).returncode == 0
    again = luarocks.upload(alice_key, "--force", rockspec)
    assert (again.returncode, again.stderr) == (0, "")


def test_it_shows_what_is_wrong_with_a_key(luarocks: LuaRocks) -> None:
    done = luarocks.upload("nonsense", "--skip-pack", luarocks.module("refused"))
    assert done.returncode != 0
    assert "Invalid key (use the --api-key flag to change)" in done.stderr


def test_it_keeps_a_key_that_the_server_knows(luarocks: LuaRocks, alice_key: str) -> None:
    rockspec = luarocks.module("keeping")
    done = luarocks.run("upload", f"--server={luarocks.server.url}", f"--api-key={alice_key}", "--skip-pack", rockspec)
    assert (done.returncode, done.stderr) == (0, "")
    assert alice_key in (luarocks.home / ".luarocks" / "upload_config.lua").read_text()


def test_it_installs_from_a_users_own_rocks(luarocks: LuaRocks, alice_key: str, tmp_path: Path) -> None:
    assert luarocks.upload(alice_key, luarocks.module("spaced")).returncode == 0
    only = f"--only-server={luarocks.server.url}"
    installed = luarocks.run("install", "alice/spaced", only, "--tree", str(tmp_path / "tree"))
    assert installed.returncode == 0, installed.stderr
    assert f"{luarocks.server.url}/manifests/alice/spaced-1.0-1.src.rock" in installed.stdout
    assert luarocks.says(tmp_path / "tree", "spaced") == "this is spaced 1.0-1"


def test_it_installs_a_new_version_at_once(luarocks: LuaRocks, alice_key: str, tmp_path: Path) -> None:
    for version in ("1.0-1", "1.1-1"):
        assert luarocks.upload(alice_key, luarocks.module("fresh", version)).returncode == 0
        only = f"--only-server={luarocks.server.url}"
        tree = tmp_path / f"tree-{version}"
        shutil.rmtree(luarocks.home / ".cache", ignore_errors=True)  # the client asks again after a minute only
        assert luarocks.run("install", "fresh", only, "--tree", str(tree)).returncode == 0
        assert luarocks.says(tree, "fresh") == f"this is fresh {version}"
