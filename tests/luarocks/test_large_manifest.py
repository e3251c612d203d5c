"""A server with as many modules as luarocks.org: the client finds and installs a rock, in Lua 5.1 and in LuaJIT."""

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.luarocks.large_catalogue import MODULES, VERSIONS
from tests.luarocks.luarocks_command import LuaRocks
from tests.servers import Server, serving

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("server") / "data"
    subprocess.run([sys.executable, "-m", "tests.luarocks.large_catalogue", str(data)], cwd=ROOT, check=True)
    with serving(data) as running:
        yield running


def test_the_client_installs_from_a_large_manifest(server: Server, tmp_path: Path) -> None:
    key = server.make_key("Alice")
    for lua in ("lua5.1", "luajit"):
        luarocks = LuaRocks(server, tmp_path, lua=lua)
        name = f"found-by-{lua.replace('.', '')}"
        uploaded = luarocks.upload(key, luarocks.module(name))
        assert uploaded.returncode == 0, uploaded.stderr
        luarocks.clear_cache()
        found = luarocks.run("search", "large-77", "1.77-1", f"--only-server={server.url}", "--porcelain")
        assert found.stdout.splitlines() == [
            f"large-77\t1.77-1\trockspec\t{server.url}",
            f"large-77\t1.77-1\tsrc\t{server.url}",
        ]
        installed = luarocks.install(name, tree=lua)
        assert installed.returncode == 0, installed.stderr
        assert luarocks.output_of(name, tree=lua) == f"this is {name} 1.0-1"


def test_its_forms_have_the_same_versions(server: Server) -> None:
    archive = zipfile.ZipFile(io.BytesIO(server.get("/manifest-5.1.zip")[1]))
    text = server.get("/manifest-5.1")[1]
    assert archive.read("manifest-5.1") == text
    assert text.startswith(b"commands = {}\nmodules = {}\nrepository = {}\n;(function(r) r[")
    for form in (text, server.get("/manifest-5.1.json")[1]):
        assert form.count(b'"src"') == MODULES * VERSIONS + form.count(b'"found-by')
