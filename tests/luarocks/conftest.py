"""Fixtures of the LuaRocks tests: rockspecs, uploads, and a server for the real client."""

from collections.abc import Callable, Iterator

import pytest

from chalicelib.core.catalogue import Catalogue
from chalicelib.luarocks import index
from tests.client import Client, Reply

Upload = Callable[..., Reply]


def rockspec(package: str = "say", version: str = "1.0-1", lua: str = "lua >= 5.1") -> bytes:
    """A rockspec as people write them."""
    return f"""package = "{package}"
version = "{version}"
source = {{ url = "https://example.org/{package}.tar.gz" }}
description = {{ summary = "Says hello", license = "MIT", homepage = "https://example.org" }}
dependencies = {{ "{lua}" }}
build = {{ type = "builtin", modules = {{}} }}
""".encode()


@pytest.fixture
def upload(client: Client, key: str) -> Upload:
    """Uploads a rockspec with Alice's key, or with another one."""

    def send(content: bytes = rockspec(), *, key: str = key, filename: str = "x.rockspec", **more: object) -> Reply:
        return client.post(f"/api/1/{key}/upload", files={"rockspec_file": (filename, content)}, **more)

    return send


@pytest.fixture
def upload_rock(client: Client, key: str) -> Upload:
    """Uploads a rock with Alice's key, or with another one."""

    def send(version_id: object, filename: str, content: bytes = b"PK rock", *, key: str = key) -> Reply:
        return client.post(f"/api/1/{key}/upload_rock/{version_id}", files={"rock_file": (filename, content)})

    return send


@pytest.fixture
def stock(aws: None) -> Iterator[Callable[[int], None]]:
    """Fills the list with so many modules of somebody else, three versions each."""
    real = Catalogue.named["luarocks"]

    def fill(modules: int) -> None:
        Catalogue("luarocks", lambda: ((f"carol/m{n}", _module(n)) for n in range(modules))).rebuild()
        index.catalogue.view()

    yield fill
    Catalogue.named["luarocks"] = real


def _module(number: int) -> dict[str, object]:
    return {
        "id": 10 * number,
        "user": "carol",
        "name": f"m{number}",
        "root": True,
        "versions": {
            f"{minor}.0-1": {
                "id": 10 * number + minor,
                "lua": "lua >= 5.1",
                "dev": False,
                "spec": ["0" * 64, 300, 1_700_000_000],
                "rocks": {"src": ["1" * 64, 3000, 1_700_000_000]},
            }
            for minor in (1, 2, 3)
        },
    }
