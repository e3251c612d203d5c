"""The newest releases of all packages."""

from itertools import islice

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.releases import wire as release_wire
from chalicelib.contentdb.store import index, rows
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.contentdb.store.tables import ContentDbItem, Release, package_pk, release_sk
from chalicelib.contentdb.users import profiles
from chalicelib.core.catalogues.snapshots import Entry, Value
from chalicelib.core.errors import NotFound

LENGTH = 30


def newest(snapshot: ContentDbSnapshot, arguments: Arguments) -> list[Value]:
    """The 30 newest approved releases of approved packages, of an author or a maintainer if given. Raises NotFound."""
    for name in ("author", "maintainer"):
        if name in arguments and profiles.find_account(arguments.text(name)) is None:
            raise NotFound(f"{name.capitalize()} not found")
    return snapshot.lru_cached(("newest-releases", arguments.key), lambda snapshot: _newest(snapshot, arguments))


def _newest(snapshot: ContentDbSnapshot, arguments: Arguments) -> list[Value]:
    pairs = sorted((-release.id, row.key) for row in rows.of(snapshot).approved for release in row.releases)
    entries = zip(pairs, index.Found(snapshot, [key for _, key in pairs]), strict=True)
    wanted = ((-number, entry) for (number, _), entry in entries if _is_wanted(entry.value, arguments))
    found = list(islice(wanted, LENGTH))
    stored = _read(found)
    return [
        release_wire.render_with_package(snapshot, stored[number], entry.value)
        for number, entry in found
        if number in stored
    ]


def _is_wanted(value: PackageEntry, arguments: Arguments) -> bool:
    if "author" in arguments and value.author != arguments.text("author"):
        return False
    return "maintainer" not in arguments or arguments.text("maintainer") in (value.author, *value.maintainers)


def _read(pairs: list[tuple[int, Entry[PackageEntry]]]) -> dict[int, Release]:
    """Releases by id, in one call."""
    keys = [(package_pk(entry.value.id), release_sk(number)) for number, entry in pairs]
    items = ContentDbItem.batch_get(keys, consistent_read=True) if keys else ()
    return {int(item.id): item for item in items if isinstance(item, Release)}
