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
from chalicelib.core.snapshots import Entry, Snapshot, Value
from chalicelib.web.encoding import Kept
from chalicelib.web.request import Request

PAGE = 100
LARGEST_PAGE = 300
_UPDATES = ("protocol_version", "engine_version")


def packages(request: Request, snapshot: Snapshot, language: str) -> Kept:
    """The packages that a query asks for."""
    arguments = Arguments(request, queries.NAMES)

    def build(snapshot: Snapshot) -> bytes:
        query = queries.parse(snapshot, arguments)
        return shapes.list_json(
            queries.find(snapshot, query),
            arguments.text("fmt"),
            version=query.version,
            language=language,
            promoted=queries.featured(snapshot) if query.promotes else frozenset(),
            base=request.base_url,
        )

    if "random" in arguments:
        return Kept(build(snapshot))
    return _kept(snapshot, ("packages", request.base_url, language, arguments.key), build)


def updates(request: Request, snapshot: Snapshot) -> Kept:
    """The id of the newest release of every approved package, also under its other names."""
    arguments = Arguments(request, _UPDATES)
    version = arguments.version(snapshot)

    def build(snapshot: Snapshot) -> bytes:
        found: dict[str, int] = {}
        for entry in index.approved(snapshot):
            if release := newest_id(entry.value, version):
                found.update(dict.fromkeys((entry.key, *entry.value["aliases"]), release))
        return dump(found) + b"\n"

    return _kept(snapshot, ("updates", version), build)


def all_dependencies(request: Request, snapshot: Snapshot) -> Kept:
    """A page of what packages provide and need."""
    arguments = Arguments(request, (*queries.NAMES, "page", "n", "num"))

    def build(snapshot: Snapshot) -> bytes:
        found = queries.find(snapshot, queries.parse(snapshot, arguments))
        rows = pages.page_of(request, arguments, found, _rows, size=PAGE, most=LARGEST_PAGE)
        return dump(rows) + b"\n"

    if "random" in arguments:
        return Kept(build(snapshot))
    return _kept(snapshot, ("dependencies", request.base_url, _whole(request)), build)


def _rows(entries: Sequence[Entry]) -> list[Value]:
    return [dependencies.row(entry.value) for entry in entries]


def dependencies_of(snapshot: Snapshot, package: Entry, *, only_hard: bool) -> Kept:
    """The dependencies of one package."""
    name = ("dependencies", package.key, only_hard)
    return _kept(snapshot, name, lambda snapshot: dump(dependencies.of(snapshot, package, only_hard=only_hard)) + b"\n")


def description(snapshot: Snapshot, package: Entry, base: str, *, include_images: bool) -> Hypertext:
    """The long description of a package; links are made absolute by the package's page."""
    page = f"{base}/packages/{package.key}/"

    def convert(_: Snapshot) -> Hypertext:
        return hypertext.from_markdown(package.value["long_description"] or "", page, include_images)

    return snapshot.remember(("hypertext", page, include_images), convert)


def sidebar_of(snapshot: Snapshot, package: Entry, base: str) -> Hypertext:
    """What the game shows beside it."""
    return snapshot.remember(("sidebar", package.key, base), lambda snapshot: sidebar.of(snapshot, package.value, base))


def homepage(request: Request, snapshot: Snapshot) -> Kept:
    """The packages of the site's first page."""
    name = ("homepage", request.base_url)
    return _kept(snapshot, name, lambda snapshot: dump(first_page.of(snapshot, request.base_url)) + b"\n")


def forum_topics(request: Request, snapshot: Snapshot) -> Kept:
    """The topics of the forum that a query asks for."""
    arguments = Arguments(request, topics.ARGUMENTS)
    return _kept(snapshot, ("topics", arguments.key), lambda snapshot: dump(topics.find(snapshot, arguments)) + b"\n")


def uploads(snapshot: Snapshot) -> Kept:
    """The files of approved packages: those of releases, then screenshots."""

    def build(snapshot: Snapshot) -> bytes:
        files = (
            {"url": f"/uploads/{row['file']}", "created_at": row["created_at"], "size": row["size"]}
            for kind in ("releases", "screenshots")
            for entry in index.approved(snapshot)
            for row in entry.value[kind]
            if row.get("file") and "created_at" in row  # entries of an older version have less
        )
        return dump(list(files)) + b"\n"

    return _kept(snapshot, "uploads", build)


def scores(request: Request, snapshot: Snapshot) -> Kept:
    """Downloads, reviews and scores of the packages that a query asks for."""
    arguments = Arguments(request, queries.NAMES)

    def build(snapshot: Snapshot) -> bytes:
        return shapes.scores_json(queries.find(snapshot, queries.parse(snapshot, arguments)))

    if "random" in arguments:
        return Kept(build(snapshot))
    return _kept(snapshot, ("scores", arguments.key), build)


def package_stats(snapshot: Snapshot) -> Kept:
    """The downloads of all packages on each of the last 30 days."""
    recent, last = statistics.catalogue.snapshot(), statistics.today()
    name = ("package-stats", recent.sequence, last)
    return _kept(snapshot, name, lambda snapshot: dump(statistics.of_all(snapshot, recent, last)) + b"\n")


def user_stats(snapshot: Snapshot, username: str, first: date, last: date) -> Kept:
    """What was counted for a user's packages."""
    recent, older = statistics.catalogue.snapshot(), statistics.older(username, first, last)

    def build(snapshot: Snapshot) -> bytes:
        return dump(statistics.of_user(snapshot, recent, older, username, first, last)) + b"\n"

    return _kept(snapshot, ("user-stats", username, first, last, recent.sequence, hash(tuple(older))), build)


def _kept(snapshot: Snapshot, name: Hashable, build: Callable[[Snapshot], bytes]) -> Kept:
    return snapshot.remember(name, lambda snapshot: Kept(build(snapshot)), len)


def _whole(request: Request) -> Hashable:
    """All arguments: a page's links repeat also those that nobody knows."""
    return tuple((name, *values) for name, values in request.query.items())
