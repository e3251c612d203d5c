"""Debian's `luarocks` command with its own home, in each configuration of libraries that it supports."""

import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import Server

_JSON = {"cjson", "dkjson", "json"}
_LUASOCKET = {"socket", "socket.http", "ssl.https", "ltn12"}
_HIDE = (
    "for name in ('{names}'):gmatch('%S+') do package.preload[name] = function() error(name .. ' is hidden') end end"
)

Done = subprocess.CompletedProcess[str]


@dataclass
class LuaRocks:
    """The command. `json` is the only JSON library that it finds.

    With the transport `LuaSocket` it uses LuaSocket for all requests; with `wget` there is no LuaSocket, so it
    downloads by wget and posts by curl; with `no_proxy` set in addition, it calls the API itself and downloads by wget.
    """

    server: Server
    home: Path
    transport: str = "LuaSocket"
    json: str = "cjson"
    environment: dict[str, str] = field(default_factory=dict)
    lua: str = "lua5.1"  # the interpreter that runs it

    def run(self, *arguments: str) -> Done:
        """Run the command; return its exit code and output."""
        assert shutil.which("luarocks"), "install the Debian packages that .ci/run names"
        hidden = _JSON - {self.json} | (_LUASOCKET if self.transport == "wget" else set())
        environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "LUA_INIT": _HIDE.format(names=" ".join(sorted(hidden))),
            **({} if self.transport == "LuaSocket" else {"no_proxy": "x"}),
            **self.environment,
        }
        command = [shutil.which(self.lua) or self.lua, shutil.which("luarocks") or "", *arguments]
        return subprocess.run(command, cwd=self.home, env=environment, capture_output=True, text=True, timeout=60)

    def upload(self, key: str, *arguments: str) -> Done:
        return self.run("upload", f"--server={self.server.url}", f"--temp-key={key}", *arguments)

    def install(self, *arguments: str, tree: str = "tree", server: str | None = None) -> Done:
        """Install into the directory `tree` below its home, from the server's root or from the URL `server`."""
        return self.run(
            "install", f"--only-server={server or self.server.url}", f"--tree={self.home / tree}", *arguments
        )

    def module(self, name: str, version: str = "1.0-1", *dependencies: str) -> str:
        """Write a module whose function returns its version, and its rockspec; return the rockspec's name."""
        source = self.home / f"{name}-{version}"
        source.mkdir()
        (source / f"{name}.lua").write_text(f"return function() return 'this is {name} {version}' end\n")
        with tarfile.open(self.home / f"{name}-{version}.tar.gz", "w:gz") as archive:
            archive.add(source, source.name)
        needs = ", ".join(f'"{each}"' for each in ("lua >= 5.1", *dependencies))
        rockspec = self.home / f"{name}-{version}.rockspec"
        rockspec.write_text(
            f'package = "{name}"\nversion = "{version}"\n'
            f'source = {{ url = "file://{self.home}/{name}-{version}.tar.gz", dir = "{source.name}" }}\n'
            'description = { summary = "Says its version", license = "MIT" }\n'
            f"dependencies = {{ {needs} }}\n"
            f'build = {{ type = "builtin", modules = {{ ["{name}"] = "{name}.lua" }} }}\n'
        )
        return rockspec.name

    def output_of(self, name: str, tree: str = "tree") -> str:
        """The output of the function of an installed module."""
        path = f"package.path = '{self.home / tree}/share/lua/5.1/?.lua'"
        command = ["lua5.1", "-e", f"{path} print(require('{name}')())"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def clear_cache(self) -> None:
        """Empty the command's cache, which it would use for a minute."""
        shutil.rmtree(self.home / ".cache", ignore_errors=True)
