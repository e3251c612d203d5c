"""Fixtures of the LuaRocks tests: uploads, a GnuPG home, and a filled catalogue."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account
from chalicelib.luarocks import index
from chalicelib.luarocks.entry import ModuleEntry, PublishedFile, RockEntry, VersionEntry
from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rock, rockspec


@pytest.fixture
def bob_key(bob: Account) -> str:
    """Bob's LuaRocks key."""
    return credentials.create(bob, "luarocks")[1]


@pytest.fixture
def upload(client: Client, key: str) -> Upload:
    """Uploads a rockspec with Alice's key, or with another one."""

    def send(content: bytes = rockspec(), *, key: str = key, filename: str = "x.rockspec", **more: object) -> Reply:
        return client.post(f"/api/1/{key}/upload", files={"rockspec_file": (filename, content)}, **more)

    return send


@pytest.fixture
def upload_rock(client: Client, key: str) -> Upload:
    """Uploads a rock with Alice's key, or with another one."""

    def send(version_id: object, filename: str, content: bytes = rock(), *, key: str = key) -> Reply:
        return client.post(f"/api/1/{key}/upload_rock/{version_id}", files={"rock_file": (filename, content)})

    return send


@pytest.fixture(scope="session")
def gnupg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A GnuPG home with the key of rocks@example.org, which has no passphrase."""
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)
    environment = {**os.environ, "GNUPGHOME": str(home)}
    options = ["--batch", "--quiet", "--passphrase", ""]
    subprocess.run(["gpg", *options, "--quick-generate-key", "rocks@example.org"], env=environment, check=True)
    yield home
    subprocess.run(["gpgconf", "--kill", "all"], env=environment, check=True)


@pytest.fixture
def fill_catalogue(aws: None) -> Callable[[int], None]:
    """Fills the catalogue with this many modules of another account, with three versions each."""

    def fill(modules: int) -> None:
        entries = {f"carol/m{n}": _module(n) for n in range(modules)}
        shape = index.catalogue.codec.shape
        Catalogue(
            "luarocks", ModuleEntry, shape=shape, entities=entries.items, reload=lambda key, _: entries[key]
        ).rebuild()
        index.catalogue.snapshot()

    return fill


def _module(number: int) -> ModuleEntry:
    dates = {"created_at": 1_700_000_000, "updated_at": 1_700_000_000}
    packed = PublishedFile(sha256="1" * 64, size=3000, revision=1, **dates)
    versions = {
        f"{minor}.0-1": VersionEntry(
            id=10 * number + minor,
            file=PublishedFile(sha256="0" * 64, size=300, revision=1, **dates),
            lua_version="lua >= 5.1",
            dependencies=("lua >= 5.1",),
            rocks={
                "src": RockEntry(id=10 * number + 3 + minor, rock_fname=f"m{number}-{minor}.0-1.src.rock", file=packed)
            },
        )
        for minor in (1, 2, 3)
    }
    return ModuleEntry(
        id=10 * number,
        user_id=99,
        user="carol",
        name=f"m{number}",
        in_root=True,
        current_version_id=10 * number + 3,
        summary=f"Module number {number}",
        license="MIT",
        versions=versions,
        **dates,
    )
