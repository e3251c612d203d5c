"""The page of a package, with the data of the API."""

from collections.abc import Mapping

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import dependencies, fields, registry, shapes
from chalicelib.contentdb.releases import publishing
from chalicelib.contentdb.releases import wire as release_wire
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.reviews import wire as review_wire
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index, languages, reference, rows, scores
from chalicelib.contentdb.store.parts import load_parts
from chalicelib.contentdb.store.reference import Row
from chalicelib.contentdb.texts import prose
from chalicelib.core.catalogues.snapshots import Entry, Value
from chalicelib.web import html
from chalicelib.web.html import wants_html
from chalicelib.web.request import Request
from chalicelib.web.response import Response, redirect
from chalicelib.web.route import ANONYMOUS
from chalicelib.web.slice import Work

_MOST_REVIEWS = 50
TYPES = {"mod": "Mod", "game": "Game", "txp": "Texture pack"}
_STATES = {
    "WIP": "This package is a draft: lists do not show it.",
    "CHANGES_NEEDED": "This package must be changed before lists show it.",
    "READY_FOR_REVIEW": "This package waits for approval: lists do not show it yet.",
}


@service.route("GET", "/packages/{owner}/{name}", ANONYMOUS, page=True, slow=True)
def package_page(request: Request) -> Response:
    """The target of the game's "ContentDB page" button: a page for browsers, a redirect to the API for programs."""
    snapshot = index.catalogue.snapshot()
    package = registry.get(snapshot, request.params["owner"], request.params["name"])
    if wants_html(request):
        return _render(request, snapshot, package)
    return _redirect_to_api(request, package)


def _render(request: Request, snapshot: ContentDbSnapshot, package: Entry[PackageEntry]) -> Response:
    """The public data of a package, with its stored counters."""
    parts = load_parts(package.value.id)
    value = scores.with_counters(package.value, parts.counters)
    shown = shapes.full(snapshot, value, language=languages.wanted(request, snapshot), base=request.base_url)
    known = reference.of(snapshot)
    approved = [release for release in publishing.newest_first(parts) if release.state == "APPROVED"]
    return html.page(
        request,
        "contentdb/package.html",
        headers=[("Vary", "Accept-Language")],
        package=shown,
        kind=TYPES[shown["type"]],
        state=_STATES.get(shown["state"]),
        description=_description(snapshot, value, request.base_url),
        shots=[
            {"file": shot.file, "title": shot.title, "stem": shot.file.rpartition(".")[0]} for shot in value.screenshots
        ],
        needs=dependencies.of(snapshot, package, only_hard=False)[package.key],
        links=[(label, shown[name]) for label, name in fields.labels() if shown[name]],
        releases=[release_wire.render(snapshot, release) for release in approved],
        reviews=_reviews(snapshot, value, request.base_url),
        tags=_titles(known.tags, shown["tags"]),
        content_warnings=_titles(known.content_warnings, shown["content_warnings"]),
    )


def _redirect_to_api(request: Request, package: Entry[PackageEntry]) -> Response:
    """A redirect to the API."""
    response = redirect(f"{request.base_url}/api/packages/{package.key}/")
    response.headers.append(("Vary", "Accept"))
    return response


def works_of(username: str) -> list[Work]:
    """The approved packages of a user."""
    snapshot = index.catalogue.snapshot()
    keys = [row.key for row in rows.of(snapshot).approved if row.author == username]
    theirs = [entry.value for entry in index.Found(snapshot, keys)]
    return [Work(value.title, value.short_description, f"/packages/{username}/{value.name}/") for value in theirs]


def _description(snapshot: ContentDbSnapshot, value: PackageEntry, base_url: str) -> str:
    text = value.long_description or ""
    return snapshot.lru_cached(("page", value.id, base_url), lambda _: prose.from_markdown(text, base_url))


def _reviews(snapshot: ContentDbSnapshot, value: PackageEntry, base_url: str) -> list[Value]:
    """The approved reviews, most helpful first, with their comments as HTML."""
    if not sum(value.reviews):
        return []
    return [
        {**review_wire.render(snapshot, review, value, base_url), "html": _comment(snapshot, review.comment, base_url)}
        for review in review_index.of_package(value.id)[:_MOST_REVIEWS]
    ]


def _comment(snapshot: ContentDbSnapshot, text: str, base_url: str) -> str:
    return snapshot.lru_cached(("comment", base_url, text), lambda _: prose.from_markdown(text, base_url))


def _titles(rows: Mapping[str, Row], names: list[str]) -> list[str]:
    """The titles of tags or content warnings."""
    return [str(rows[name]["title"]) if name in rows else name for name in names]
