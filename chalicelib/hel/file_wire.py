"""The responses for stored files."""

from collections.abc import Sequence

from chalicelib import settings
from chalicelib.hel import files
from chalicelib.hel.model import Document
from chalicelib.hel.tables import StoredFile
from chalicelib.hel.wire import render
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response


def render_files(request: Request, stored: Sequence[StoredFile], offset: int) -> Response:
    """One page of a user's stored files."""
    page = stored[offset : offset + settings.current().hel_longest_page]
    data = {
        "offset": offset,
        "total": len(stored),
        "sent": len(page),
        "truncated": len(page) < len(stored),
        "list": [render_file(request, file) for file in page],
    }
    return render(request, data)


def render_file(request: Request, file: StoredFile, place: str | None = None) -> Document:
    """A stored file, as its owner sees it; `place`: see files.path_of."""
    return {
        "url": request.base_url + files.path_of(file, place),
        "name": file.name,
        "size": int(file.size),
        "sha256": file.sk,
    }


def render_content(content: bytes, sha256: str) -> Response:
    """A stored file. It never changes, and browsers must not render it as a page of this site."""
    return bytes_response(content, "application/octet-stream", headers=_file_headers(sha256))


def render_size(file: StoredFile) -> Response:
    """The response to HEAD for a stored file."""
    headers = [*_file_headers(file.sk), ("Content-Length", str(int(file.size)))]
    return bytes_response(b"", "application/octet-stream", headers=headers)


def _file_headers(sha256: str) -> list[tuple[str, str]]:
    return [
        ("ETag", f'"{sha256}"'),
        ("Cache-Control", "public, max-age=31536000, immutable"),
        ("Content-Disposition", "attachment"),
    ]
