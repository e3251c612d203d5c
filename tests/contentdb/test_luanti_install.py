"""Thumbnails and installations by Luanti's content browser, over real HTTP.

The requests are those of the Lua and C++ code of 5.6 and 5.17: curl's headers, at most three redirects, and bodies
accepted with any status.
"""

import time
from collections.abc import Iterator
from http.client import HTTPConnection
from io import BytesIO
from typing import Any
from urllib.parse import quote, urljoin, urlsplit
from zipfile import ZipFile

import orjson
import pytest

from tests.contentdb.files import MOD, picture, shown, zipped
from tests.servers import Server, moonbase, serving

MOST_REDIRECTS = 3
AGENTS = {"5.6.1": "Minetest/5.6.1 (Windows/10.0 x86_64)", "5.17.0": "Luanti/5.17.0 (Linux/6.1 x86_64)"}


class Luanti:
    """A client of one version."""

    def __init__(self, url: str, version: str) -> None:
        self.url = url
        self.version = version
        self.hops = 0

    def fetch(self, url: str) -> bytes:
        """Return the body after redirects, with any status, as the client does."""
        self.hops = 0
        while True:
            status, location, body = self._get(url)
            if status not in (301, 302, 303, 307, 308) or location is None:
                return body
            assert self.hops < MOST_REDIRECTS, "more redirects than curl follows"
            self.hops += 1
            url = urljoin(url, location)

    def packages(self) -> list[dict[str, Any]]:
        """Return the list that the content browser shows first."""
        versions = f"protocol_version=41&engine_version={self.version}"
        types = "type=mod&type=game&type=txp"
        flags = "&hide=nonfree&hide=desktop_default"
        found: list[dict[str, Any]] = orjson.loads(self.fetch(f"{self.url}/api/packages/?{types}&{versions}{flags}"))
        return found

    def thumbnail(self, package: dict[str, Any]) -> tuple[str, bytes]:
        """Return the file name under which the client caches a thumbnail for ever, and its bytes."""
        url = package["thumbnail"]
        if self.version != "5.6.1":
            parts = url.split("/thumbnails/")
            url = f"{parts[0]}/thumbnails/2/{parts[1].partition('/')[2]}"
        assert url.rpartition(".")[2] in ("png", "jpg")
        assert "?" not in url
        return url.rpartition("/")[2], self.fetch(url)

    def install(self, package: dict[str, Any], reason: str) -> dict[str, bytes]:
        """Download and unpack a package's release; return the content of each file."""
        author, name = quote(package["author"], safe=""), quote(package["name"], safe="")
        path = f"/packages/{author}/{name}/releases/{package['release']:d}/download/?reason={reason}"
        with ZipFile(BytesIO(self.fetch(self.url + path))) as archive:
            assert archive.testzip() is None
            return {entry: archive.read(entry) for entry in archive.namelist()}

    def _get(self, url: str) -> tuple[int, str | None, bytes]:
        parts = urlsplit(url)
        connection = HTTPConnection(parts.netloc, timeout=20)
        headers = {"User-Agent": AGENTS[self.version], "Accept": "*/*"}
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, answer.getheader("Location"), body


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which Alice has published `mymod`, whose former name is `oldmod`."""
    with serving(tmp_path_factory.mktemp("luanti") / "data") as running:
        data = running.data
        moonbase(data, "user", "create", "Alice", "--email", "alice@example.org")
        token = moonbase(data, "key", "create", "Alice", "--service", "contentdb")["key"]
        create = (
            "contentdb",
            "package",
            "create",
            "Alice/mymod",
            "--type",
            "MOD",
            "--title",
            "My Mod",
            "--license",
            "MIT",
        )
        moonbase(data, *create, "--short-description", "Does nothing.")
        publish(running.url, token)
        moonbase(data, "contentdb", "package", "approve", "Alice/mymod")
        yield running


def publish(url: str, token: str) -> None:
    """Upload a release and a screenshot, and wait for the check."""
    path = "/api/packages/Alice/mymod"
    made = post(url, f"{path}/releases/new/", token, "mymod.zip", zipped(MOD, "mymod"), title="1.0.0")
    post(url, f"{path}/screenshots/new/", token, "shot.png", picture(), title="A view")
    deadline = time.monotonic() + 30
    while (task := orjson.loads(Luanti(url, "5.17.0").fetch(url + made["task"])))["status"] != "SUCCESS":
        assert task["status"] != "FAILURE", task
        assert time.monotonic() < deadline, "the check did not finish within 30 seconds"
        time.sleep(0.05)


def post(url: str, path: str, token: str, filename: str, content: bytes, **fields: str) -> Any:
    """Send a form with a file, as `curl -F` does; return the JSON of the response."""
    parts = [
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--B\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
    body = b"".join([*parts, head.encode(), content, b"\r\n--B--\r\n"])
    connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "multipart/form-data; boundary=B"}
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 200, content
    return orjson.loads(content)


@pytest.fixture(params=sorted(AGENTS))
def luanti(request: pytest.FixtureRequest, server: Server) -> Luanti:
    """A client of each version."""
    return Luanti(server.url, request.param)


def test_a_listed_release_can_be_installed(luanti: Luanti) -> None:
    (package,) = luanti.packages()
    assert luanti.install(package, "new") == {f"mymod/{path}": content.encode() for path, content in MOD.items()}


def test_a_download_has_one_redirect(luanti: Luanti) -> None:
    (package,) = luanti.packages()
    luanti.install(package, "update")
    assert luanti.hops == 1


def test_a_thumbnail_is_an_image_with_a_plain_file_name(luanti: Luanti) -> None:
    (package,) = luanti.packages()
    name, content = luanti.thumbnail(package)
    assert (name.count("."), luanti.hops) == (1, 0)
    assert shown(content) == ("PNG", (100, 67) if luanti.version == "5.6.1" else (270, 180))


def test_repeated_downloads_from_one_address_count_once(luanti: Luanti, server: Server) -> None:
    (package,) = luanti.packages()
    luanti.install(package, "dependency")
    moonbase(server.data, "jobs", "run", "contentdb-book-downloads")
    full = orjson.loads(luanti.fetch(f"{server.url}/api/packages/Alice/mymod/"))
    assert full["downloads"] == 1  # all downloads of this module have the same address
