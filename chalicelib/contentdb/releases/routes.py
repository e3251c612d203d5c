"""The routes of releases, in the order of ContentDB's API page, and of their tasks."""

from chalicelib import settings
from chalicelib.contentdb import auth, wire
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.releases import lists as release_lists
from chalicelib.contentdb.releases import publishing
from chalicelib.contentdb.releases import wire as release_wire
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index, tasks
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.contentdb.store.errors import no_such_page
from chalicelib.contentdb.store.parts import Parts, load_parts
from chalicelib.contentdb.store.permissions import PackageAction
from chalicelib.core import uploads
from chalicelib.core.caller import Caller
from chalicelib.web.bodies import SMALL
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, OWN, Leaves, LeavesNone
from chalicelib.web.slice import upload_url


def _largest_upload() -> int:
    return settings.current().contentdb_max_upload + SMALL


@service.route("GET", "/api/releases", ANONYMOUS)
def list_newest(request: Request) -> Response:
    """List: the 30 most recent releases."""
    arguments = Arguments(request, ("author", "maintainer"))
    return wire.render(release_lists.newest(index.catalogue.snapshot(), arguments))


@service.route("GET", "/api/packages/{author}/{name}/releases", ANONYMOUS)
def list_of_package(request: Request) -> Response:
    """List."""
    snapshot, parts = _load(request)
    logged = publishing.log_indices(parts)
    return wire.render([release_wire.render(snapshot, release, logged) for release in publishing.newest_first(parts)])


@service.route("GET", "/api/packages/{author}/{name}/releases/{id}", ANONYMOUS)
def read(request: Request) -> Response:
    """Read."""
    snapshot, parts = _load(request)
    release = publishing.get(parts, _id(request))
    return wire.render(release_wire.render(snapshot, release, publishing.log_indices(parts)))


@service.route(
    "POST",
    "/api/packages/{author}/{name}/releases/new",
    auth.PACKAGE_TOKEN,
    scope="package:",
    permission=auth.may(PackageAction.MAKE_RELEASE),
    body=_largest_upload,
    event=Leaves("release", "publish"),  # when the job has checked it
)
def create(request: Request, caller: Caller) -> Response:
    """Create: by Git, or by a zip in a form or in an upload slot."""
    snapshot, parts = _load(request)
    publishing.require_may_approve(caller, parts.package)
    release = publishing.create(caller, parts, release_wire.parse(request, caller))
    return wire.render_success(task=f"/tasks/{release.task_id}/", release=release_wire.render(snapshot, release))


def _for_release(request: Request) -> Caller:
    """The caller; the release is looked up first, as upstream does."""
    _, parts = _load(request)
    publishing.get(parts, _id(request))
    return auth.required(request)


@service.route(
    "DELETE",
    "/api/packages/{author}/{name}/releases/{id}",
    auth.token_for_package(_for_release),
    scope="package:",
    permission=auth.may(PackageAction.MAKE_RELEASE),
    event=Leaves("release", "delete"),
)
def delete(request: Request, caller: Caller) -> Response:
    """Delete."""
    publishing.delete(caller, request.params["author"], request.params["name"], _id(request))
    return wire.render_success()


@service.route(
    "POST",
    "/api/uploads/new",
    auth.TOKEN,
    scope="package:",
    permission=OWN,
    event=LeavesNone("an uploaded file is private until a release or screenshot uses it"),
)
def open_upload_slot(request: Request, caller: Caller) -> Response:
    """Not on the API page: open an upload slot for a file that is too large for a request; `upload` replaces `file`."""
    largest = settings.current().contentdb_max_upload
    slot = uploads.open_slot(caller, release_wire.PURPOSE, largest, upload_url(request))
    return wire.render_success(**slot.as_json())


@service.route("GET", "/tasks/{id}", ANONYMOUS)
def read_task(request: Request) -> Response:
    """Return the progress of a release's check."""
    task_id = request.params["id"]
    if len(task_id) > tasks.LONGEST_ID:
        raise no_such_page()
    return wire.render(release_wire.render_task(task_id, tasks.find(task_id)), headers=[("Cache-Control", "no-store")])


def _load(request: Request) -> tuple[ContentDbSnapshot, Parts]:
    snapshot = index.catalogue.snapshot()
    entry = registry.get(snapshot, request.params["author"], request.params["name"])
    return snapshot, load_parts(entry.value.id)


def _id(request: Request) -> int:
    return wire.parse_id(request, "Release not found")
