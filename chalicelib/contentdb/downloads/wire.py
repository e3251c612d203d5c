"""The responses for zips and images."""

from chalicelib import settings
from chalicelib.contentdb.store.tables import PublicFile, Release
from chalicelib.core import blobs
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response, redirect

_TYPES = {"zip": "application/zip", "png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
_A_WEEK = ("Cache-Control", "public, max-age=604800")  # the content of a name never changes


def render_file(request: Request, file: PublicFile) -> Response:
    """A file's bytes; with S3, a redirect for zips and for files that are too large for a response."""
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
    """A redirect to a release's zip, on S3 if it is used."""
    link = blobs.link(release.blob, method=request.method, filename=filename, content_type=_TYPES["zip"])
    return redirect(link or f"{request.base_url}/uploads/{release.file}")


def render_no_release(request: Request) -> Response:
    """The response for a package without a release: 204 for a program, a redirect to its page for a browser."""
    accept = request.headers.get("accept", "")
    if "zip" in accept and "html" not in accept:
        return Response(204)
    owner, name = request.params["owner"], request.params["name"]
    return redirect(f"{request.base_url}/packages/{owner}/{name}/")


def _headers(tag: str) -> list[tuple[str, str]]:
    return [("ETag", f'"{tag}"'), _A_WEEK]


def _type_of(name: str) -> str:
    return _TYPES[name.rpartition(".")[2]]
