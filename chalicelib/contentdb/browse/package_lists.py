"""The lists of packages. A change renders and compresses one block of each list (core/catalogues/blocks.py).

The list of all packages is stored with the snapshot.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec

from chalicelib import settings
from chalicelib.contentdb.browse import queries
from chalicelib.contentdb.browse.queries import PackageQuery
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.packages import shapes
from chalicelib.contentdb.packages.shapes import ListForm
from chalicelib.contentdb.store import index, rows
from chalicelib.contentdb.store.answers import cached
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.core.catalogues import blocks, segments
from chalicelib.core.catalogues.blocks import Blocks, Frame, Texts
from chalicelib.core.catalogues.stored_values import StoredValue
from chalicelib.web.encoding import CachedBody, PackedBody
from chalicelib.web.request import Request

_FRAME = Frame(b"[", b",", b"]\n", b"[]\n")
_texts = Texts()


@dataclass(frozen=True)
class _PackageList:
    """A list of packages: its blocks in a form."""

    name: tuple[object, ...]
    form: ListForm
    blocks: Blocks

    @property
    def size(self) -> int:
        """The size in bytes in memory, about."""
        return 2 * self.blocks.size

    def at(self, base: str) -> "_PackageList":
        """The list with another base URL."""
        if base == self.form.base:
            return self
        old, new = map(shapes.start_of_thumbnails, (self.form.base, base))
        return replace(self, form=replace(self.form, base=base), blocks=self.blocks.replaced(old, new))

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
        return shapes.list_json(snapshot, queries.find(snapshot, query).keys, form)

    def build(snapshot: ContentDbSnapshot) -> _PackageList:
        query, form = parsed(snapshot)
        if (query, form.form, language) == (queries.ALL, "", "") and STORED.is_stored(snapshot):
            stored = STORED.of(snapshot)
            return _updated(replace(stored.at(form.base), name=name), snapshot, query, form, frozenset())
        return _arranged(_PackageList(name, form, Blocks(_FRAME)), snapshot, query)

    def update(before: _PackageList, snapshot: ContentDbSnapshot, changed: Set[str]) -> _PackageList:
        return _updated(before, snapshot, *parsed(snapshot), changed)

    if "random" in arguments:
        return CachedBody(write(snapshot))
    if arguments.text("q").strip():
        return cached(snapshot, name, write)
    return rows.derived.get(snapshot, name, build, update, lambda made: made.size).body


def _updated(
    before: _PackageList, snapshot: ContentDbSnapshot, query: PackageQuery, form: ListForm, changed: Set[str]
) -> _PackageList:
    """The list after changes of these packages, in this form."""
    if replace(form, promoted=before.form.promoted) != before.form:
        return _arranged(_PackageList(before.name, form, Blocks(_FRAME)), snapshot, query)
    return _arranged(replace(before, form=form), snapshot, query, changed | (form.promoted ^ before.form.promoted))


def _arranged(
    before: _PackageList, snapshot: ContentDbSnapshot, query: PackageQuery, changed: Set[str] | None = None
) -> _PackageList:
    """The list of the packages that match the query, of which the changed ones, None: all, are rendered again."""
    found = queries.find(snapshot, query).keys
    again = found if changed is None else changed
    made = before.blocks.arranged(found, again, lambda keys: shapes.listed(snapshot, keys, before.form))
    return replace(before, blocks=made)


def _form_of_all(snapshot: ContentDbSnapshot, base: str) -> ListForm:
    return ListForm("", None, "", queries.featured(snapshot), base)


def _build(snapshot: ContentDbSnapshot) -> _PackageList:
    """The list of all packages for the configured URL; a process rewrites it if clients use another one."""
    chosen = settings.current()
    form = _form_of_all(snapshot, (chosen.base_url or chosen.mail_base_url or "http://localhost").rstrip("/"))
    return _arranged(_PackageList((), form, Blocks(_FRAME)), snapshot, queries.ALL)


def _update(before: _PackageList, snapshot: ContentDbSnapshot, changed: Set[str]) -> _PackageList:
    return _updated(before, snapshot, queries.ALL, _form_of_all(snapshot, before.form.base), changed)


def _encode(stored: _PackageList, numbers: Mapping[str, int]) -> bytes:
    return msgspec.msgpack.encode((stored.form.base, sorted(stored.form.promoted), stored.blocks.encoded(numbers)))


def _decode(body: bytes, keys: Sequence[str]) -> _PackageList:
    base, promoted, stored = msgspec.msgpack.decode(body, type=tuple[str, frozenset[str], bytes])
    return _PackageList((), ListForm("", None, "", promoted, base), blocks.decode(_FRAME, stored, keys))


STORED = index.catalogue.keep(StoredValue("list", 1, build=_build, update=_update, encode=_encode, decode=_decode))
