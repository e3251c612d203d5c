"""A catalogue as large as luarocks.org's: 5,449 modules with seven versions each. Nobody can download their files.

python -m tests.luarocks.large_catalogue DATA
"""

import sys
from itertools import chain
from pathlib import Path

from chalicelib.luarocks.entry import ModuleEntry, PublishedFile, RockEntry, VersionEntry

MODULES, VERSIONS = 5449, 7


def module(number: int) -> ModuleEntry:
    """A module with versions that have a rockspec and a rock."""
    name, file = f"large-{number}", PublishedFile(sha256="0" * 64, size=1, revision=1, created_at=1, updated_at=1)
    versions = {
        f"{place}.{number}-1": VersionEntry(
            id=10 * number + place, file=file, rocks={"src": RockEntry(1, f"{name}-{place}.{number}-1.src.rock", file)}
        )
        for place in range(VERSIONS)
    }
    return ModuleEntry(
        id=10**9 + number,
        user_id=10**9,
        user="large",
        name=name,
        current_version_id=10 * number,
        created_at=1,
        updated_at=1,
        in_root=True,
        versions=versions,
    )


def fill(data: Path) -> None:
    """Publish the modules in a data directory."""
    from standalone.runtime import open_data

    open_data(data)
    from chalicelib.luarocks import index

    modules = {index.key_of("large", each.name): each for each in map(module, range(MODULES))}
    stored = index.catalogue.entities
    index.catalogue.entities = lambda: chain(stored(), modules.items())
    index.catalogue.rebuild()


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
