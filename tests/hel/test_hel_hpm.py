"""hpm's requests against a real server: the experience of a player at an OpenComputers machine.

`hpm.lua` sends hpm 1.2's requests, including raw blanks and quotes, and rejects responses that hpm could not read.
"""

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.hel import oppm_repository
from tests.hel.builders import package
from tests.servers import Server, moonbase, serving

SCRIPT = Path(__file__).parent / "hpm.lua"


@dataclass
class Author:
    """An author with a key."""

    server: Server
    key: str

    def send(self, method: str, path: str, body: bytes) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        with urlopen(Request(self.server.url + path, body, headers, method=method), timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def publish(self, name: str, versions: dict[str, Any], **more: object) -> Any:
        data = package(name, owners=["Alice"], versions=versions, **more)
        return self.send("POST", "/packages", json.dumps(data).encode())

    def version(self, name: str, number: str, **depends: str) -> dict[str, Any]:
        """A version with one stored file, /usr/lib/NAME.lua, which returns 'NAME NUMBER'."""
        content = f"return '{name} {number}'\n".encode()
        stored = self.send("POST", f"/hel/files?name={name}.lua", content)["data"]
        return {
            "files": {stored["url"]: {"path": f"/usr/lib/{name}.lua"}},
            "depends": {other: {"type": "optional", "version": text} for other, text in depends.items()},
            "changes": f"This is {number}.",
        }


@dataclass
class Machine:
    """An OpenComputers machine with hpm, configured for the server by its module file."""

    root: Path

    def hpm(self, *arguments: str, memory: int = 2048) -> list[str]:
        """The lines that a command prints; it can use so many KiB of memory."""
        command = ["lua5.3", str(SCRIPT), str(self.root), str(memory), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        return done.stdout.splitlines()

    @staticmethod
    def of(author: Author, root: Path, without: str = "") -> "Machine":
        """A machine with the module file of the author's server, without these mends."""
        modules = root / "etc/hpm/module"
        modules.mkdir(parents=True)
        with urlopen(f"{author.server.url}/hel/module?without={without}", timeout=20) as answer:
            (modules / "moonbase.lua").write_bytes(answer.read())
        return Machine(root)

    def content_of(self, name: str) -> str:
        return (self.root / f"usr/lib/{name}.lua").read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def author(server: Server) -> Author:
    author = Author(server, server.make_key("Alice", "hel"))
    author.publish("lib", {number: author.version("lib", number) for number in ("1.0", "1.2", "1.10", "2.0")})
    author.publish("app", {"1.0": author.version("app", "1.0", lib="^1")}, description="Many colours, Long ago")
    author.publish("broken", {"1.0": author.version("broken", "1.0", missing="*")})
    author.publish("empty", {})
    author.publish("core", {}, short_description="Реактор «ядро» R&D 100% +1 #1 a=b", description="A reactor core.")
    for number in range(25):
        author.publish(f"filler-{number}", {}, short_description=f"Number {number} of Many", tags=["a b"])
    return author


@pytest.fixture
def machine(author: Author, tmp_path: Path) -> Machine:
    return Machine.of(author, tmp_path)


@pytest.fixture
def plain(author: Author, tmp_path: Path) -> Machine:
    """A machine whose hpm is as it was."""
    return Machine.of(author, tmp_path, without="search,install,files")


def test_a_search_without_words_lists_all_packages(machine: Machine) -> None:
    found = machine.hpm("search")
    assert len(found) == 30
    assert [line.split(":")[0] for line in found[:5]] == ["lib", "app", "broken", "empty", "core"]


def test_a_search_for_one_word_finds_matches(machine: Machine) -> None:
    assert machine.hpm("search", "Number 7") == ["filler-7: Number 7 of Many"]
    assert len(machine.hpm("search", "many")) == 26


def test_a_search_for_two_words_finds_both(machine: Machine) -> None:
    assert machine.hpm("search", "many", "Long ago") == ["app: The short description."]
    assert machine.hpm("search", "many", "nowhere") == ["No packages found."]
    assert len(machine.hpm("search", "Number", "of Many")) == 25


def test_a_search_without_the_mend_sends_raw_blanks(plain: Machine) -> None:
    assert plain.hpm("search", "many", "Long ago") == ["app: The short description.", "1 found"]
    assert plain.hpm("search", "Number", "of Many")[-1] == "25 found"


@pytest.mark.parametrize("word", ["Реактор", "R&D", "100% +1", "#1", "a=b", "ядро"])
def test_a_search_finds_every_word_by_the_encoded_query(machine: Machine, word: str) -> None:
    assert machine.hpm("search", word, "reactor core") == ["core: Реактор «ядро» R&D 100% +1 #1 a=b"]


@pytest.mark.parametrize("word", ["é", "100%", "a+b", "#1", "<x>", "{|}", "\\", "`^`", "'"])
def test_a_search_for_special_characters_finds_nothing(plain: Machine, word: str) -> None:
    assert plain.hpm("search", word, "and more") == ["0 found"]


@pytest.fixture(scope="module")
def full_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Author]:
    """A server with 20 packages of 10 versions of 15 files: 600 KB."""
    with serving(tmp_path_factory.mktemp("full") / "data") as running:
        author = Author(running, running.make_key("Alice", "hel"))
        for name in (f"program-{number}" for number in range(20)):
            paths = [f"/usr/lib/{name}/module-{number}.lua" for number in range(15)]
            files = {f"https://files.example.org/{name}{path}": {"path": path} for path in paths}
            version = {"files": files, "depends": {}, "changes": "Faster, with fewer faults"}
            author.publish(name, {f"1.{number}": version for number in range(10)}, description="A program. " * 20)
        yield author


def test_a_search_fits_the_memory_of_a_machine_in_the_game(full_server: Author, tmp_path: Path) -> None:
    machine = Machine.of(full_server, tmp_path)
    assert len(machine.hpm("search", memory=170)) == 20
    assert len(machine.hpm("search", "program", "Faster", memory=170)) == 20
    plain = Machine.of(full_server, tmp_path / "plain", without="search,install,files")
    assert plain.hpm("search", memory=150)[-1] == "20 found"


def test_the_same_search_in_whole_pages_needs_ten_times_as_much(full_server: Author, tmp_path: Path) -> None:
    machine = Machine.of(full_server, tmp_path)
    assert machine.hpm("search-whole", memory=1000) == ["error: not enough memory"]
    assert machine.hpm("search-whole", memory=20_000)[-1] == "20 found"


def test_info_reads_every_field(machine: Machine) -> None:
    described, people, version, dates = machine.hpm("info", "lib")
    assert described == "lib\tThe description of the package\tPackage license, e.g., GPL v3"
    assert people == "Alice\tProgram author 1, Program author 2"
    assert version.split("\t")[:2] == ["2.0.0", "This is 2.0."]
    assert dates.split("\t")[0] == dates.split("\t")[1]
    assert machine.hpm("info", "lib", "^1")[2].split("\t")[:2] == ["1.10.0", "This is 1.10."]


def test_an_install_includes_dependencies_and_their_files(machine: Machine) -> None:
    assert machine.hpm("install", "app") == ["Installing 'lib@1.10.0'...", "Installing 'app@1.0.0'..."]
    assert (machine.content_of("app"), machine.content_of("lib")) == ("return 'app 1.0'\n", "return 'lib 1.10'\n")
    assert machine.hpm("install", "app", "lib@^1") == []


def test_an_upgrade_installs_the_newest_version(machine: Machine) -> None:
    assert machine.hpm("install", "lib@1.2.0") == ["Installing 'lib@1.2.0'..."]
    assert machine.content_of("lib") == "return 'lib 1.2'\n"
    assert machine.hpm("upgrade", "lib") == ["Installing 'lib@2.0.0'..."]
    assert machine.content_of("lib") == "return 'lib 2.0'\n"
    assert machine.hpm("upgrade", "lib") == []


def test_an_install_without_the_mend_ignores_the_range(plain: Machine) -> None:
    assert plain.hpm("install", "lib@1.2.0") == ["Installing 'lib@2.0.0'..."]


def test_an_install_with_ranges_uses_them_for_the_named_packages_only(machine: Machine) -> None:
    assert machine.hpm("install", "app@1.0", "lib@^1") == ["Installing 'lib@1.10.0'...", "Installing 'app@1.0.0'..."]
    assert machine.hpm("install", "lib@latest") == [
        "error: Could not parse the version specification: Invalid requirement specification: latest"
    ]


def test_files_of_the_server_come_from_the_address_of_the_module(machine: Machine, author: Author) -> None:
    version = author.version("secure", "1.0")
    files = {url.replace("http:", "https:"): file for url, file in version["files"].items()}
    author.publish("secure", {"1.0": {**version, "files": files}})
    assert machine.hpm("install", "secure") == ["Installing 'secure@1.0.0'..."]
    assert machine.content_of("secure") == "return 'secure 1.0'\n"


def test_files_of_other_servers_keep_their_address(machine: Machine, author: Author) -> None:
    url = author.server.url.replace("http:", "https:").replace("127.0.0.1", "127.0.0.10") + "/x"
    author.publish("elsewhere", {"1.0": {"files": {url: {"path": "/x"}}, "depends": {}}})
    assert machine.hpm("install", "elsewhere")[-1].startswith(f"error: Could not download '{url}'")


def test_a_new_version_can_be_installed_at_once(machine: Machine, author: Author) -> None:
    author.publish("fresh", {"1.0": author.version("fresh", "1.0")})
    machine.hpm("install", "fresh")
    new = {"versions": {"1.1": author.version("fresh", "1.1")}}
    author.send("PATCH", "/packages/fresh", json.dumps(new).encode())
    assert machine.hpm("upgrade", "fresh") == ["Installing 'fresh@1.1.0'..."]


def test_a_failed_install_shows_the_status_or_the_reason(machine: Machine, author: Author) -> None:
    assert machine.hpm("install", "nothing") == ["error: HTTP status 404"]
    assert machine.hpm("install", "broken") == ["error: HTTP status 404"]
    assert machine.hpm("install", "empty") == ["error: No candidate for version specification '*' found!"]
    assert machine.hpm("install", "lib@^9") == ["error: No candidate for version specification '^9' found!"]


def test_an_imported_program_is_installed_with_its_dependencies(tmp_path: Path) -> None:
    programs = b"""{
      ["big.drum"] = { files = { [":master/lib"] = "/lib/drum", ["master/d.cfg"] = "//etc" }, dependencies = {"beat"} },
      beat = { files = { ["master/beat.lua"] = "/bin" } },
    }"""
    files = {"lib/a.lua": b"a", "lib/deep/b.lua": b"a", "d.cfg": b"", "beat.lua": b"beat"}  # equal and empty bytes
    source = str(oppm_repository.write(tmp_path / "source", {"programs.cfg": programs, **files}))
    with serving(tmp_path / "data") as server:
        author = Author(server, server.make_key("Alice", "hel"))
        moonbase(server.data, "hel", "import", "oppm", source, "--account", "alice", "--url", server.url)
        machine = Machine.of(author, tmp_path / "machine")
        printed = machine.hpm("install", "big-drum")
    installed = {
        path: file.read_bytes()
        for path in ("usr/lib/drum/a.lua", "usr/lib/drum/deep/b.lua", "etc/d.cfg", "usr/bin/beat.lua")
        if (file := machine.root / path).exists()
    }
    assert list(installed.values()) == list(files.values()), printed


def test_a_raw_request_line_is_accepted(author: Author) -> None:
    host, port = author.server.url.removeprefix("http://").split(":")
    line = b'GET /packages?offset=0&q="many" "Long" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(line)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert [one["name"] for one in json.loads(body)["data"]["list"]] == ["app"]
