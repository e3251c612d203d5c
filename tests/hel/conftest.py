"""Fixtures of the Hel tests: packages as people write them, sessions, and a full list."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib import settings
from chalicelib.core import credentials
from chalicelib.core.catalogue import Catalogue
from chalicelib.core.tables import Account
from chalicelib.hel import index
from chalicelib.hel.entry import Dependency, PackageEntry, Version, VersionFile
from chalicelib.hel.tables import HelItem, Package
from tests import people
from tests.client import Client, Reply

Create = Callable[..., Reply]


def package(name: str = "thing", **more: object) -> dict[str, Any]:
    """The example of the wiki's page, less its three dots; `more` replaces fields."""
    return {
        "name": name,
        "description": "The description of the package",
        "short_description": "The short description.",
        "authors": ["Program author 1", "Program author 2"],
        "owners": ["user-1", "user-2"],
        "license": "Package license, e.g., GPL v3",
        "tags": ["tag 1", "tag 2", "tag 3"],
        "versions": {
            "1.0.0": {
                "files": {
                    "http://example.com/file1": {"path": "/usr/bin/program.lua"},
                    "http://example.com/file2": {"path": "/usr/lib/libprogram.lua"},
                },
                "depends": {"dependency-1": {"type": "recommended", "version": ">2,<2.3.2"}},
            }
        },
        "screenshots": {"http://example.com/image-1.png": "Img"},
        **more,
    }


def shown(name: str = "thing", **more: object) -> dict[str, Any]:
    """The same package as everybody sees it, created at 2026-01-02 03:04:05."""
    return {
        "name": name,
        "description": "The description of the package",
        "short_description": "The short description.",
        "owners": ["user-1", "user-2"],
        "authors": ["Program author 1", "Program author 2"],
        "license": "Package license, e.g., GPL v3",
        "tags": ["tag 1", "tag 2", "tag 3"],
        "versions": {
            "1.0.0": {
                "files": {
                    "http://example.com/file1": {
                        "dir": "/usr/bin",
                        "name": "program.lua",
                        "path": "/usr/bin/program.lua",
                    },
                    "http://example.com/file2": {
                        "dir": "/usr/lib",
                        "name": "libprogram.lua",
                        "path": "/usr/lib/libprogram.lua",
                    },
                },
                "depends": {"dependency-1": {"type": "recommended", "version": ">2,<2.3.2"}},
                "changes": "",
            }
        },
        "screenshots": {"http://example.com/image-1.png": "Img"},
        "stats": {
            "views": 0,
            "date": {"created": "2026-01-02 03:04:05", "last-updated": "2026-01-02 03:04:05"},
            "downloads": 0,
        },
        **more,
    }


def entry(name: str) -> PackageEntry:
    """Its entry."""
    one = package(name)
    version = one["versions"]["1.0.0"]
    files = {
        url: VersionFile(dir=path.rpartition("/")[0], name=path.rpartition("/")[2], path=path)
        for url, path in ((url, file["path"]) for url, file in version["files"].items())
    }
    depends = {other: Dependency(**dependency) for other, dependency in version["depends"].items()}
    return PackageEntry(
        name=name,
        description=one["description"],
        short_description=one["short_description"],
        owners=tuple(one["owners"]),
        authors=tuple(one["authors"]),
        license=one["license"],
        tags=tuple(one["tags"]),
        versions={"1.0.0": Version(files=files, depends=depends, changes="")},
        screenshots=one["screenshots"],
        created_at=1767323045,
        updated_at=1767323045,
    )


EXPLANATIONS = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    409: "There was a conflict when trying to complete your request.",
}
TITLES = {200: "OK", 201: "Created", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}


def success(data: object, *, status: int = 200, logged_in: bool = False) -> dict[str, Any]:
    """The whole body of a success."""
    return {
        "success": True,
        "title": TITLES[status],
        "data": data,
        "code": status,
        "version": "3.4.0",
        "logged_in": logged_in,
    }


def refusal(status: int, message: str, *, logged_in: bool = False) -> dict[str, Any]:
    """The whole body of a refusal."""
    return {
        "success": False,
        "title": TITLES[status],
        "message": message,
        "explanation": EXPLANATIONS[status],
        "code": status,
        "version": "3.4.0",
        "logged_in": logged_in,
    }


def stored() -> list[Package]:
    """All packages in the table, oldest first."""
    packages = [item for item in HelItem.scan() if isinstance(item, Package)]
    return sorted(packages, key=lambda package: package.id)


def listed(client: Client, **query: object) -> list[str]:
    """The names in a list."""
    reply = client.get("/packages", query=query)
    assert reply.status == 200, reply.json
    return [package["name"] for package in reply.json["data"]["list"]]


@pytest.fixture(autouse=True)
def open_to_everybody() -> Iterator[None]:
    """Registration is open, as it was with Hel."""
    with settings.override(registration="open"):
        yield


@pytest.fixture
def session(alice: Account) -> dict[str, str]:
    """The header of Alice's session."""
    return {"Cookie": "auth_tkt=" + credentials.create(alice, credentials.SESSION)[1]}


@pytest.fixture
def create(client: Client, session: dict[str, str]) -> Create:
    """Creates a package as Alice."""

    def send(data: object = package(), **more: Any) -> Reply:
        return client.post("/packages", json=data, headers=session, **more)

    return send


@pytest.fixture
def key(alice: Account) -> dict[str, str]:
    """The header of Alice's key for Hel."""
    return {"Authorization": "Bearer " + credentials.create(alice, "hel")[1]}


@pytest.fixture
def admin(aws: None) -> dict[str, str]:
    """The header of an administrator's session."""
    account = people.register("Root", "root@example.org", "toor", "ADMIN")
    return {"Cookie": "auth_tkt=" + credentials.create(account, credentials.SESSION)[1]}


@pytest.fixture
def stock(aws: None) -> Iterator[Callable[[int], None]]:
    """Fills the list with so many packages."""
    real = Catalogue.named["hel"]

    def fill(packages: int) -> None:
        entries = {f"{n}": entry(f"p{n}") for n in range(packages)}
        Catalogue("hel", PackageEntry, shape=1, entities=entries.items, reload=lambda key, _: entries[key]).rebuild()
        index.catalogue.snapshot()

    yield fill
    Catalogue.named["hel"] = real
