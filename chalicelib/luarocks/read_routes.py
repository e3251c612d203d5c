"""The routes for reading: the roots of the rock server and, beyond upstream, modules as JSON and as pages.

`_read` declares all of them, so that the requirement for readers is defined once.
"""

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.core.errors import NotFound
from chalicelib.core.identity import accounts
from chalicelib.luarocks import (
    auth,
    custom_manifests,
    documents,
    downloads,
    index,
    lookups,
    modules,
    moving,
    roots,
    search,
    slugs,
    wire,
)
from chalicelib.luarocks.entry import ModuleEntry
from chalicelib.luarocks.listings import ManifestFile
from chalicelib.luarocks.pages import modules as module_pages
from chalicelib.luarocks.roots import Root
from chalicelib.luarocks.service import service
from chalicelib.luarocks.versions import TARGETS
from chalicelib.web.html import wants_html
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response, redirect
from chalicelib.web.route import ANY, Handler

_LUA = "|".join(re.escape(target) for target in TARGETS)
_FORMS: dict[str | None, ManifestFile] = {None: "lua", "json": "json", "zip": "zip"}
_MANIFEST = re.compile(rf"manifest(?P<json>-json(?=.*zip))?(-(?P<lua>{_LUA}))?(\.(?P<form>json|zip))?")


def _read(path: str) -> Callable[[Handler], Handler]:
    """Declare a handler for readers; it does not get the caller."""

    def declare(handler: Handler) -> Handler:
        service.route("GET", path, auth.READER, permission=ANY)(lambda request, caller: handler(request))
        return handler

    return declare


@_read("/{file}")
def root_file(request: Request) -> Response:
    """Serve the root manifest of stable versions, and all files of its modules."""
    return _serve(request, roots.main())


@_read("/dev/{file}")
def development_file(request: Request) -> Response:
    """Serve the root's development versions; `luarocks --dev` appends `/dev` to the server's URL."""
    return _serve(request, roots.main(development=True))


@_read("/manifests/{user}/{file}")
def user_file(request: Request) -> Response:
    """Serve a user's own modules, which `luarocks install user/name` requests."""
    return _serve_user(request)


@_read("/dev/manifests/{user}/{file}")
@_read("/manifests/{user}/dev/{file}")
def user_development_file(request: Request) -> Response:
    """Serve a user's development versions: `luarocks install --dev user/name`, or below a user's root as a server."""
    return _serve_user(request, development=True)


@_read("/m/{name}/{file}")
def custom_file(request: Request) -> Response:
    """Serve a custom manifest."""
    return _serve(request, roots.of_manifest(request.params["name"]))


@_read("/m/{name}/dev/{file}")
def custom_development_file(request: Request) -> Response:
    """Serve a custom manifest's development versions."""
    return _serve(request, roots.of_manifest(request.params["name"], development=True))


@_read("/dev")
@_read("/manifests/{user}")
@_read("/manifests/{user}/dev")
@_read("/m/{name}")
@_read("/m/{name}/dev")
def to_manifest(request: Request) -> Response:
    """Redirect a root without a file name to its manifest."""
    segments = [quote(segment, safe="") for segment in request.segments]
    return redirect("/".join([request.base_url, *segments, "manifest"]))


@_read("/repositories/rocks")
@_read("/repositories/rocks/{file}")
def to_root(request: Request) -> Response:
    """Redirect the paths of LuaRocks' first server to the root."""
    return redirect(f"{request.base_url}/{quote(request.params.get('file', 'manifest'), safe='')}", 301)


@_read("/modules/{user}/{module}")
def module_page(request: Request) -> Response:
    """Return a module, as a page or as JSON: the `module_url` of an upload."""
    entry = _module(request)
    if wants_html(request):
        return module_pages.render_module(request, entry.value)
    return _varying_by_accept(documents.render_module(request, entry))


@_read("/modules/{user}/{module}/downloads")
def module_downloads(request: Request) -> Response:
    """Return the downloads of a module by day, and their sum."""
    snapshot = index.catalogue.snapshot()
    entry = modules.get(snapshot, slugs.username(snapshot, request.params["user"]), request.params["module"])
    return json_response({"downloads": downloads.total(entry.value), "days": downloads.by_day(entry.value)})


@_read("/modules")
def all_modules(request: Request) -> Response:
    """Return a search, as a page or as JSON."""
    if wants_html(request):
        return module_pages.render_found(request, _found(request))
    return _varying_by_accept(search_modules(request))


@_read("/api/1/modules")
def search_modules(request: Request) -> Response:
    """Search: `q`, `user`, `label`, `lua`, `root`, `sort`, `offset`, `limit`; or look up by `purl`."""
    if purl := request.argument("purl"):
        return lookups.found_by_purl(request, index.catalogue.snapshot(), purl)
    return documents.render_found(request, _found(request))


@_read("/api/1/export")
def export(request: Request) -> Response:
    """Return all modules, archived ones too, for another server that imports them: those after the key `after`."""
    return documents.exported(request, moving.page(index.catalogue.snapshot(), request.argument("after") or ""))


@_read("/api/1/modules/{name}/dependents")
def dependents(request: Request) -> Response:
    """Return the modules that depend on a name: `offset`, `limit`."""
    return lookups.dependents_of(request, index.catalogue.snapshot(), request.params["name"])


@_read("/api/1/dependencies")
def dependencies(request: Request) -> Response:
    """Return the names on which most modules depend: `offset`, `limit`."""
    return lookups.dependency_statistics(request, index.catalogue.snapshot())


@_read("/modules/{user}/{module}/{version}/readme")
@_read("/modules/{user}/{module}/{version}/license")
def text(request: Request) -> Response:
    """Return the README or the licence text of a version, out of its source rock."""
    version = modules.version(_module(request).value, request.params["version"])
    return lookups.render_text(version, request.segments[-1])


@_read("/api/1/modules/{name}")
def root_module(request: Request) -> Response:
    """Return the module with this name at the root."""
    entry = index.module(index.catalogue.snapshot(), index.ROOT, request.params["name"])
    if entry is None:
        raise NotFound("There is no such module.")
    return documents.render_module(request, entry)


def _module(request: Request) -> Entry[ModuleEntry]:
    snapshot = index.catalogue.snapshot()
    return modules.get(snapshot, slugs.username(snapshot, request.params["user"]), request.params["module"])


def _found(request: Request) -> Sequence[Entry[ModuleEntry]]:
    return search.find(index.catalogue.snapshot(), documents.parse_query(request))


def _varying_by_accept(response: Response) -> Response:
    response.headers.append(("Vary", "Accept"))
    return response


def _serve_user(request: Request, *, development: bool | None = None) -> Response:
    """A user's manifest, or a file below it."""
    snapshot = index.catalogue.snapshot()
    user = slugs.username(snapshot, request.params["user"])
    return _serve(request, roots.of_user(user, development=development), snapshot)


def _serve(request: Request, root: Root, snapshot: Snapshot[ModuleEntry] | None = None) -> Response:
    """A root's manifest, or a file below the root."""
    snapshot = snapshot or index.catalogue.snapshot()
    filename = request.params["file"]
    form = _form(filename)
    if form is None:
        file = roots.find_file(snapshot, root, filename)
        downloads.count(file, request.user_agent)
        return wire.render_file(request, file)
    if root.group != index.ROOT and not index.modules(snapshot, root.group):
        _require_root(root)
    return wire.render_manifest(request, snapshot, root, *form)


def _form(filename: str) -> tuple[str | None, ManifestFile] | None:
    """The Lua version and the form of a manifest with this file name; None for another file."""
    found = _MANIFEST.fullmatch(filename)
    if found is None:
        return None
    return found["lua"], "json.zip" if found["json"] else _FORMS[found["form"]]


def _require_root(root: Root) -> None:
    """Raise NotFound for an empty root of an unknown user."""
    kind, name = root.group
    if kind == "user" and not accounts.find(name):
        raise NotFound("There is no such user.")
    if kind == "manifest":
        custom_manifests.get(name)
