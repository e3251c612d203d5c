"""Every byte that a LuaRocks client sees: inputs parsed, rows, files and errors rendered."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from chalicelib import settings
from chalicelib.core import blobs
from chalicelib.core.errors import CoreError, Invalid, NotFound, SecondFactorRequired
from chalicelib.core.views import View
from chalicelib.luarocks import index
from chalicelib.luarocks.index import File
from chalicelib.luarocks.tables import Module, Rock, Version
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.forms import Upload
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response, json_response, redirect

ROOT_MANIFEST = {"id": 1, "name": "root"}
_MANIFEST_TYPES = {"lua": "text/x-lua", "json": "application/json", "zip": "application/zip"}
_FILE_TYPES = {"rockspec": "text/x-rockspec", "rock": "application/x-rock"}


def parse_names(request: Request) -> tuple[str, str]:
    """The `package` and `version` of a query. Raises Invalid, with a message for each that is missing."""
    package, version = request.argument("package"), request.argument("version")
    missing = [f"{name} must be provided" for name, value in (("package", package), ("version", version)) if not value]
    if not package or not version:
        raise Invalid(missing[0], messages=missing)
    return package, version


def parse_file(request: Request, field: str) -> Upload:
    """The file in a multipart form. Raises Invalid."""
    upload = request.form.file(field)
    if upload is None or not upload.filename or not upload.content:
        raise Invalid("Missing file")
    return upload


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


def render_found(request: Request, module: Module | None, version: Version | None) -> Response:
    """check_rockspec's answer: null for what is not there.

    To the LuaRocks client the keys are left out instead: 3.8.0 with lua-cjson takes a null for "exists".
    """
    found = {
        "module": module and render_module(module),
        "version": version and render_version(version),
    }
    if request.user_agent.startswith(("LuaSocket", "LuaRocks/")):
        found = {name: row for name, row in found.items() if row is not None}
    return json_response(found)


def render_module(module: Module) -> dict[str, Any]:
    """A module's row."""
    return _row(
        id=int(module.id),
        user_id=int(module.user_id),
        name=module.name,
        display_name=module.display_name,
        current_version_id=int(module.current_version_id),
        summary=module.summary,
        description=module.description,
        license=module.license,
        homepage=module.homepage,
        labels=list(module.labels) or None,
        created_at=render_date(module.created_at),
        updated_at=render_date(module.updated_at),
    )


def render_version(version: Version) -> dict[str, Any]:
    """A version's row."""
    return _row(
        id=int(version.id),
        module_id=int(version.module_id),
        version_name=version.version_name,
        display_version_name=version.display_version_name,
        rockspec_fname=version.rockspec_fname,
        lua_version=version.lua_version,
        development=version.development,
        archived=version.archived,
        source_url=version.source_url,
        revision=int(version.revision),
        sha256=version.sha256,
        size=int(version.size),
        created_at=render_date(version.created_at),
        updated_at=render_date(version.updated_at),
    )


def render_rock(rock: Rock) -> dict[str, Any]:
    """A rock's row."""
    return _row(
        id=int(rock.id),
        version_id=int(rock.version_id),
        arch=rock.arch,
        rock_fname=rock.rock_fname,
        revision=int(rock.revision),
        sha256=rock.sha256,
        size=int(rock.size),
        created_at=render_date(rock.created_at),
        updated_at=render_date(rock.updated_at),
    )


def render_date(moment: datetime) -> str:
    """`2024-01-15 10:30:00`, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def module_url(request: Request, user: str, name: str) -> str:
    """Where people read about a module."""
    return f"{request.base_url}/modules/{user.lower()}/{name}"


def render_manifest(view: View, root: str, member: str, form: str) -> Response:
    """A manifest, see index.manifest. Never compressed in transit: LuaSocket would not undo it."""
    return bytes_response(
        index.manifest(view, root, member, form),
        _MANIFEST_TYPES[form],
        headers=[("Last-Modified", _http_date(view.modified_at))],
    )


def render_file(request: Request, file: File) -> Response:
    """A rockspec or rock: its bytes, or a redirect to them where they are too many to send."""
    key = blobs.key_of(index.AREA, file.sha256)
    content_type = _FILE_TYPES[file.name.rpartition(".")[2].lower()]
    if file.size > settings.current().max_answer:
        link = blobs.link(key, method=request.method, filename=file.name, content_type=content_type)
        if link:
            return redirect(link)
    headers = [("Last-Modified", _http_date(file.modified))]
    if request.method == "HEAD":
        return bytes_response(b"", content_type, headers=[*headers, ("Content-Length", str(file.size))])
    return bytes_response(blobs.get(key), content_type, headers=headers)


def render_error(request: Request, error: CoreError) -> Response:
    """`{"errors": [...]}`, always an array of texts."""
    body: dict[str, Any] = {"errors": error.detail.get("messages") or [error.message]}
    if isinstance(error, SecondFactorRequired):
        body["two_factor_required"] = True
    return json_response(body, status_of(error), headers_of(error))


def _row(**columns: Any) -> dict[str, Any]:
    """A row as luarocks.org shows it: null columns are left out."""
    return {name: value for name, value in columns.items() if value is not None}


def _http_date(moment: int) -> str:
    return format_datetime(datetime.fromtimestamp(moment, UTC), usegmt=True)
