"""The lists of packages. A change renders and compresses one block of each list (core/catalogues/blocks.py)."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property

from chalicelib.contentdb.browse import queries
from chalicelib.contentdb.browse.queries import PackageQuery
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.packages import shapes
from chalicelib.contentdb.packages.shapes import ListForm
from chalicelib.contentdb.store import rows
from chalicelib.contentdb.store.answers import cached
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.core.catalogues import segments
from chalicelib.core.catalogues.blocks import Blocks, Frame, Texts
from chalicelib.web.encoding import CachedBody, PackedBody
from chalicelib.web.request import Request

_FRAME = Frame(b"[", b",", b"]\n", b"[]\n")
_texts = Texts()


@dataclass(frozen=True)
class _PackageList:
    """A list: the packages that match its query, and their blocks in a form."""

    name: tuple[object, ...]
    form: ListForm
    members: Set[str]
    blocks: Blocks

    @property
    def size(self) -> int:
        """The size in bytes in memory, about."""
        return 2 * self.blocks.size + 48 * len(self.members)

    @cached_property
    def body(self) -> PackedBody:
        """The body of the response."""
        return PackedBody(
            self.blocks.text_size,
            self.blocks.etag(),
            lambda: _texts.of(self.name, self.blocks),
            lambda: segments.gzip_file(self.blocks.whole()),
        )


def packages(request: Request, snapshot: ContentDbSnapshot, language: str) -> CachedBody | PackedBody:
    """The packages that match a query."""
    arguments = Arguments(request, queries.NAMES)
    name = ("packages", request.base_url, language, arguments.key)

    def parsed(snapshot: ContentDbSnapshot) -> tuple[PackageQuery, ListForm]:
        query = queries.parse(snapshot, arguments)
        featured = queries.featured(snapshot) if query.promotes else frozenset[str]()
        return query, ListForm(arguments.text("fmt"), query.version, language, featured, request.base_url)

    def write(snapshot: ContentDbSnapshot) -> bytes:
        query, form = parsed(snapshot)
        return shapes.list_json(snapshot, (row.key for row in queries.find(snapshot, query)), form)

    def build(snapshot: ContentDbSnapshot) -> _PackageList:
        query, form = parsed(snapshot)
        found = [row.key for row in queries.find(snapshot, query)]
        return _arranged(_PackageList(name, form, set(), Blocks(_FRAME)), snapshot, found, found)

    def update(before: _PackageList, snapshot: ContentDbSnapshot, changed: Set[str]) -> _PackageList:
        query, form = parsed(snapshot)
        if form != before.form or any("#" in key for key in changed):  # reference data or a collection changed
            return build(snapshot)
        found = [row.key for row in queries.find_again(snapshot, query, before.members, changed)]
        return _arranged(before, snapshot, found, changed | (set(found) - before.members))

    if "random" in arguments:
        return CachedBody(write(snapshot))
    if arguments.text("q").strip():
        return cached(snapshot, name, write)
    return rows.derived.get(snapshot, name, build, update, lambda made: made.size).body


def _arranged(
    before: _PackageList, snapshot: ContentDbSnapshot, found: Sequence[str], changed: Set[str] | Sequence[str]
) -> _PackageList:
    """The list with these packages, of which the changed ones are rendered again."""
    blocks = before.blocks.arranged(found, changed, lambda keys: shapes.listed(snapshot, keys, before.form))
    return replace(before, members=set(found), blocks=blocks)
