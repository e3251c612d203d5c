"""ContentDB's HTTP API, in the order of its own API page; our additions are at the end of each section."""

from collections.abc import Callable

from chalicelib.contentdb import auth, wire
from chalicelib.contentdb.browse import lists, package_lists
from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import registry, schema, shapes, states
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index, languages, reference, scores, versions
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.contentdb.store.permissions import PackageAction
from chalicelib.contentdb.topics import forum
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.snapshots import Entry, Value
from chalicelib.core.errors import NotFound
from chalicelib.core.identity import credentials
from chalicelib.web.bodies import SMALL
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, OWN, Handler, Leaves, LeavesNone, Permission, Size

PACKAGE = "/api/packages/{author}/{name}"
LARGEST_PACKAGE = 1024 * 1024  # bytes: a description of 50,000 characters, escaped in JSON


def _change(
    method: str, path: str, action: PackageAction, *events: str, body: Size = SMALL
) -> Callable[[Handler], Handler]:
    """Declare a handler that changes the package in the path, and the actions that its published event can have."""
    return service.route(
        method,
        path,
        auth.PACKAGE_TOKEN,
        scope="package:",
        permission=auth.may(action),
        body=body,
        event=Leaves("package", *events),
    )


# Authentication


@service.route("GET", "/api/whoami", auth.TOKEN_OR_NONE, permission=OWN)
def whoami(request: Request, caller: Caller | None) -> Response:
    """Who the token belongs to."""
    return wire.render({"is_authenticated": caller is not None, "username": caller and caller.account.username})


@service.route(
    "DELETE",
    "/api/delete-token",
    auth.TOKEN_OR_NONE,
    scope="read",
    permission=OWN,
    event=LeavesNone("a token is no published work"),
)
def delete_token(request: Request, caller: Caller | None) -> Response:
    """Deletes the currently used token."""
    if caller is None:
        raise NotFound("Token not found")
    credentials.revoke(caller.credential, caller)
    return wire.render_success()


# Packages


@service.route("GET", "/api/packages", ANONYMOUS)
def list_packages(request: Request) -> Response:
    """List."""
    snapshot = index.catalogue.snapshot()
    found = package_lists.packages(request, snapshot, languages.wanted(request, snapshot))
    return wire.render_cached(request, found, 300, wire.VARY_LANGUAGE)


@service.route("GET", PACKAGE, ANONYMOUS)
def read_package(request: Request) -> Response:
    """Read."""
    snapshot, package = _package(request)
    return wire.render(_full(request, snapshot, package), headers=[wire.VARY_LANGUAGE])


@_change("PUT", PACKAGE, PackageAction.EDIT, "change", body=LARGEST_PACKAGE)
def edit_package(request: Request, caller: Caller) -> Response:
    """Update."""
    author, name = request.params["author"], request.params["name"]
    parts, modified = registry.edit(caller, author, name, wire.parse_object(request))
    snapshot = index.catalogue.snapshot()
    package = registry.get(snapshot, parts.package.author, parts.package.name)
    return wire.render_success(package=_full(request, snapshot, package), was_modified=modified)


@service.route("GET", f"{PACKAGE}/dependencies", ANONYMOUS)
def package_dependencies(request: Request) -> Response:
    """Dependencies, with suggested candidates."""
    snapshot, package = _package(request)
    only_hard = bool(request.argument("only_hard"))
    return wire.render_cached(request, lists.dependencies_of(snapshot, package, only_hard=only_hard), 300)


@service.route("GET", "/api/dependencies", ANONYMOUS)
def all_dependencies(request: Request) -> Response:
    """Provides and raw dependencies for all packages."""
    return wire.render_cached(request, lists.all_dependencies(request, index.catalogue.snapshot()), 300)


@service.route(
    "POST",
    PACKAGE,
    auth.TOKEN,
    scope="package:",
    permission=Permission("the author in the path, or approver"),
    second_factor=auth.CODE_FOR_OTHERS_NAME,
    body=LARGEST_PACKAGE,
    event=Leaves("package", "publish"),
)
def create_package(request: Request, caller: Caller) -> Response:
    """Create a draft."""
    author, name = request.params["author"], request.params["name"]
    registry.create(author, name, wire.parse_object(request), caller)
    snapshot = index.catalogue.snapshot()
    return wire.render_success(package=_full(request, snapshot, registry.get(snapshot, author, name)))


@_change("DELETE", PACKAGE, PackageAction.DELETE, "delete")
def delete_package(request: Request, caller: Caller) -> Response:
    """Delete a package, which can be restored."""
    return _step("delete", request, caller)


@_change("POST", f"{PACKAGE}/submit", PackageAction.EDIT, "change")
def submit_package(request: Request, caller: Caller) -> Response:
    """Request approval."""
    return _step("submit", request, caller)


@_change("POST", f"{PACKAGE}/approve", PackageAction.APPROVE, "publish")
def approve_package(request: Request, caller: Caller) -> Response:
    """Approve a package."""
    return _step("approve", request, caller)


@_change("POST", f"{PACKAGE}/request-changes", PackageAction.APPROVE, "change", "archive")
def request_changes(request: Request, caller: Caller) -> Response:
    """Request changes from the author."""
    return _step("request-changes", request, caller)


@_change("POST", f"{PACKAGE}/unapprove", PackageAction.UNAPPROVE, "change", "archive")
def unapprove_package(request: Request, caller: Caller) -> Response:
    """Make a package a draft again."""
    return _step("unapprove", request, caller)


@service.route(
    "POST",
    f"{PACKAGE}/restore",
    auth.token_for_package(auth.required),
    scope="package:",
    permission=auth.may(PackageAction.DELETE),
    event=Leaves("package", "restore"),
)
def restore_package(request: Request, caller: Caller) -> Response:
    """Restore a deleted package."""
    return _step("restore", request, caller)


@_change("PUT", f"{PACKAGE}/maintainers", PackageAction.EDIT_MAINTAINERS, "change")
def set_maintainers(request: Request, caller: Caller) -> Response:
    """Set the maintainers in addition to the author: an array of usernames."""
    author, name = request.params["author"], request.params["name"]
    parts = registry.set_maintainers(author, name, wire.parse_texts(request), caller)
    return wire.render_success(maintainers=[parts.package.author, *parts.package.maintainers])


@_change("PUT", f"{PACKAGE}/aliases", PackageAction.EDIT_ALIASES, "change")
def set_aliases(request: Request, caller: Caller) -> Response:
    """Set the aliases: an array of `author/name`."""
    author, name = request.params["author"], request.params["name"]
    parts = registry.set_aliases(author, name, wire.parse_texts(request), caller)
    return wire.render_success(aliases=list(parts.package.aliases))


# Releases


@service.route("GET", "/api/updates", ANONYMOUS)
def updates(request: Request) -> Response:
    """Look-up table."""
    return wire.render_cached(request, lists.updates(request, index.catalogue.snapshot()), 300)


# Topics


@service.route("GET", "/api/topics", ANONYMOUS)
def all_topics(request: Request) -> Response:
    """Topics of the forum; supports topic queries."""
    return wire.render_cached(request, forum.list_topics(request, index.catalogue.snapshot()), 300)


# Types


@service.route("GET", "/api/tags", ANONYMOUS)
def tags(request: Request) -> Response:
    """View."""
    return _rows("tags", 3600)


@service.route("GET", "/api/content_warnings", ANONYMOUS)
def content_warnings(request: Request) -> Response:
    """View."""
    return _rows("content_warnings", 3600)


@service.route("GET", "/api/licenses", ANONYMOUS)
def licenses(request: Request) -> Response:
    """View."""
    return _rows("licenses", 3600)


@service.route("GET", "/api/minetest_versions", ANONYMOUS)
def minetest_versions(request: Request) -> Response:
    """List the versions, or only the one that `protocol_version` and `engine_version` mean."""
    snapshot = index.catalogue.snapshot()
    arguments = Arguments(request, ("protocol_version", "engine_version"))
    if not arguments.key:
        return wire.render(reference.rows(snapshot, "minetest_versions"))
    if row := versions.row_of(snapshot, arguments.version(snapshot)):
        return wire.render(row)
    raise NotFound("No releases found")


@service.route("GET", "/api/languages", ANONYMOUS)
def all_languages(request: Request) -> Response:
    """View."""
    return _rows("languages", None)


# Misc


@service.route("GET", "/api/homepage", ANONYMOUS)
def homepage(request: Request) -> Response:
    """Get contents of homepage."""
    return wire.render_cached(request, lists.homepage(request, index.catalogue.snapshot()), 300)


@service.route("GET", "/api/uploads", ANONYMOUS)
def uploads(request: Request) -> Response:
    """Not on the API page: list the files of releases and screenshots."""
    return wire.render_cached(request, lists.uploads(index.catalogue.snapshot()), 300)


@service.route("GET", "/api/cdb_schema", ANONYMOUS)
def cdb_schema(request: Request) -> Response:
    """JSON Schema of .cdb.json."""
    return wire.render(schema.cdb_schema(index.catalogue.snapshot()), headers=[wire.cache_for(3600)])


def _package(request: Request) -> tuple[ContentDbSnapshot, Entry[PackageEntry]]:
    """The package in the path, in any state but DELETED."""
    snapshot = index.catalogue.snapshot()
    return snapshot, registry.get(snapshot, request.params["author"], request.params["name"])


def _full(request: Request, snapshot: ContentDbSnapshot, package: Entry[PackageEntry]) -> Value:
    """All of a package, with its stored counters."""
    return shapes.full(
        snapshot, scores.current(package), language=languages.wanted(request, snapshot), base=request.base_url
    )


def _step(step: str, request: Request, caller: Caller) -> Response:
    reason = "" if step in ("submit", "restore") else wire.parse_reason(request)
    package, _ = states.apply(step, request.params["author"], request.params["name"], caller, reason)
    return wire.render_success(state=package.state)


def _rows(name: str, seconds: int | None) -> Response:
    rows = reference.rows(index.catalogue.snapshot(), name)
    return wire.render(rows, headers=[wire.cache_for(seconds)] if seconds else [])
