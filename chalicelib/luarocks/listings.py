"""The manifests of all roots, in memory: a publish renders and compresses one block of each.

See core/catalogues/blocks.py.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from chalicelib.core.catalogues import segments
from chalicelib.core.catalogues.blocks import Blocks, Texts
from chalicelib.core.catalogues.derived import Derived
from chalicelib.core.catalogues.snapshots import Entry, Snapshot
from chalicelib.luarocks import index, manifests
from chalicelib.luarocks.entry import ModuleEntry
from chalicelib.luarocks.manifests import ManifestForm
from chalicelib.luarocks.roots import Root
from chalicelib.luarocks.versions import matches_lua

_derived: Derived[ModuleEntry] = Derived()
_texts = Texts()
ManifestFile = Literal["lua", "json", "zip", "json.zip"]
_Modules = Mapping[str, Entry[ModuleEntry]]


@dataclass(frozen=True)
class _Selection:
    """The versions in a manifest: of a root, for a Lua version (None: any)."""

    root: Root
    lua: str | None

    def render(self, modules: _Modules, keys: Sequence[str], form: ManifestForm) -> bytes:
        """The text of some modules."""
        return form.join([text for key in keys if (text := self._fragment(modules[key].value, form))])

    def _fragment(self, value: ModuleEntry, form: ManifestForm) -> bytes:
        """The text of one module; empty if the manifest has none of its versions."""
        if value.archived:
            return b""
        versions = {
            version.display_version_name or name: ["rockspec", *sorted(version.rocks)]
            for name, version in sorted(value.versions.items())
            if not version.archived
            and self.root.development in (None, version.development)
            and (self.lua is None or matches_lua(version.lua_version, self.lua))
        }
        return form.fragment(value.name, versions) if versions else b""


@dataclass(frozen=True)
class RenderedManifest:
    """A manifest: the keys of the root's modules by name, and their blocks in a form."""

    selection: _Selection
    order: list[str]
    blocks: Blocks
    form: ManifestForm

    def rendered(self, modules: _Modules, changed: Sequence[str]) -> "RenderedManifest":
        """The listing with these keys rendered again, or with all of them if its size needs another form."""

        def render(keys: Sequence[str]) -> bytes:
            return self.selection.render(modules, keys, form)

        form = self.form
        blocks = self.blocks.arranged(self.order, changed, render)
        if manifests.fitting(form, blocks) is not form:
            form = manifests.fitting(form, blocks)
            blocks = Blocks(form.frame).arranged(self.order, self.order, render)
        return replace(self, blocks=blocks, form=form)

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return 2 * self.blocks.size + 8 * len(self.order)

    def text(self) -> bytes:
        """The manifest."""
        return _texts.of((self.selection, self.form), self.blocks)

    @cached_property
    def gzipped(self) -> bytes:
        """The manifest, compressed."""
        return segments.gzip_file(self.blocks.whole())

    @cached_property
    def zipped(self) -> bytes:
        """The manifest in a zip, as a member that is called like the zip."""
        name = "manifest-json" if self.form is manifests.JSON else "manifest"
        member = f"{name}-{self.selection.lua}" if self.selection.lua else name
        return segments.zip_file(member, self.blocks.whole())


def manifest(snapshot: Snapshot[ModuleEntry], root: Root, lua: str | None, form: ManifestFile) -> RenderedManifest:
    """The manifest for a Lua version, or for all, as Lua or JSON. Archived modules and versions are in no manifest."""
    selection, is_json = _Selection(root, lua), form in ("json", "json.zip")

    def build(snapshot: Snapshot[ModuleEntry]) -> RenderedManifest:
        modules = index.modules(snapshot, root.group)
        order = sorted(modules, key=_name)
        first = manifests.JSON if is_json else manifests.likely(len(order))
        return RenderedManifest(selection, order, Blocks(first.frame), first).rendered(modules, order)

    return _derived.get(snapshot, (selection, is_json), build, _update, lambda listing: listing.size)


def _update(listing: RenderedManifest, snapshot: Snapshot[ModuleEntry], changed: Set[str]) -> RenderedManifest:
    """The listing after changes of the modules with these keys."""
    modules = index.modules(snapshot, listing.selection.root.group)
    order = list(listing.order)
    removed = [key for key in changed if _remove(order, key)]
    present = [key for key in changed if key in modules]
    for key in present:
        order.insert(bisect_left(order, _name(key), key=_name), key)
    if not removed and not present:
        return listing
    return replace(listing, order=order).rendered(modules, present)


def _remove(order: list[str], key: str) -> bool:
    """Remove a key from a list by name, if it is there. Names are unique in a root, keys begin with a username."""
    position = bisect_left(order, _name(key), key=_name)
    if position == len(order) or order[position] != key:
        return False
    del order[position]
    return True


def _name(key: str) -> str:
    """The module's name in the key of its entry."""
    return key.partition("/")[2]
