"""Zips and images that authors upload, and their requests."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZIP_DEFLATED, ZipFile

import requests
from PIL import Image

from chalicelib.contentdb.releases import publishing
from chalicelib.core import blobs, job_runner, links
from chalicelib.core.tables import Job
from tests.client import Client, Reply

MOD = {"init.lua": "-- nothing yet\n", "mod.conf": "name = mymod\n", "LICENSE.txt": "MIT\n"}


def zipped(files: Mapping[str, str | bytes], folder: str = "") -> bytes:
    """Return a zip of some files, inside `folder` if it is given."""
    written = BytesIO()
    with ZipFile(written, "w", ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(f"{folder}/{path}" if folder else path, content)
    return written.getvalue()


def picture(kind: str = "PNG", size: tuple[int, int] = (1280, 720), mode: str = "RGB", **more: Any) -> bytes:
    """Return an image in the format `kind`: red, with a blue right half."""
    image = Image.new(mode, size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    written = BytesIO()
    image.save(written, kind, **more)
    return written.getvalue()


def shown(content: bytes) -> tuple[str | None, tuple[int, int]]:
    """Return the format and the size of an image."""
    with Image.open(BytesIO(content)) as image:
        return image.format, image.size


def upload(client: Client, key: str, headers: Mapping[str, str], content: bytes, **fields: str) -> Reply:
    """Create a release from a zip; `fields` replace the form's default title."""
    files = {"file": ("mymod.zip", content)}
    form = fields or {"title": "My Release"}
    return client.post(f"/api/packages/{key}/releases/new/", headers=headers, form=form, files=files)


def checked(client: Client, reply: Reply) -> dict[str, Any]:
    """Run the check of a new release; return the task."""
    assert reply.status == 200, reply.body
    job_runner.run_due()
    task: dict[str, Any] = client.get(reply.json["task"]).json
    return task


def pending_checks() -> list[Job]:
    """Return the jobs that will check a release."""
    return [job for job in Job.query("jobs") if job.name == publishing.CHECK]


def released(client: Client, key: str, headers: Mapping[str, str], content: bytes, **fields: str) -> int:
    """Create a release that passes its check; return its id."""
    reply = upload(client, key, headers, content, **fields)
    task = checked(client, reply)
    assert task["status"] == "SUCCESS", task
    number: int = reply.json["release"]["id"]
    return number


def fetched(client: Client, path: str, *, hops: int = 3) -> bytes:
    """Return the bytes of a path after at most `hops` redirects (the game follows three), also to S3."""
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
