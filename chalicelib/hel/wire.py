"""The responses of Hel's API: packages, users, pages of lists, files and errors."""

import gzip
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import orjson

from chalicelib import settings
from chalicelib.core.catalogues.snapshots import Entry, Selection, Snapshot
from chalicelib.core.errors import CoreError, NotFound
from chalicelib.core.identity import sessions
from chalicelib.hel import auth, counts, hpm, index, lasting
from chalicelib.hel.entry import PackageEntry, UserEntry, Version
from chalicelib.hel.model import Document
from chalicelib.web.conditional import etag_of
from chalicelib.web.encoding import accepts_gzip
from chalicelib.web.errors import MethodNotAllowed, headers_of, status_of
from chalicelib.web.html import error_page, wants_html
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response, json_response

VERSION = "3.4.0"
_NO_STATUS = {401: 403, 405: 404}  # Hel uses neither: without a session 403, for a wrong method 404
_ENVELOPE_BYTES = 64 * 1024  # the most that the envelope adds to a page
_TITLES = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}
_EXPLANATIONS = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    409: "There was a conflict when trying to complete your request.",
    413: "The request body is larger than this server accepts.",
    429: "There were too many requests; try again later.",
    500: "The server has made a mistake.",
    503: "The server is too busy at the moment; try again later.",
    507: "The server is out of storage.",
}


def render(request: Request, data: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """A successful response."""
    return _envelope(status, request.caller is not None, headers, data=data)


def render_created(request: Request, warnings: Sequence[str]) -> Response:
    """The response for a created package; the warnings are next to the empty `data`, where clients ignore them."""
    more = {"warnings": warnings} if warnings else {}
    return _envelope(201, request.caller is not None, (), data="", **more)


def render_no_content(warnings: Sequence[str] = ()) -> Response:
    """A response without a body; warnings are in Warning headers (RFC 7234, 5.5)."""
    return Response(204, headers=[("Warning", f'299 - "{_header_text(text)}"') for text in warnings])


def render_user(request: Request, user: UserEntry) -> Response:
    """The response for a user."""
    return render(request, _user(user))


def render_package(request: Request, entry: Entry[PackageEntry], views: int) -> Response:
    """A package with its number of views before this one. Its ETag does not change with the views."""
    package = _package(entry.value, views, index.uses(entry)[1])
    etag = etag_of(_json(entry)).strip('"')
    return render(request, package, headers=_cached(f'W/"{etag}-{int(request.caller is not None)}"'))


def render_page(
    request: Request,
    matches: Sequence[Entry[PackageEntry]] | Sequence[Entry[UserEntry]],
    offset: int,
    size: int,
    largest: int | None = None,
    fields: Sequence[str] = (),
) -> Response:
    """One page of a list: at most `size` entries in at most `largest` bytes, but at least one entry.

    The packages have only these `fields`; empty: all.
    """
    response = render(request, _page(matches, offset, size, largest, fields))
    response.headers += _cached(etag_of(response.body))
    return response


def render_index(request: Request, snapshot: Snapshot[PackageEntry], offset: int) -> Response:
    """All packages, compressed if the client accepts that; else as many as one response can hold.

    A continuation from an offset is rendered for each request and not compressed: there are too many to cache.
    """
    packed = not offset and accepts_gzip(request)
    body = (
        _index(snapshot, offset)
        if offset
        else snapshot.lru_cached(("index", packed, counts.state()), lambda snapshot: _index(snapshot, 0, packed), len)
    )
    headers = [*_cached(f'W/"{etag_of(body)[1:]}'), ("Vary", "Accept-Encoding")]
    if packed:
        headers.append(("Content-Encoding", "gzip"))
    return bytes_response(body, "application/json", headers=headers)


def render_module(request: Request) -> Response:
    """The file that configures hpm for this server: /etc/hpm/module/NAME.lua on an OpenComputers machine.

    Java in the game follows no redirect from http to https, so it names the address that the request came by.
    """
    text = hpm.module(request.used_url, request.argument("without") or "")
    return bytes_response(text.encode(), "text/plain; charset=utf-8", headers=[("Cache-Control", "no-store")])


def render_error(request: Request, error: CoreError) -> Response:
    """An error: its message, and its status in Hel's words. Browsers get a page."""
    if request.segments[0] == "users" and wants_html(request):
        return error_page(request, error)
    status = status_of(error)
    status = _NO_STATUS.get(status, status)
    fields = {"message": _message(request, error), "explanation": _EXPLANATIONS[status]}
    return _envelope(status, auth.is_logged_in(request), headers_of(error), **fields)


def session_cookie(request: Request, secret: str) -> tuple[str, str]:
    """The header that sets a session's cookie; an empty secret deletes it."""
    age = int(sessions.LIFETIME.total_seconds()) if secret else 0
    secure = "; Secure" if request.secure else ""
    return "Set-Cookie", f"{auth.COOKIE}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"


def _envelope(status: int, logged_in: bool, headers: Iterable[tuple[str, str]], **fields: Any) -> Response:
    body = {
        "success": status < 400,
        "title": _TITLES[status],
        **fields,
        "code": status,
        "version": VERSION,
        "logged_in": logged_in,
    }
    return json_response(body, status, headers)


def _message(request: Request, error: CoreError) -> str | None:
    """The error's message. Hel has none for a wrong method or a missing package, and the path for an unknown path."""
    if isinstance(error, MethodNotAllowed):
        return ""
    if isinstance(error, NotFound):
        return "/" + "/".join(request.segments) if error.message else None
    return error.message


def _page(
    matches: Sequence[Entry[PackageEntry]] | Sequence[Entry[UserEntry]],
    offset: int,
    size: int,
    largest: int | None = None,
    fields: Sequence[str] = (),
) -> Document:
    """One page of entries.

    A page ends early if it would be larger than `largest` or than a response; a client continues at offset + sent.
    """
    page = matches[offset : offset + size]
    room = settings.current().max_answer - _ENVELOPE_BYTES
    sent = _fitting(
        (_slim_json(one, fields) if fields else _json(one) for one in page),
        room if largest is None else min(room, largest),
    )
    return {
        "offset": offset,
        "total": len(matches),
        "sent": len(sent),
        "truncated": len(matches) > size or len(sent) < len(page),
        "list": [orjson.Fragment(one) for one in sent],
    }


def _index(snapshot: Snapshot[PackageEntry], offset: int, packed: bool = False) -> bytes:
    entries = Selection(snapshot, list(snapshot.entries))
    body = _envelope(200, False, (), data=_page(entries, offset, len(entries))).body
    return gzip.compress(body, 6, mtime=0) if packed else body


def _json(entry: Entry[PackageEntry] | Entry[UserEntry]) -> bytes:
    """An entry as JSON, cached until the entry or its published uses change."""
    value = entry.value
    if isinstance(value, UserEntry):
        return orjson.dumps(_user(value))
    uses = index.uses(cast(Entry[PackageEntry], entry))
    cached: list[tuple[tuple[int, int], bytes]] = entry.cached("json", lambda _: [])
    if not cached or cached[0][0] != uses:
        cached[:] = [(uses, orjson.dumps(_package(value, *uses)))]
    return cached[0][1]


def _slim_json(entry: Entry[PackageEntry] | Entry[UserEntry], fields: Sequence[str]) -> bytes:
    """These fields of a package as JSON."""
    package = cast(Entry[PackageEntry], entry)
    uses = index.uses(package)
    return orjson.dumps({field: _FIELDS[field](package.value, *uses) for field in fields})


def _user(value: UserEntry) -> Document:
    """A user, as the public sees it."""
    return {"nickname": value.nickname, "groups": value.groups}


def _package(value: PackageEntry, views: int, downloads: int) -> Document:
    """A package, as the public sees it."""
    archived = {"archived": True, "reason": value.archive_reason} if value.archived else {}
    immutable = {"immutable": True} if lasting.is_immutable(value) else {}
    fields = {field: read(value, views, downloads) for field, read in _FIELDS.items()}
    return {**fields, **archived, **immutable}


def _stats(value: PackageEntry, views: int, downloads: int) -> Document:
    return {
        "views": views,
        "date": {"created": _date(value.created_at), "last-updated": _date(value.updated_at)},
        "downloads": downloads,
    }


def _versions(value: PackageEntry, *_: int) -> Document:
    return {number: _version(version) for number, version in value.versions.items()}


def _version(version: Version) -> Document:
    return {
        "files": {
            url: {"dir": file.dir, "name": file.name, "path": file.path}
            | ({"sha256": file.sha256} if file.sha256 else {})
            for url, file in version.files.items()
        },
        "depends": {
            name: {"type": dependency.type, "version": dependency.version}
            for name, dependency in version.depends.items()
        },
        "changes": version.changes,
    }


def _date(moment: int) -> str:
    """`2017-02-20 10:30:00`, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _cached(etag: str) -> list[tuple[str, str]]:
    """Cache headers: clients may store the response but must revalidate it."""
    return [("ETag", etag), ("Cache-Control", "private, no-cache")]


def _header_text(text: str) -> str:
    """Escape a text for a quoted string in a header."""
    return re.sub(r"[^ !#-\[\]-~]", "?", text)


def _fitting(entries: Iterable[bytes], remaining: int) -> list[bytes]:
    """The first entries that fit in the remaining bytes, at least one of them: hpm repeats an empty page for ever."""
    fitting = list[bytes]()
    for entry in entries:
        remaining -= len(entry) + 1
        if remaining < 0 and fitting:
            break
        fitting.append(entry)
    return fitting


# The fields of a package, from its entry, views and downloads; search.FIELDS has their names.
_FIELDS: dict[str, Callable[[PackageEntry, int, int], Any]] = {
    "name": lambda value, *_: value.name,
    "description": lambda value, *_: value.description,
    "short_description": lambda value, *_: value.short_description,
    "owners": lambda value, *_: value.owners,
    "authors": lambda value, *_: value.authors,
    "license": lambda value, *_: value.license,
    "tags": lambda value, *_: value.tags,
    "versions": _versions,
    "screenshots": lambda value, *_: value.screenshots,
    "stats": _stats,
}
