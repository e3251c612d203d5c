"""The routes of collections, in the order of ContentDB's API page; our additions follow."""

from chalicelib.contentdb import auth, wire
from chalicelib.contentdb.collections import curation
from chalicelib.contentdb.collections import wire as collection_wire
from chalicelib.contentdb.entry import CollectionEntry, ContentDbSnapshot
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index, languages
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.snapshots import Value
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, Leaves, Permission

COLLECTION = "/api/collections/{author}/{name}"
_EDITOR = Permission("author of the collection, or editor")
_NO_STORE = ("Cache-Control", "no-store")


@service.route("GET", "/api/collections", ANONYMOUS)
def list_all(request: Request) -> Response:
    """List public collections."""
    arguments = Arguments(request, ("author", "package"))
    filters = {name: arguments.text(name) for name in ("author", "package") if name in arguments}
    snapshot = index.catalogue.snapshot()
    return wire.render(
        [collection_wire.render_short(snapshot, value) for value in curation.list_collections(snapshot, **filters)]
    )


@service.route("GET", COLLECTION, auth.TOKEN_OR_NONE, permission=Permission("any; a private one: its author"))
def read(request: Request, caller: Caller | None) -> Response:
    """Read."""
    snapshot = index.catalogue.snapshot()
    value = curation.get(snapshot, request.params["author"], request.params["name"], caller)
    headers = [wire.VARY_LANGUAGE, *([_NO_STORE] if value.private else [])]
    return wire.render(_full(request, snapshot, value, caller), headers=headers)


@service.route(
    "PUT",
    COLLECTION,
    auth.TOKEN,
    scope="write",
    permission=_EDITOR,
    second_factor=auth.CODE_FOR_OTHERS_NAME,
    body=collection_wire.LARGEST,
    event=Leaves("collection", "publish", "change", "archive", "restore"),
)
def save(request: Request, caller: Caller) -> Response:
    """Create or change an own collection: an object, or an array of `author/name`. Editors change the site's."""
    given = collection_wire.parse(request)
    value = curation.save(request.params["author"], request.params["name"], given, caller)
    return wire.render_success(collection=_full(request, index.catalogue.snapshot(), value, caller))


@service.route(
    "DELETE",
    COLLECTION,
    auth.TOKEN,
    scope="write",
    permission=_EDITOR,
    second_factor=auth.CODE_FOR_OTHERS_NAME,
    event=Leaves("collection", "delete"),
)
def delete(request: Request, caller: Caller) -> Response:
    """Delete an own collection."""
    curation.delete(request.params["author"], request.params["name"], caller)
    return wire.render_success()


def _full(request: Request, snapshot: ContentDbSnapshot, value: CollectionEntry, caller: Caller | None) -> Value:
    drafts = caller is not None and curation.may_edit(caller.account, value.author)
    language = languages.wanted(request, snapshot)
    return collection_wire.render(snapshot, value, drafts=drafts, language=language, base=request.base_url)
