"""Packages for the Hel tests, and expected responses."""

from collections.abc import Callable
from typing import Any

from chalicelib.hel.entry import Dependency, PackageEntry, Version, VersionFile
from chalicelib.hel.tables import HelItem, Package
from tests.client import Client, Reply

Create = Callable[..., Reply]


Limit = tuple[str, int, Callable[[int], dict[str, Any]]]

# For each limited field: its name in the error, its limit, and a change of a package with a field of a length.
LONGEST: list[Limit] = [
    ("description", 8000, lambda size: {"description": "x" * size}),
    ("changes", 8000, lambda size: _version(changes="x" * size)),
    ("license", 200, lambda size: {"license": "x" * size}),
    ("authors", 200, lambda size: {"authors": ["x" * size]}),
    ("tags", 100, lambda size: {"tags": ["x" * size]}),
    ("depends", 100, lambda size: _version(depends={"x" * size: {"type": "optional", "version": "*"}})),
    ("path", 500, lambda size: _version(files={"http://x.org/": {"path": "/" + "x" * (size - 1)}})),
    ("path", 500, lambda size: _version(files={"http://x.org/": {"dir": "x", "name": "x" * (size - 2)}})),
    ("url", 2000, lambda size: _version(files={"http://x.org/".ljust(size, "x"): {"path": "/x"}})),
    ("url", 2000, lambda size: {"screenshots": {"http://x.org/".ljust(size, "x"): "x"}}),
    ("screenshots", 1000, lambda size: {"screenshots": {"http://x.org/": "x" * size}}),
]
# The same for the number of members.
MOST: list[Limit] = [
    ("authors", 100, lambda size: {"authors": ["x"] * size}),
    ("tags", 100, lambda size: {"tags": ["x"] * size}),
    ("owners", 100, lambda size: {"owners": ["Alice"] * size}),
    ("screenshots", 100, lambda size: {"screenshots": {f"http://x.org/{number}": "" for number in range(size)}}),
]


def _version(**fields: object) -> dict[str, Any]:
    return {"versions": {"1.0.0": {"files": {}, "depends": {}, "changes": "", **fields}}}


def package(name: str = "thing", **more: object) -> dict[str, Any]:
    """The example of the wiki's page, without its three dots; `more` replaces fields."""
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


def bulky(size: int) -> dict[str, Any]:
    """Versions whose changes have at least so many bytes together, as a package and the API show them."""
    return {f"1.{number}.0": {"files": {}, "depends": {}, "changes": "x" * 8000} for number in range(1 + size // 8000)}


def expected_package(name: str = "thing", **more: object) -> dict[str, Any]:
    """The same package in the API, created at 2026-01-02 03:04:05."""
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
    """The entry of a package."""
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
    """The whole body of an error."""
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


def list_packages(client: Client, **query: object) -> list[str]:
    """The names in a list."""
    reply = client.get("/packages", query=query)
    assert reply.status == 200, reply.json
    return [package["name"] for package in reply.json["data"]["list"]]
