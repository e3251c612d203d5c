"""Modules as pages: the same data as the JSON documents."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from chalicelib import settings
from chalicelib.core.catalogues.snapshots import Entry
from chalicelib.luarocks import documents, index, search
from chalicelib.luarocks.entry import ModuleEntry
from chalicelib.luarocks.search import ModuleQuery
from chalicelib.web import html
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.slice import Work


def render_module(request: Request, value: ModuleEntry) -> Response:
    """Render the page of a module."""
    document = documents.document(request, value)
    manifests = [*(["root"] if value.in_root else []), *value.manifests]
    install = value.name if value.in_root else f"{value.user}/{value.name}"
    return html.page(request, "luarocks/module.html", manifests=manifests, install=install, **document)


def render_found(request: Request, found: Sequence[Entry[ModuleEntry]]) -> Response:
    """Render one page of a search. Raises Invalid."""
    document = documents.found_document(request, found)
    offset, limit, total = document["offset"], document["limit"], document["total"]
    return html.page(
        request,
        "luarocks/modules.html",
        **document,
        q=request.argument("q") or "",
        user=request.argument("user") or "",
        earlier=_query(request, max(offset - limit, 0)) if offset else None,
        later=_query(request, offset + limit) if offset + limit < total else None,
    )


def works_of(username: str) -> list[Work]:
    """The public modules of a user; none if reading requires a key, because names are private then."""
    if settings.current().luarocks_reads != "public":
        return []
    found = search.find(index.catalogue.snapshot(), ModuleQuery(user=username.lower(), sort="name"))
    values = [entry.value for entry in found]
    return [Work(value.name, value.summary or "", f"/modules/{value.user}/{value.name}") for value in values]


def _query(request: Request, offset: int) -> str:
    """The query string of another page of the same search."""
    arguments: dict[str, Any] = {name: values[0] for name, values in request.query.items()}
    return urlencode({**arguments, "offset": offset})
