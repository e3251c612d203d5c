"""Modules as JSON documents, which upstream does not have: for clients that need one module, not the manifest."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from chalicelib.core.catalogues.snapshots import Entry
from chalicelib.core.errors import Invalid
from chalicelib.core.transparency import proofs
from chalicelib.luarocks import downloads, lasting, moving, purls, search, versions, wire
from chalicelib.luarocks.downloads import FileCounts
from chalicelib.luarocks.entry import ModuleEntry, PublishedFile
from chalicelib.luarocks.search import ModuleQuery
from chalicelib.luarocks.tables import Manifest
from chalicelib.web.conditional import etag_of
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response

PAGE, LARGEST_PAGE = 20, 100


def parse_query(request: Request) -> ModuleQuery:
    """Parse the query of a search. Raises Invalid."""
    words = (request.argument("q") or "").lower().split()
    if len(words) > search.MOST_WORDS:
        raise Invalid(f"q has at most {search.MOST_WORDS} words")
    return ModuleQuery(
        tuple(words),
        user=_lower(request.argument("user")),
        label=_lower(request.argument("label")),
        lua=_one_of(request, "lua", versions.TARGETS),
        root={"true": True, "false": False, None: None}[_one_of(request, "root", ("true", "false"))],
        sort=_one_of(request, "sort", search.SORTS) or "relevance",
    )


def render_found(request: Request, found: Sequence[Entry[ModuleEntry]]) -> Response:
    """The response with one page of a search. Raises Invalid."""
    return with_etag(json_response(found_document(request, found)))


def render_module(request: Request, entry: Entry[ModuleEntry]) -> Response:
    """The response with the public data of a module, and where the transparency log has its files."""
    return with_etag(json_response(logged_document(request, entry.value)))


def logged_document(request: Request, value: ModuleEntry) -> dict[str, Any]:
    """A module as JSON with the indices of its files in the transparency log. One call."""
    shown, logged = document(request, value), proofs.indices_of_files("luarocks", f"{value.user}/{value.name}")
    for version in shown["versions"]:
        for file in version["files"]:
            file["log"] = logged.get((file["name"], file["sha256"]))
    return shown


def found_document(request: Request, found: Sequence[Entry[ModuleEntry]]) -> dict[str, Any]:
    """One page of a search as JSON: at most `limit` modules, after `offset`. Raises Invalid."""
    offset, limit = page_of(request)
    page = [_brief(request, entry) for entry in found[offset : offset + limit]]
    return {"modules": page, "total": len(found), "offset": offset, "limit": limit}


def document(request: Request, value: ModuleEntry) -> dict[str, Any]:
    """A module as JSON, with its versions, newest first, and the URLs of their files."""
    counts = downloads.of(value)
    return {
        "module": {**module_row(request, value), "owners": [value.user, *value.owners]},
        "versions": [_version(request, value, name, counts) for name in newest_first(value)],
    }


def exported(request: Request, entries: Iterable[Entry[ModuleEntry]]) -> Response:
    """Documents of some modules, as many as a response has room for, and the key after which the next page begins."""
    found: list[dict[str, Any]] = []
    size, last = 0, None
    for entry in entries:
        if size > moving.PAGE_BYTES:
            return json_response({"modules": found, "next": last})
        found.append(document(request, entry.value))
        size, last = size + len(orjson.dumps(found[-1])), entry.key
    return json_response({"modules": found, "next": None})


def owners_document(request: Request, value: ModuleEntry) -> dict[str, Any]:
    """A module as JSON for its owners, who also see the invited accounts."""
    return {**document(request, value), "invited": list(value.invited)}


def manifest_row(manifest: Manifest) -> dict[str, Any]:
    """A custom manifest as JSON."""
    return {
        "id": int(manifest.id),
        "name": manifest.name,
        "display_name": manifest.display_name,
        "description": manifest.description,
        "is_open": manifest.is_open,
        "admins": list(manifest.admins),
        "modules_count": int(manifest.modules_count),
        "created_at": wire.render_date(manifest.created_at),
        "updated_at": wire.render_date(manifest.updated_at),
    }


def newest_first(value: ModuleEntry) -> list[str]:
    """The names of a module's versions in LuaRocks' order."""
    return sorted(value.versions, key=versions.order, reverse=True)


def file_url(request: Request, value: ModuleEntry, filename: str) -> str:
    """The URL of a file: at the root if the module is listed there, because clients request it there."""
    root = "" if value.in_root else f"/manifests/{value.user}"
    return f"{request.base_url}{root}/{filename}"


def _files(request: Request, value: ModuleEntry, name: str, counts: FileCounts) -> list[dict[str, Any]]:
    """The files of a version as JSON."""
    counted = counts.get(value.versions[name].id, {})
    return [
        {
            "arch": arch,
            "name": filename,
            "url": file_url(request, value, filename),
            "signature_url": file_url(request, value, f"{filename}.asc") if file.sig_sha256 else None,
            "sha256": file.sha256,
            "size": file.size,
            "revision": file.revision,
            "first_sha256": file.first_sha256 or (file.sha256 if file.revision == 1 else None),
            "downloads": counted.get(arch, 0),
            "created_at": wire.render_date(file.created_at),
            "updated_at": wire.render_date(file.updated_at),
        }
        for arch, file, filename in stored_files(value, name)
    ]


def stored_files(value: ModuleEntry, name: str) -> list[tuple[str, PublishedFile, str]]:
    """The files of a version with their architectures and names: its rockspec, then its rocks by architecture."""
    version = value.versions[name]
    rocks = [(arch, rock.file, rock.rock_fname) for arch, rock in sorted(version.rocks.items())]
    return [("rockspec", version.file, f"{value.name}-{name}.rockspec"), *rocks]


def _brief(request: Request, entry: Entry[ModuleEntry]) -> dict[str, Any]:
    value = entry.value
    shown = [name for name in newest_first(value) if not value.versions[name].archived]
    return {**module_row(request, value), "versions": shown}


def module_row(request: Request, value: ModuleEntry) -> dict[str, Any]:
    return {
        "id": value.id,
        "purl": purls.of(request, value),
        "user": value.user,
        "name": value.name,
        "display_name": value.display_name,
        "url": wire.module_url(request, value),
        "in_root": value.in_root,
        "archived": value.archived,
        "reason": value.archive_reason,
        "immutable": lasting.is_immutable(value),
        "manifests": value.manifests,
        "summary": value.summary,
        "description": value.description,
        "license": value.license,
        "homepage": value.homepage,
        "labels": value.labels,
        "downloads": downloads.total(value),
        "created_at": wire.render_date(value.created_at),
        "updated_at": wire.render_date(value.updated_at),
    }


def _version(request: Request, value: ModuleEntry, name: str, counts: FileCounts) -> dict[str, Any]:
    version = value.versions[name]
    return {
        "id": version.id,
        "purl": purls.of(request, value, name),
        "version_name": name,
        "published_at": wire.render_date(version.file.created_at),
        "display_version_name": version.display_version_name,
        "lua_version": version.lua_version,
        "development": version.development,
        "archived": version.archived,
        "reason": version.archive_reason,
        "dependencies": version.dependencies,
        "source_url": version.source_url,
        "texts": {kind: f"{wire.module_url(request, value)}/{name}/{kind}" for kind in sorted(version.texts)},
        "downloads": sum(counts.get(version.id, {}).values()),
        "files": _files(request, value, name, counts),
    }


def with_etag(response: Response) -> Response:
    response.headers.append(("ETag", etag_of(response.body)))
    return response


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None


def page_of(request: Request) -> tuple[int, int]:
    """The offset and the size of a page of a list. Raises Invalid."""
    return number(request, "offset", 0), min(number(request, "limit", PAGE), LARGEST_PAGE)


def _one_of(request: Request, name: str, allowed: tuple[str, ...]) -> str | None:
    value = request.argument(name)
    if value is not None and value not in allowed:
        raise Invalid(f"{name} must be one of {', '.join(allowed)}")
    return value


def number(request: Request, name: str, otherwise: int) -> int:
    """A whole number in the query. Raises Invalid."""
    text = request.argument(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Invalid(f"{name} must be a number")
    return int(text)
