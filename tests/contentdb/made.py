"""Zips and images for the tests, as authors make them."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZIP_DEFLATED, ZipFile

import requests
from PIL import Image

from chalicelib.core import blobs, jobs, links
from tests.client import Client, Reply

MOD = {"init.lua": "-- nothing yet\n", "mod.conf": "name = mymod\n", "LICENSE.txt": "MIT\n"}


def zipped(files: Mapping[str, str | bytes], folder: str = "") -> bytes:
    """A zip of some files, below a folder if one is named."""
    written = BytesIO()
    with ZipFile(written, "w", ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(f"{folder}/{path}" if folder else path, content)
    return written.getvalue()


def picture(kind: str = "PNG", size: tuple[int, int] = (1280, 720), mode: str = "RGB", **more: Any) -> bytes:
    """An image: red, with a blue right half."""
    image = Image.new(mode, size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    written = BytesIO()
    image.save(written, kind, **more)
    return written.getvalue()


def shown(content: bytes) -> tuple[str | None, tuple[int, int]]:
    """The format and the size of an image."""
    with Image.open(BytesIO(content)) as image:
        return image.format, image.size


def upload(client: Client, key: str, headers: Mapping[str, str], content: bytes, **fields: str) -> Reply:
    """Ask for a release by zip; with a title, unless there are other fields."""
    files = {"file": ("mymod.zip", content)}
    form = fields or {"title": "My Release"}
    return client.post(f"/api/packages/{key}/releases/new/", headers=headers, form=form, files=files)


def checked(client: Client, reply: Reply) -> dict[str, Any]:
    """Let the check of a release that was asked for run; returns its task."""
    assert reply.status == 200, reply.body
    jobs.run_due()
    task: dict[str, Any] = client.get(reply.json["task"]).json
    return task


def released(client: Client, key: str, headers: Mapping[str, str], content: bytes, **fields: str) -> int:
    """Make a release, check it; returns its id."""
    reply = upload(client, key, headers, content, **fields)
    task = checked(client, reply)
    assert task["status"] == "SUCCESS", task
    number: int = reply.json["release"]["id"]
    return number


def fetched(client: Client, path: str, *, hops: int = 3) -> bytes:
    """The bytes behind a path, after as many redirects as the game's client follows, to S3 among them."""
    for _ in range(hops + 1):
        reply = client.get(path)
        if reply.status == 200:
            return reply.body
        assert reply.status == 302, reply.body
        url = urlsplit(reply.header("Location") or "")
        if url.path.startswith(links.PREFIX):  # on one machine the gateway serves these
            return blobs.get(links.read(url.path, url.query, "GET").key)
        if url.hostname and url.hostname.endswith(".amazonaws.com"):
            answer = requests.get(url.geturl(), timeout=10)
            assert answer.status_code == 200
            return answer.content
        assert url.hostname == "moonbase.test"
        path = url.path + (f"?{url.query}" if url.query else "")
    raise AssertionError("too many redirects")
