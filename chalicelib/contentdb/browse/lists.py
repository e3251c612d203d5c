"""Lists of packages, cached until the catalogue changes: queries, updates, dependencies, files, scores."""

from collections.abc import Hashable, Sequence

from chalicelib.contentdb.browse import homepage as first_page
from chalicelib.contentdb.browse import queries
from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import dependencies, shapes
from chalicelib.contentdb.store import index, paging, rows
from chalicelib.contentdb.store.answers import cached
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.contentdb.store.package_row import newest_id
from chalicelib.core.catalogues.snapshots import Entry, Value
from chalicelib.web.encoding import CachedBody
from chalicelib.web.request import Request
from chalicelib.web.response import canonical_json

PAGE = 100
LARGEST_PAGE = 300
_UPDATES = ("protocol_version", "engine_version")


def updates(request: Request, snapshot: ContentDbSnapshot) -> CachedBody:
    """The id of the newest release of every approved package, also under its aliases."""
    arguments = Arguments(request, _UPDATES)
    version = arguments.version(snapshot)

    def build(snapshot: ContentDbSnapshot) -> bytes:
        found: dict[str, int] = {}
        for row in rows.of(snapshot).approved:
            if release := newest_id(row.releases, version):
                found.update(dict.fromkeys((row.key, *row.aliases), release))
        return canonical_json(found) + b"\n"

    return cached(snapshot, ("updates", version), build)


def all_dependencies(request: Request, snapshot: ContentDbSnapshot) -> CachedBody:
    """A page of the packages' dependencies and provided mods."""
    arguments = Arguments(request, (*queries.NAMES, "page", "n", "num"))

    def build(snapshot: ContentDbSnapshot) -> bytes:
        found = queries.find(snapshot, queries.parse(snapshot, arguments))
        entries = index.Found(snapshot, found.keys)
        shown = paging.page_of(request, arguments, entries, _rows, size=PAGE, most=LARGEST_PAGE)
        return canonical_json(shown) + b"\n"

    if "random" in arguments:
        return CachedBody(build(snapshot))
    return cached(snapshot, ("dependencies", request.base_url, _whole(request)), build)


def _rows(entries: Sequence[Entry[PackageEntry]]) -> list[Value]:
    return [dependencies.row(entry.value) for entry in entries]


def dependencies_of(snapshot: ContentDbSnapshot, package: Entry[PackageEntry], *, only_hard: bool) -> CachedBody:
    """The dependencies of one package."""
    name = ("dependencies", package.key, only_hard)
    return cached(
        snapshot, name, lambda snapshot: canonical_json(dependencies.of(snapshot, package, only_hard=only_hard)) + b"\n"
    )


def homepage(request: Request, snapshot: ContentDbSnapshot) -> CachedBody:
    """The packages of the homepage."""
    name = ("homepage", request.base_url)
    return cached(snapshot, name, lambda snapshot: canonical_json(first_page.of(snapshot, request.base_url)) + b"\n")


def uploads(snapshot: ContentDbSnapshot) -> CachedBody:
    """The files of approved packages: first of releases, then of screenshots."""

    def build(snapshot: ContentDbSnapshot) -> bytes:
        files = (
            {"url": f"/uploads/{row.file}", "created_at": row.created_at, "size": row.size}
            for kind in ("releases", "screenshots")
            for entry in index.approved(snapshot)
            for row in (entry.value.releases if kind == "releases" else entry.value.screenshots)
            if row.file
        )
        return canonical_json(list(files)) + b"\n"

    return cached(snapshot, "uploads", build)


def scores(request: Request, snapshot: ContentDbSnapshot) -> CachedBody:
    """Downloads, reviews and scores of the packages that match a query."""
    arguments = Arguments(request, queries.NAMES)

    def build(snapshot: ContentDbSnapshot) -> bytes:
        return shapes.scores_json(queries.find(snapshot, queries.parse(snapshot, arguments)))

    if "random" in arguments:
        return CachedBody(build(snapshot))
    return cached(snapshot, ("scores", arguments.key), build)


def _whole(request: Request) -> Hashable:
    """All arguments: the links of a page also repeat unknown ones."""
    return tuple((name, *values) for name, values in request.query.items())
