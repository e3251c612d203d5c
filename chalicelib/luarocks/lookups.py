"""Answers for other programs: modules by package URL, who depends on what, and texts out of source rocks."""

from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.errors import NotFound
from chalicelib.luarocks import dependents, documents, index, modules, purls, slugs, texts
from chalicelib.luarocks.entry import ModuleEntry, VersionEntry
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response


def found_by_purl(request: Request, snapshot: Snapshot[ModuleEntry], text: str) -> Response:
    """The module that a package URL names, with its versions or the one that it names.

    Raises Invalid or NotFound.
    """
    purl = purls.parse(text)
    group = index.user_group(slugs.username(snapshot, purl.user)) if purl.user else index.ROOT
    entry = index.module(snapshot, group, purl.name)
    if entry is None:
        raise NotFound("There is no such module.")
    found = documents.logged_document(request, entry.value)
    if purl.version is not None:
        modules.version(entry.value, purl.version)
        found["versions"] = [one for one in found["versions"] if one["version_name"] == purl.version.lower()]
    return documents.with_etag(json_response(found))


def dependents_of(request: Request, snapshot: Snapshot[ModuleEntry], name: str) -> Response:
    """One page of the modules that depend on a name. Raises Invalid."""
    found = dependents.of(snapshot, name)
    offset, limit = documents.page_of(request)
    page = [
        {
            **documents.module_row(request, entry.value),
            "versions": [
                {"version_name": version, "dependency": text, "archived": entry.value.versions[version].archived}
                for version, text in dependents.versions_of(entry, name)
            ],
        }
        for entry in found[offset : offset + limit]
    ]
    return json_response({"dependents": page, "total": len(found), "offset": offset, "limit": limit})


def dependency_statistics(request: Request, snapshot: Snapshot[ModuleEntry]) -> Response:
    """One page of the names on which most modules depend. Raises Invalid."""
    found = dependents.statistics(snapshot)
    offset, limit = documents.page_of(request)
    page = [
        {"name": name, "dependents": number, "in_root": index.module(snapshot, index.ROOT, name) is not None}
        for name, number in found[offset : offset + limit]
    ]
    return json_response({"dependencies": page, "total": len(found), "offset": offset, "limit": limit})


def render_text(version: VersionEntry, kind: str) -> Response:
    """The README or the licence text of a version. Raises NotFound."""
    found, text = texts.read(version, kind)
    return documents.with_etag(
        json_response({"name": found.name, "sha256": found.sha256, "size": found.size, "text": text})
    )
