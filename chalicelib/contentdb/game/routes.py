"""The routes for the game's package dialog and its report of installed packages."""

from chalicelib.contentdb import wire
from chalicelib.contentdb.game import for_client, reviews
from chalicelib.contentdb.game.text_routes import include_images
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.service import service
from chalicelib.contentdb.statistics import counting
from chalicelib.contentdb.statistics.counting import Visitor
from chalicelib.contentdb.store import index, languages
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.core.errors import Invalid
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS

_LARGEST_REPORT = 256 * 1024  # bytes; 1,000 packages take about 100 KB


@service.route("GET", "/api/packages/{author}/{name}/for-client", ANONYMOUS, slow=True)
def read_for_client(request: Request) -> Response:
    """Return a package, optimised for the Luanti client. The view is counted."""
    images = include_images(request)
    snapshot = index.catalogue.snapshot()
    version = Arguments(request, ("protocol_version", "engine_version")).version(snapshot)
    package = registry.get(snapshot, request.params["author"], request.params["name"])
    shown = for_client.dialog(
        snapshot,
        package,
        version=version,
        include_images=images,
        language=languages.wanted(request, snapshot),
        base=request.base_url,
    )
    if request.method == "GET":
        counting.count_view(Visitor(request.client_address, request.user_agent), package.value.id)
    return wire.render(shown, headers=[wire.VARY_LANGUAGE])


@service.route("GET", "/api/packages/{author}/{name}/for-client/reviews", ANONYMOUS, slow=True)
def reviews_for_client(request: Request) -> Response:
    """Return the reviews as a text for the game."""
    Arguments(request, ("formspec_version",)).required("formspec_version")
    snapshot = index.catalogue.snapshot()
    package = registry.get(snapshot, request.params["author"], request.params["name"])
    shown = reviews.of(snapshot, package.value, review_index.of_package(package.value.id), request.base_url)
    return wire.render_large(request, shown.as_json())


@service.route("POST", "/api/installed_packages", ANONYMOUS, body=_LARGEST_REPORT, writes=False)
def report_installed(request: Request) -> Response:
    """Not on the API page: accept the list of installed packages. Like upstream, nothing is stored."""
    given = wire.parse_object(request)
    for name in ("user_id", "packages", "worlds"):
        if given.get(name) is None:
            raise Invalid(f"Missing {name}")
    return wire.render_success()
