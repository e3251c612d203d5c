"""What is asked again and again, kept ready until the catalogue changes: lists, updates, dependencies.

An answer is kept as the bytes that go out, with its ETag and its compressed form, see web.encoding.Kept.
"""

from collections.abc import Callable, Hashable, Sequence
from datetime import date

from chalicelib.contentdb import dependencies, index, pages, shapes
from chalicelib.contentdb.arguments import Arguments
from chalicelib.contentdb.dialog import sidebar
from chalicelib.contentdb.lists import homepage as first_page
from chalicelib.contentdb.lists import queries
from chalicelib.contentdb.statistics import statistics
from chalicelib.contentdb.texts import hypertext
from chalicelib.contentdb.texts.hypertext import Hypertext
from chalicelib.contentdb.topics import topics
from chalicelib.contentdb.versions import newest_id
from chalicelib.contentdb.wire import dump
from chalicelib.core.views import Entry, Value, View
from chalicelib.web.encoding import Kept
from chalicelib.web.request import Request

PAGE = 100
LARGEST_PAGE = 300
_UPDATES = ("protocol_version", "engine_version")


def packages(request: Request, view: View, language: str) -> Kept:
    """The packages that a query asks for."""
    arguments = Arguments(request, queries.NAMES)

    def build(view: View) -> bytes:
        query = queries.parse(view, arguments)
        return shapes.list_json(
            queries.find(view, query),
            arguments.text("fmt"),
            version=query.version,
            language=language,
            promoted=queries.featured(view) if query.promotes else frozenset(),
            base=request.base_url,
        )

    if "random" in arguments:
        return Kept(build(view))
    return _kept(view, ("packages", request.base_url, language, arguments.key), build)


def updates(request: Request, view: View) -> Kept:
    """The id of the newest release of every approved package, also under its other names."""
    arguments = Arguments(request, _UPDATES)
    version = arguments.version(view)

    def build(view: View) -> bytes:
        found: dict[str, int] = {}
        for entry in index.approved(view):
            if release := newest_id(entry.value, version):
                found.update(dict.fromkeys((entry.key, *entry.value["aliases"]), release))
        return dump(found) + b"\n"

    return _kept(view, ("updates", version), build)


def all_dependencies(request: Request, view: View) -> Kept:
    """A page of what packages provide and need."""
    arguments = Arguments(request, (*queries.NAMES, "page", "n", "num"))

    def build(view: View) -> bytes:
        found = queries.find(view, queries.parse(view, arguments))
        rows = pages.page_of(request, arguments, found, _rows, size=PAGE, most=LARGEST_PAGE)
        return dump(rows) + b"\n"

    if "random" in arguments:
        return Kept(build(view))
    return _kept(view, ("dependencies", request.base_url, _whole(request)), build)


def _rows(entries: Sequence[Entry]) -> list[Value]:
    return [dependencies.row(entry.value) for entry in entries]


def dependencies_of(view: View, package: Entry, *, only_hard: bool) -> Kept:
    """The dependencies of one package."""
    name = ("dependencies", package.key, only_hard)
    return _kept(view, name, lambda view: dump(dependencies.of(view, package, only_hard=only_hard)) + b"\n")


def description(view: View, package: Entry, base: str, *, include_images: bool) -> Hypertext:
    """The long description of a package; links are made absolute by the package's page."""
    page = f"{base}/packages/{package.key}/"

    def convert(_: View) -> Hypertext:
        return hypertext.from_markdown(package.value["long_description"] or "", page, include_images)

    return view.remember(("hypertext", page, include_images), convert)


def sidebar_of(view: View, package: Entry, base: str) -> Hypertext:
    """What the game shows beside it."""
    return view.remember(("sidebar", package.key, base), lambda view: sidebar.of(view, package.value, base))


def homepage(request: Request, view: View) -> Kept:
    """The packages of the site's first page."""
    name = ("homepage", request.base_url)
    return _kept(view, name, lambda view: dump(first_page.of(view, request.base_url)) + b"\n")


def forum_topics(request: Request, view: View) -> Kept:
    """The topics of the forum that a query asks for."""
    arguments = Arguments(request, topics.ARGUMENTS)
    return _kept(view, ("topics", arguments.key), lambda view: dump(topics.find(view, arguments)) + b"\n")


def uploads(view: View) -> Kept:
    """The files of approved packages: those of releases, then screenshots."""

    def build(view: View) -> bytes:
        files = (
            {"url": f"/uploads/{row['file']}", "created_at": row["created_at"], "size": row["size"]}
            for kind in ("releases", "screenshots")
            for entry in index.approved(view)
            for row in entry.value[kind]
            if row.get("file") and "created_at" in row  # entries of an older version have less
        )
        return dump(list(files)) + b"\n"

    return _kept(view, "uploads", build)


def scores(request: Request, view: View) -> Kept:
    """Downloads, reviews and scores of the packages that a query asks for."""
    arguments = Arguments(request, queries.NAMES)

    def build(view: View) -> bytes:
        return shapes.scores_json(queries.find(view, queries.parse(view, arguments)))

    if "random" in arguments:
        return Kept(build(view))
    return _kept(view, ("scores", arguments.key), build)


def package_stats(view: View) -> Kept:
    """The downloads of all packages on each of the last 30 days."""
    recent, last = statistics.catalogue.view(), statistics.today()
    name = ("package-stats", recent.sequence, last)
    return _kept(view, name, lambda view: dump(statistics.of_all(view, recent, last)) + b"\n")


def user_stats(view: View, username: str, first: date, last: date) -> Kept:
    """What was counted for a user's packages."""
    recent, older = statistics.catalogue.view(), statistics.older(username, first, last)

    def build(view: View) -> bytes:
        return dump(statistics.of_user(view, recent, older, username, first, last)) + b"\n"

    return _kept(view, ("user-stats", username, first, last, recent.sequence, hash(tuple(older))), build)


def _kept(view: View, name: Hashable, build: Callable[[View], bytes]) -> Kept:
    return view.remember(name, lambda view: Kept(build(view)), len)


def _whole(request: Request) -> Hashable:
    """All arguments: a page's links repeat also those that nobody knows."""
    return tuple((name, *values) for name, values in request.query.items())
