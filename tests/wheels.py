"""Builds the package without the network."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

OFFLINE = ("--no-build-isolation", "--no-deps", "--no-index")


def build(source: Path, target: Path) -> Path:
    """Build the wheel of `source`, as `pip install` does, in the empty directory `target`; return its path."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", *OFFLINE, "-w", str(target), str(source)]
    subprocess.run(command, check=True, timeout=120)
    (made,) = target.iterdir()
    return made


def contents(wheel: Path) -> dict[str, bytes]:
    """Return the content of the files that a wheel installs by path, without the wheel's metadata."""
    with ZipFile(wheel) as package:
        return {name: package.read(name) for name in package.namelist() if ".dist-info/" not in name}
