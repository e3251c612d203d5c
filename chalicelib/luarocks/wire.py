"""The bytes of the upload API and of the rock server: parses requests, renders responses."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from time import time
from typing import Any

from chalicelib import settings
from chalicelib.core import blobs, uploads
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.errors import CoreError, Invalid, NotFound, SecondFactorRequired, TooLarge
from chalicelib.luarocks import downloads, index, listings, signatures
from chalicelib.luarocks.entry import ModuleEntry, PublishedFile
from chalicelib.luarocks.listings import ManifestFile
from chalicelib.luarocks.roots import Root, RootFile
from chalicelib.web.bodies import Upload
from chalicelib.web.conditional import etag_of, not_modified
from chalicelib.web.encoding import PackedBody, accepts_gzip, encoded
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.html import error_page, wants_html
from chalicelib.web.negotiation import offers
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response, json_response, redirect

PURPOSE = "luarocks"  # the purpose of this service's upload slots
_SLOTS = (
    "For a rock of this size, ask for an upload slot with POST /api/1/KEY/upload_slot, send the rock there, "
    "and send the fields upload (the slot's id) and filename instead of rock_file."
)
_SETTLING = 2  # seconds: of a transaction that is being written, and of clocks that differ
ROOT_MANIFEST = {"id": 1, "name": "root"}
_MANIFEST_TYPES = {"lua": "text/x-lua", "json": "application/json"} | dict.fromkeys(
    ("zip", "json.zip"), "application/zip"
)
_FILE_TYPES = {"rockspec": "text/x-rockspec", "rock": "application/x-rock", "asc": "application/pgp-signature"}


def parse_names(request: Request) -> tuple[str, str]:
    """The `package` and `version` of a form or a query. Raises Invalid, with a message for each that is missing."""
    package, version = (request.form.get(name) or request.argument(name) for name in ("package", "version"))
    missing = [f"{name} must be provided" for name, value in (("package", package), ("version", version)) if not value]
    if not package or not version:
        raise Invalid(missing[0], messages=missing)
    return package, version


def parse_file(request: Request, field: str) -> Upload:
    """The file in a multipart form, its name without the directories of its sender. Raises Invalid."""
    upload = request.form.file(field)
    if upload is None or not upload.filename or not upload.content:
        raise Invalid("Missing file")
    return replace(upload, filename=_last_part(upload.filename))


def parse_rock(request: Request, caller: Caller) -> tuple[Upload, str | None]:
    """A rock: in the form, or in an upload slot. For a slot the form has the `filename`, and the slot's id as `upload`.

    Returns the rock and the slot. Raises Invalid, NotFound or TooLarge.
    """
    slot = request.form.get("upload")
    if not slot:
        return parse_file(request, "rock_file"), None
    return Upload(_last_part(request.form.get("filename") or ""), uploads.read(caller, PURPOSE, slot), ""), slot


def _last_part(path: str) -> str:
    """The name of a file in a path of any system: the client on Windows sends `~\\Projects\\NAME-VERSION.src.rock`."""
    return re.split(r"[/\\]|^[A-Za-z]:", path)[-1]


def parse_signature(request: Request, field: str) -> bytes | None:
    """The detached signature in a multipart form, if there is one. Raises Invalid."""
    upload = request.form.file(field)
    return signatures.check(upload.content, field) if upload and upload.content else None


def parse_version_id(request: Request) -> int:
    """The version id in the path. Raises Invalid or NotFound."""
    text = request.params["version_id"]
    if not (text.isascii() and text.isdigit()):
        raise Invalid("version_id must be an integer")
    if len(text) > 18:
        raise NotFound("Invalid version ID")
    return int(text)


def parse_code(request: Request) -> str:
    """The verification code, in a form or the query. Raises Invalid."""
    code = request.form.get("code") or request.argument("code")
    if not code:
        raise Invalid("code must be provided")
    if len(code) > 16:
        raise Invalid("code must be at most 16 chars")
    return code


def render_found(request: Request, module: ModuleEntry | None, version_name: str | None) -> Response:
    """check_rockspec's response. A missing module or version has no key, as on luarocks.org, or is null (API page).

    Clients take null for "exists": LuaRocks 3.8.0 with lua-cjson, and lux. None of them sends what the page shows,
    the word `bearer` as the key, nor names JSON in Accept; who does, gets null.
    """
    found = {
        "module": render_module(module) if module else None,
        "version": render_version(module, version_name) if module and version_name else None,
    }
    as_on_the_page = request.params["key"] == "bearer" or "application/json" in offers(
        request.headers.get("accept", "")
    )
    if not as_on_the_page:
        found = {name: row for name, row in found.items() if row is not None}
    return json_response(found)


def render_module(module: ModuleEntry) -> dict[str, Any]:
    """A module as JSON."""
    return _row(
        id=module.id,
        user_id=module.user_id,
        name=module.name,
        display_name=module.display_name,
        downloads=downloads.total(module),
        current_version_id=module.current_version_id,
        summary=module.summary,
        description=module.description,
        license=module.license,
        homepage=module.homepage,
        labels=module.labels or None,
        has_dev_version=any(version.development for version in module.versions.values()),
        created_at=render_date(module.created_at),
        updated_at=render_date(module.updated_at),
    )


def render_version(module: ModuleEntry, name: str) -> dict[str, Any]:
    """A version as JSON."""
    version = module.versions[name]
    counts = downloads.of(module).get(version.id, {})
    return _row(
        id=version.id,
        module_id=module.id,
        version_name=name,
        display_version_name=version.display_version_name,
        rockspec_fname=f"{module.name}-{name}.rockspec",
        lua_version=version.lua_version,
        development=version.development,
        archived=version.archived,
        reason=version.archive_reason,
        source_url=version.source_url,
        downloads=sum(counts.values()),
        rockspec_downloads=counts.get("rockspec", 0),
        **_file_columns(version.file),
    )


def render_rock(module: ModuleEntry, version_name: str, arch: str) -> dict[str, Any]:
    """A rock as JSON."""
    version = module.versions[version_name]
    rock = version.rocks[arch]
    return _row(
        id=rock.id,
        version_id=version.id,
        arch=arch,
        rock_fname=rock.rock_fname,
        downloads=downloads.of(module).get(version.id, {}).get(arch, 0),
        **_file_columns(rock.file),
    )


def render_date(moment: datetime | int) -> str:
    """`2024-01-15 10:30:00`, UTC; a number is epoch seconds."""
    date = datetime.fromtimestamp(moment, UTC) if isinstance(moment, int) else moment.astimezone(UTC)
    return date.strftime("%Y-%m-%d %H:%M:%S")


def module_url(request: Request, module: ModuleEntry) -> str:
    """The URL of a module's page."""
    return f"{request.base_url}/modules/{module.user}/{module.name}"


def render_manifest(
    request: Request, snapshot: Snapshot[ModuleEntry], root: Root, lua: str | None, form: ManifestFile
) -> Response:
    """A manifest, see listings.manifest. Compressed only for clients that ask for it: LuaSocket does not decompress."""
    found = listings.manifest(snapshot, root, lua, form)
    etag = etag_of(f"{found.blocks.etag()} {root.group} {root.development} {lua} {form}")
    if form in ("zip", "json.zip"):
        content, headers = found.zipped, [("ETag", etag)]
    else:
        body = PackedBody(found.blocks.text_size, etag, read=found.text, pack=lambda: found.gzipped)
        content, headers = encoded(request, body)
    return bytes_response(content, _MANIFEST_TYPES[form], headers=[*_last_modified(snapshot.modified_at), *headers])


def render_file(request: Request, file: RootFile) -> Response:
    """A file: its bytes, or a redirect if they are too many for a response."""
    key = blobs.key_of(index.AREA, file.sha256)
    content_type = _FILE_TYPES[file.name.rpartition(".")[2].lower()]
    if file.size > settings.current().max_answer:
        link = blobs.link(key, method=request.method, filename=file.name, content_type=content_type)
        if link:
            return redirect(link)
    headers = [*_last_modified(file.modified), ("ETag", f'"{file.sha256}"')]
    head = bytes_response(b"", content_type, headers=[*headers, ("Content-Length", str(file.size))])
    may_be_compressed = content_type.startswith("text/") and accepts_gzip(request)
    if (request.method == "HEAD" and not may_be_compressed) or not_modified(request, head).status == 304:
        return head
    return bytes_response(blobs.get(key), content_type, headers=headers)


def render_error(request: Request, error: CoreError) -> Response:
    """`{"errors": [...]}`, always an array of texts; browsers get a page."""
    if request.segments[:1] == ("modules",) and wants_html(request):
        return error_page(request, error)
    body: dict[str, Any] = {"errors": error.detail.get("messages") or [error.message]}
    if isinstance(error, TooLarge) and _would_fit_a_slot(request):
        body["errors"].append(_SLOTS)
    if isinstance(error, SecondFactorRequired):
        body["two_factor_required"] = True
    return json_response(body, status_of(error), headers_of(error))


def _would_fit_a_slot(request: Request) -> bool:
    """Whether this is an upload of a rock that is too large for a request, as on Lambda."""
    chosen = settings.current()
    return "upload_rock" in request.segments and chosen.max_body < request.size <= chosen.luarocks_max_upload


def _file_columns(file: PublishedFile) -> dict[str, Any]:
    return {
        "revision": file.revision,
        "sha256": file.sha256,
        "size": file.size,
        "created_at": render_date(file.created_at),
        "updated_at": render_date(file.updated_at),
    }


def _row(**columns: Any) -> dict[str, Any]:
    """Remove null columns, as luarocks.org does."""
    return {name: value for name, value in columns.items() if value is not None}


def _last_modified(moment: int) -> list[tuple[str, str]]:
    """The header Last-Modified of what changed at `moment`; none in the two seconds after the change.

    Its date is their end, so it is never in the future. No other state has it, because the date of a later change is
    later. It is also later than every copy of the state before: lux takes a date before that of its own copy for an
    unchanged manifest.
    """
    date = moment + _SETTLING
    return (
        [("Last-Modified", format_datetime(datetime.fromtimestamp(date, UTC), usegmt=True))] if date <= time() else []
    )
