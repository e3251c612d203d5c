"""Zips and images as clients get them."""

from chalicelib import settings
from chalicelib.contentdb.store.tables import PublicFile, Release
from chalicelib.core import blobs
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response, redirect

_TYPES = {"zip": "application/zip", "png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
_A_WEEK = ("Cache-Control", "public, max-age=604800")  # what a name stands for never changes


def render_file(request: Request, file: PublicFile) -> Response:
    """A file's bytes; where there is S3, a redirect to zips there, and to what is too large to send."""
    content_type = _type_of(file.name)
    if file.name.endswith(".zip") or file.size > settings.current().max_answer:
        link = blobs.link(file.blob, method=request.method, filename=file.name, content_type=content_type)
        if link:
            return redirect(link)
    headers = _headers(file.name)
    if request.method == "HEAD":
        return bytes_response(b"", content_type, headers=[*headers, ("Content-Length", str(int(file.size)))])
    return bytes_response(blobs.get(file.blob), content_type, headers=headers)


def render_thumbnail(level: int, name: str, content: bytes) -> Response:
    """A thumbnail's bytes."""
    return bytes_response(content, _type_of(name), headers=_headers(f"{level}-{name}"))


def render_download(request: Request, release: Release, filename: str) -> Response:
    """The way to a release's zip: one redirect, to S3 where there is one."""
    link = blobs.link(release.blob, method=request.method, filename=filename, content_type=_TYPES["zip"])
    return redirect(link or f"{request.base_url}/uploads/{release.file}")


def render_nothing(request: Request) -> Response:
    """What a package without a release gets: 204 for a client that wants a zip, the package's page for a reader."""
    accept = request.headers.get("accept", "")
    if "zip" in accept and "html" not in accept:
        return Response(204)
    owner, name = request.params["owner"], request.params["name"]
    return redirect(f"{request.base_url}/packages/{owner}/{name}/")


def _headers(tag: str) -> list[tuple[str, str]]:
    return [("ETag", f'"{tag}"'), _A_WEEK, ("X-Content-Type-Options", "nosniff")]


def _type_of(name: str) -> str:
    return _TYPES[name.rpartition(".")[2]]
