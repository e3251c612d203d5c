"""The systemd unit and the Containerfile: their commands work, and run without privileges."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import wheels
from tests.servers import serving
from tests.test_walls import ROOT

UNIT = ROOT / "systemd" / "moonbase.service"


@pytest.fixture(scope="module")
def unit() -> dict[str, str]:
    """The unit's settings; a repeated setting has its last value."""
    lines = [line for line in UNIT.read_text().splitlines() if not line.startswith(("#", "["))]
    return {name: value for name, _, value in (line.partition("=") for line in lines if line)}


@pytest.fixture(scope="module")
def image() -> list[tuple[str, str]]:
    """The Containerfile's instructions with their arguments."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Containerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line)]


def only(image: list[tuple[str, str]], name: str) -> str:
    """Return the arguments of an instruction that the file contains once."""
    (rest,) = (rest for found, rest in image if found == name)
    return rest


def healthy(check: Sequence[str], url: str) -> bool:
    """Run the container's health check against `url` instead of the container's port; return whether it passes."""
    assert check[0] == "python"
    command = [sys.executable, *(word.replace("http://127.0.0.1:8000", url) for word in check[1:])]
    return subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60).returncode == 0


def test_systemd_accepts_every_setting_of_the_unit(unit: dict[str, str], tmp_path: Path) -> None:
    assert shutil.which("systemd-analyze"), "install the Debian packages that .ci/run names"
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(shlex.split(unit["ExecStart"])[0], "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_the_unit_serves_the_only_directory_that_it_can_write_to(unit: dict[str, str]) -> None:
    state = f"/var/lib/{unit['StateDirectory']}"
    assert shlex.split(unit["ExecStart"]) == ["/opt/moonbase/bin/moonbase", "--data", f"{state}/data", "serve"]
    assert (unit["ProtectSystem"], unit["ProtectHome"], unit["StateDirectoryMode"]) == ("strict", "yes", "0700")
    assert not {"ReadWritePaths", "BindPaths", "DynamicUser"} & set(unit)


def test_the_unit_has_a_user_of_its_own_and_no_privileges(unit: dict[str, str]) -> None:
    assert (unit["User"], unit["Group"]) == ("moonbase", "moonbase")
    assert (unit["NoNewPrivileges"], unit["CapabilityBoundingSet"], unit["AmbientCapabilities"]) == ("yes", "", "")


def test_the_image_copies_all_files_of_the_package(image: list[tuple[str, str]], tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    for words in (rest.split() for name, rest in image if name == "COPY" and not rest.startswith("--from")):
        for path in words[:-1]:
            if (ROOT / path).is_dir():
                shutil.copytree(ROOT / path, source / words[-1])
            else:
                shutil.copy(ROOT / path, source / words[-1])
    copied = wheels.contents(wheels.build(source, tmp_path / "copied"))
    assert copied == wheels.contents(wheels.build(ROOT, tmp_path / "checkout"))


def test_the_image_runs_as_a_user_who_owns_only_the_volume(image: list[tuple[str, str]]) -> None:
    user, volume = only(image, "USER"), only(image, "VOLUME")
    made = next(rest for name, rest in image if name == "RUN" and "useradd" in rest)
    assert re.search(rf"useradd --system .*--home-dir {volume} {user} ", made)
    assert re.search(rf"install --directory --owner={user} --group={user} --mode=0700 {volume}$", made)
    assert f"MOONBASE_DATA={volume}" in only(image, "ENV").split()
    assert [name for name, _ in image].index("USER") > max(
        position for position, (name, _) in enumerate(image) if name in ("RUN", "COPY")
    )


def test_the_health_check_passes_only_while_the_image_serves(image: list[tuple[str, str]], tmp_path: Path) -> None:
    command = [*json.loads(only(image, "ENTRYPOINT")), *json.loads(only(image, "CMD"))]
    check = json.loads(only(image, "HEALTHCHECK").partition(" CMD ")[2])
    assert command[:2] == ["moonbase", "serve"]
    with serving(tmp_path / "data", *command[2:]) as server:
        assert server.get("/healthz")[0] == 200  # the first worker is up
        assert healthy(check, server.url)
    assert not healthy(check, server.url)
