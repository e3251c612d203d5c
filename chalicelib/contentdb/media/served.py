"""The files that ContentDB serves, for the verification of the transparency log."""

from collections.abc import Iterator

from chalicelib.contentdb.store.tables import ContentDbItem, Package, Release, Screenshot
from chalicelib.core import blobs
from chalicelib.core.declaration import ServedFile


def served_files() -> Iterator[ServedFile]:
    """The zip of every release and every screenshot of packages that are not deleted."""
    keys: dict[int, str] = {}
    found: list[Release | Screenshot] = []
    for item in ContentDbItem.scan(consistent_read=True):
        if isinstance(item, Package) and item.state != "DELETED":
            keys[int(item.id)] = item.key
        elif isinstance(item, Release | Screenshot) and item.file and item.blob:
            found.append(item)
    for file in found:
        if key := keys.get(int(file.package_id)):
            yield ServedFile(key, str(file.file), blobs.sha256_of(str(file.blob)), str(file.blob))
