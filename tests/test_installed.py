"""The package that `pip install .` builds: its contents, and a server without the checkout."""

import base64
import hashlib
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import markupsafe
import pytest

from chalicelib import __version__
from chalicelib.web.html import source
from tests import wheels
from tests.servers import Server, serving
from tests.test_walls import ROOT

FOLDERS = ("chalicelib", "commands", "standalone")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without the network."""
    return wheels.build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def environment(wheel: Path) -> Path:
    """A virtual environment with the wheel; it has our environment's libraries, but not the checkout."""
    home = wheel.parent / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True, timeout=60)
    (site_packages,) = home.glob("lib/python*/site-packages")
    (site_packages / "libraries.pth").write_text(str(Path(markupsafe.__file__).parent.parent))
    pip = [sys.executable, "-m", "pip", "--python", home / "bin" / "python"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", wheel], check=True, timeout=60)
    return home


@pytest.fixture(scope="module")
def program(environment: Path) -> str:
    """The installed command."""
    return str(environment / "bin" / "moonbase")


@pytest.fixture(scope="module")
def server(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "data", program=(program,)) as running:
        yield running


def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as package:
        return Parser().parsestr(package.read(f"moonbase-{__version__}.dist-info/METADATA").decode())


def required(name: str) -> set[str]:
    """Return the requirements in a file and in its `-r` files, with normalized names."""
    found: set[str] = set()
    for line in (ROOT / name).read_text().splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r "):
            found |= required(line.removeprefix("-r "))
        elif line:
            found.add(_normalised(line))
    return found


def _normalised(requirement: str) -> str:
    return re.sub(r"[-_]+", "-", requirement).lower()


def test_the_wheel_contains_exactly_the_servers_files(wheel: Path) -> None:
    ours = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()}
    ours = {path for path in ours if path.suffix != ".pyc" and path.name != "README.md"} | {ROOT / "app.py"}
    found = wheels.contents(wheel)
    assert found == {str(path.relative_to(ROOT)): path.read_bytes() for path in ours}
    assert {"style.css", "layout.html", "reference.json"} < {Path(name).name for name in found}


def test_the_wheel_has_the_requirements_of_the_requirements_file(wheel: Path) -> None:
    assert {_normalised(name) for name in metadata(wheel).get_all("Requires-Dist", [])} == required(
        "requirements-serve.txt"
    )


def test_the_development_requirements_include_the_build_requirements() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["build-system"]["requires"]) <= required("requirements-dev.txt")


def test_the_version_equals_the_newest_release_in_the_changelog(wheel: Path) -> None:
    assert metadata(wheel)["Version"] == __version__
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:2] == ["Unreleased", __version__]


def test_the_command_prints_its_version(program: str, tmp_path: Path) -> None:
    done = subprocess.run([program, "--version"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == (f"moonbase {__version__}\n", "", 0)


def test_the_option_stack_without_a_checkout_is_an_error(program: str, tmp_path: Path) -> None:
    command = [program, "--stack", "moonbase-prod", "user", "list"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    why = "moonbase: --stack needs a checkout of Moonbase, as deploying does: run ./moonbase there\n"
    assert (done.stdout, done.stderr, done.returncode) == ("", why, 1)


def test_the_first_steps_of_the_server_name_the_installed_command(server: Server) -> None:
    line, log = f"\n  moonbase --data {server.data} user create NAME", server.data.parent / "server.log"
    deadline = time.monotonic() + 30
    while line not in log.read_text() and time.monotonic() < deadline:  # the server prints them after it listens
        time.sleep(0.1)
    assert line in log.read_text()


def test_the_installed_server_serves_pages_with_their_style(server: Server) -> None:
    connection = server.connect()
    connection.request("GET", "/", headers={"Accept": "text/html"})
    response = connection.getresponse()
    page = response.read().decode()
    connection.close()
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    assert style[1] == source("web/style.css")
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in response.headers["Content-Security-Policy"]


def test_the_installed_server_has_contentdbs_reference_data(server: Server) -> None:
    status, body = server.get("/api/licenses/")
    assert (status, b'"MIT"' in body) == (200, True)


def test_the_installed_server_stores_and_serves_a_rockspec(server: Server) -> None:
    status, answer = server.upload_rockspec(server.make_key("alice"))
    assert (status, answer["module"]["name"]) == (200, "say")
    assert server.get("/manifest-5.1.json")[1].startswith(b'{"commands":{},"modules":{},"repository":{"say":')
