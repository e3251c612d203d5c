"""Builds the package without the network."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

OFFLINE = ("--no-build-isolation", "--no-deps", "--no-index")


def build(source: Path, place: Path) -> Path:
    """The wheel that `pip install` would make of a folder, written into the empty directory `place`."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", *OFFLINE, "-w", str(place), str(source)]
    subprocess.run(command, check=True, timeout=120)
    (made,) = place.iterdir()
    return made


def contents(wheel: Path) -> dict[str, bytes]:
    """The files that a wheel installs, by their paths; its own metadata is left out."""
    with ZipFile(wheel) as package:
        return {name: package.read(name) for name in package.namelist() if ".dist-info/" not in name}
