"""The README and the licence text of a version, out of its source rock."""

from collections.abc import Mapping

from chalicelib.core import accompanying, blobs
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.errors import NotFound
from chalicelib.core.storage import Transaction
from chalicelib.luarocks import index, items
from chalicelib.luarocks.entry import ModuleEntry, StoredText, VersionEntry, with_version
from chalicelib.luarocks.tables import Version, module_pk

SOURCES = "src"  # the architecture of a source rock
KINDS = ("readme", "license")


def store(content: bytes) -> dict[str, StoredText]:
    """Store the texts of a source rock; return them by kind. Raises Busy or Full."""
    stored: dict[str, StoredText] = {}
    for kind, found in accompanying.read(content).items():
        blob = blobs.put(found.text.encode(), index.AREA)
        stored[kind] = StoredText(name=found.name[:255], sha256=blob.sha256, size=blob.size)
    return stored


def replaced(
    module: ModuleEntry, version_name: str, found: Mapping[str, StoredText], writes: Transaction
) -> ModuleEntry:
    """Write the texts to the version's item if they differ; return the entry with them."""
    before = module.versions[version_name]
    after = replace(before, texts=found)
    if after == before:
        return module
    item = Version(module_pk(module.id), f"version#{version_name}")
    writes.update(item, item.assign(**items.changed(before, after)), Version.pk.exists())
    return with_version(module, version_name, after)


def read(version: VersionEntry, kind: str) -> tuple[StoredText, str]:
    """A text of a version with its content. Raises NotFound."""
    found = version.texts.get(kind)
    if found is None:
        raise NotFound("The version has no such text.")
    return found, blobs.get(blobs.key_of(index.AREA, found.sha256)).decode()
