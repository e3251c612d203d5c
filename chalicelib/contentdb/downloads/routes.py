"""Downloads, and the paths below /uploads and /thumbnails: not part of the API, and requested most."""

from chalicelib.contentdb.downloads import wire as file_wire
from chalicelib.contentdb.entry import PackageEntry
from chalicelib.contentdb.media import files, formats
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.service import service
from chalicelib.contentdb.statistics import counting
from chalicelib.contentdb.statistics.counting import Visitor
from chalicelib.contentdb.store import index, versions
from chalicelib.contentdb.store.errors import no_such_page
from chalicelib.contentdb.store.tables import Release, package_pk, release_sk
from chalicelib.core.catalogues.snapshots import Entry
from chalicelib.core.errors import Forbidden
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS


@service.route("GET", "/packages/{owner}/{name}/download", ANONYMOUS)
def download_newest(request: Request) -> Response:
    """Download the newest approved release of a package."""
    package = _package(request)
    newest = versions.newest_release(package.value, None)
    if newest is None:
        return file_wire.render_no_release(request)
    return _download(request, package, newest.id)


@service.route("GET", "/packages/{owner}/{name}/releases/{id}/download", ANONYMOUS)
def download(request: Request) -> Response:
    """Download one release of a package."""
    text = request.params["id"]
    if not (text.isascii() and text.isdecimal() and len(text) < 13):
        raise no_such_page()
    return _download(request, _package(request), int(text))


@service.route("GET", "/uploads/{file}", ANONYMOUS)
def uploaded(request: Request) -> Response:
    """Return a zip or an image unchanged."""
    return file_wire.render_file(request, files.get(request.params["file"]))


@service.route("GET", "/thumbnails/{level}/{file}", ANONYMOUS, slow=True)
def thumbnail(request: Request) -> Response:
    """Return a thumbnail of an image."""
    name, level = request.params["file"], request.params["level"]
    if level not in map(str, formats.LEVELS):
        raise Forbidden("There is no such level of thumbnails.")
    return file_wire.render_thumbnail(int(level), name, files.get_thumbnail(int(level), name))


def _package(request: Request) -> Entry[PackageEntry]:
    return registry.get(index.catalogue.snapshot(), request.params["owner"], request.params["name"])


def _download(request: Request, package: Entry[PackageEntry], release_id: int) -> Response:
    release = Release.find(package_pk(package.value.id), release_sk(release_id))
    if release is None or not release.blob:
        raise no_such_page()
    if request.method == "GET":
        visitor = Visitor(request.client_address, request.user_agent)
        counting.count_download(visitor, package.value.id, release_id, request.argument("reason"))
    return file_wire.render_download(request, release, f"{package.value.name}_{release_id}.zip")
