"""The routes of statistics and scores."""

from datetime import date

from chalicelib.contentdb import wire
from chalicelib.contentdb.browse import lists
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.service import service
from chalicelib.contentdb.statistics import answers, history
from chalicelib.contentdb.statistics import wire as stats_wire
from chalicelib.contentdb.store import index, popularity, scores
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.contentdb.store.errors import no_such_page
from chalicelib.contentdb.users import profiles
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response
from chalicelib.web.route import ANONYMOUS


@service.route("GET", "/api/packages/{author}/{name}/stats", ANONYMOUS)
def package_stats(request: Request) -> Response:
    """Daily stats for a package, or null."""
    first, last = _days(request)
    package = registry.get(index.catalogue.snapshot(), request.params["author"], request.params["name"])
    found = history.of_package(package.value.id, first, last)
    return wire.render(found, headers=[wire.cache_for(300)])


@service.route("GET", "/api/package_stats", ANONYMOUS)
def all_package_stats(request: Request) -> Response:
    """The last 30 days of daily stats for all packages."""
    return wire.render_cached(request, answers.package_stats(index.catalogue.snapshot()), 900)


@service.route("GET", "/api/users/{username}/stats", ANONYMOUS)
def user_stats(request: Request) -> Response:
    """Daily stats for the user's packages, or null."""
    first, last = _days(request)
    snapshot, username = index.catalogue.snapshot(), request.params["username"]
    if username not in index.authors(snapshot):
        profiles.get_account(username)
    return wire.render_cached(request, answers.user_stats(snapshot, username, first, last), 300)


@service.route("GET", "/api/scores", ANONYMOUS)
def all_scores(request: Request) -> Response:
    """See Top Packages Algorithm."""
    return wire.render_cached(request, lists.scores(request, index.catalogue.snapshot()), 900)


@service.route("GET", "/packages/{owner}/{name}/stats.csv", ANONYMOUS)
def package_stats_csv(request: Request) -> Response:
    """Not on the API page: daily stats for a package, as CSV."""
    first, last = _days(request)
    package = registry.get(index.catalogue.snapshot(), request.params["owner"], request.params["name"])
    found = history.of_package(package.value.id, first, last)
    return bytes_response(stats_wire.csv(found), "text/csv", headers=[wire.cache_for(300)])


@service.route("GET", "/packages/{owner}/{name}/shields/{kind}", ANONYMOUS)
def package_badge(request: Request) -> Response:
    """Not on the API page: the title or the downloads of a package as an image, for a README."""
    found = registry.get(index.catalogue.snapshot(), request.params["owner"], request.params["name"])
    value = scores.counted(found.value)
    texts = {"title": ("ContentDB", value.title), "downloads": ("downloads", str(value.downloads))}
    if request.params["kind"] not in texts:
        raise no_such_page()
    image = stats_wire.badge(*texts[request.params["kind"]])
    return bytes_response(image, "image/svg+xml", headers=[wire.cache_for(3600)])


def _days(request: Request) -> tuple[date, date]:
    """The first and the last requested day. Raises Invalid."""
    arguments = Arguments(request, ("start", "end"))
    return arguments.day("start") or history.FIRST_DAY, arguments.day("end") or popularity.today()
