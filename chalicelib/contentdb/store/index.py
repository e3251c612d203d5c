"""ContentDB's catalogue, for lists, searches, reads and updates. entry.py has the types of its entries.

One snapshot holds five kinds of entries, so a request needs one call for all of them:

- `author/name`: a package in any state but DELETED. Lists show those that are APPROVED (`approved`).
- `reference#<set>`: the rows of one set of reference data.
- `collection#author/name`: a collection.
- `user#username`: the profile of a user.
- `topics#all`: the blob with the forum's topics.

Only `publish` changes a package. It reads the package with its counters, releases and screenshots (`Parts`), calls a
rule that changes the parts and adds the same changes to the transaction, and derives the entry from the parts. So
rules, such as the approval of a release, read current data, never an older entry.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

from chalicelib.contentdb.entry import (
    KINDS,
    CollectionEntry,
    ContentDbEntry,
    ContentDbSnapshot,
    PackageEntry,
    ProfileEntry,
    ReferenceEntry,
    TopicsEntry,
)
from chalicelib.contentdb.store import rows, support_jobs, waiting
from chalicelib.contentdb.store.parts import Parts, gather, load_parts
from chalicelib.contentdb.store.tables import (
    Collection,
    ContentDbItem,
    Counters,
    Package,
    PackageName,
    Profile,
    ReferenceSet,
    Release,
    Screenshot,
    Topics,
    name_pk,
    package_pk,
)
from chalicelib.contentdb.store.values import collection_value, profile_value, value_of
from chalicelib.core.catalogues.catalogue import Catalogue, Changes
from chalicelib.core.catalogues.entries import R
from chalicelib.core.catalogues.snapshots import Entry, Selection, Snapshot
from chalicelib.core.errors import NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.storage import Transaction

TOPICS = "topics#all"
K = TypeVar("K")
Decision = Callable[[Parts, Transaction, ContentDbSnapshot], R]


def find(snapshot: ContentDbSnapshot, key: str) -> Entry[PackageEntry] | None:
    """A package by its `author/name`, in any state but DELETED."""
    entry = snapshot.entries.get(key)
    return cast(Entry[PackageEntry], entry) if entry and isinstance(entry.value, PackageEntry) else None


def find_id(snapshot: ContentDbSnapshot, key: str) -> int:
    """The id of a package, also of a deleted one; raises NotFound."""
    if entry := find(snapshot, key):
        return entry.value.id
    if claim := PackageName.find(name_pk(key), "package-name"):
        return int(claim.package_id)
    raise NotFound("There is no such package.")


def publish(author: str, name: str, decide: Decision[R]) -> tuple[Parts, R]:
    """Change a package, its parts, and its entry in one transaction.

    `decide` gets the parts, a transaction and the newest snapshot; it changes the parts **and** adds the same writes to
    the transaction. It is called again, with fresh parts, after a concurrent publish. It may raise. Returns the
    changed parts and the result of the committed call. Raises NotFound.
    """

    def decide_all(snapshot: ContentDbSnapshot, writes: Transaction) -> tuple[Changes[ContentDbEntry], tuple[Parts, R]]:
        parts = load_parts(find_id(snapshot, f"{author}/{name}"))
        waited = waiting.of_parts(parts)
        result = decide(parts, writes, snapshot)
        waiting.update(writes, waited, waiting.of_parts(parts))
        changes = _changes(snapshot, f"{author}/{name}", parts)
        if changes:
            before, after = (
                find(snapshot, f"{author}/{name}"),
                cast(PackageEntry | None, changes.get(parts.package.key)),
            )
            support_jobs.enqueue_after(writes, before.value if before else None, after)
        return changes, (parts, result)

    return catalogue.publish(decide_all)[1]


class Found(Selection[PackageEntry]):
    """Packages by their keys; each is decoded when it is read."""

    def __init__(self, snapshot: ContentDbSnapshot, keys: Sequence[str]) -> None:
        super().__init__(cast(Snapshot[PackageEntry], snapshot), keys)


class FoundBy(Mapping[K, Entry[PackageEntry]]):
    """Packages by another name than their keys; each is decoded when it is read."""

    def __init__(self, snapshot: ContentDbSnapshot, keys: Mapping[K, str]) -> None:
        self._entries = snapshot.entries
        self._keys = keys

    def __getitem__(self, name: K) -> Entry[PackageEntry]:
        return cast(Entry[PackageEntry], self._entries[self._keys[name]])

    def __contains__(self, name: object) -> bool:
        return name in self._keys

    def __iter__(self) -> Iterator[K]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def approved(snapshot: ContentDbSnapshot) -> Found:
    """The packages that lists show, best score first. Lists that filter or sort read their rows instead."""
    return Found(snapshot, rows.of(snapshot).approved.keys)


def by_id(snapshot: ContentDbSnapshot) -> FoundBy[int]:
    """The packages by their ids, in every state but DELETED."""
    return FoundBy(snapshot, rows.of(snapshot).by_id)


def authors(snapshot: ContentDbSnapshot) -> frozenset[str]:
    """The usernames of authors with packages."""
    return rows.of(snapshot).authors


def by_alias(snapshot: ContentDbSnapshot) -> FoundBy[str]:
    """The packages by their aliases."""
    return FoundBy(snapshot, rows.of(snapshot).by_alias)


def entities() -> Iterator[tuple[str, ContentDbEntry]]:
    """Every entry, read from the table."""
    partitions: dict[str, list[ContentDbItem]] = defaultdict(list)
    for item in ContentDbItem.scan(consistent_read=True):
        if isinstance(item, ReferenceSet):
            yield f"reference#{item.sk}", ReferenceEntry(rows=tuple(item.rows))
        elif isinstance(item, Collection):
            yield item.pk, collection_value(item)
        elif isinstance(item, Profile):
            yield f"user#{item.username}", profile_value(item)
        elif isinstance(item, Topics):
            yield TOPICS, TopicsEntry(blob=item.blob)
        elif isinstance(item, Package | Counters | Release | Screenshot):
            partitions[item.pk].append(item)
    gathered = [parts for items in partitions.values() if (parts := gather(items))]
    for parts in sorted(gathered, key=lambda parts: int(parts.package.id)):
        if parts.package.state != "DELETED":
            yield parts.package.key, value_of(parts)


def reload(key: str, entry: ContentDbEntry) -> ContentDbEntry | None:
    """One entry, read from the table; None if it was deleted or has another key."""
    if isinstance(entry, PackageEntry):
        parts = gather(ContentDbItem.query(package_pk(entry.id), consistent_read=True))
        found = parts is not None and parts.package.state != "DELETED" and parts.package.key == key
        return value_of(parts) if parts and found else None
    if isinstance(entry, ReferenceEntry):
        rows = ReferenceSet.find("reference", key.removeprefix("reference#"))
        return ReferenceEntry(rows=tuple(rows.rows)) if rows else None
    if isinstance(entry, CollectionEntry):
        collection = Collection.find(key, "collection")
        return collection_value(collection) if collection else None
    if isinstance(entry, TopicsEntry):
        topics = Topics.find("topics", "topics")
        return TopicsEntry(blob=topics.blob) if topics else None
    account = accounts.find(key.removeprefix("user#"))
    profile = Profile.find(f"profile#{int(account.id)}", "profile") if account else None
    return profile_value(profile) if profile else None


def collection_of(snapshot: ContentDbSnapshot, key: str) -> CollectionEntry | None:
    """A collection by its key, `collection#author/name`."""
    entry = snapshot.entries.get(key)
    return entry.value if entry and isinstance(entry.value, CollectionEntry) else None


def collections(snapshot: ContentDbSnapshot) -> dict[str, CollectionEntry]:
    """All collections by their keys, private ones too."""
    return {key: entry.value for key, entry in snapshot.entries.items() if isinstance(entry.value, CollectionEntry)}


def profile_of(snapshot: ContentDbSnapshot, username: str) -> ProfileEntry:
    """The profile of a user; an empty one if none is stored."""
    entry = snapshot.entries.get(f"user#{username}")
    return entry.value if entry and isinstance(entry.value, ProfileEntry) else ProfileEntry()


def display_name(snapshot: ContentDbSnapshot, username: str) -> str:
    """The name of a user for display."""
    return profile_of(snapshot, username).display_name or username


def topics_blob(snapshot: ContentDbSnapshot) -> str | None:
    """The key of the blob with the forum's topics; None before the first import."""
    entry = snapshot.entries.get(TOPICS)
    return entry.value.blob if entry and isinstance(entry.value, TopicsEntry) else None


def _changes(snapshot: ContentDbSnapshot, key: str, parts: Parts) -> Changes[ContentDbEntry]:
    """The changes of entries that follow from a changed package; empty if its entry stays the same."""
    package = parts.package
    changes: Changes[ContentDbEntry] = {}
    if key in snapshot.entries and (package.key != key or package.state == "DELETED"):
        changes[key] = None
    if package.state != "DELETED":
        value, before = value_of(parts), snapshot.entries.get(package.key)
        if before is None or before.value != value:
            changes[package.key] = value
    return changes


catalogue: Catalogue[ContentDbEntry] = Catalogue("contentdb", KINDS, shape=2, entities=entities, reload=reload)
catalogue.keep(rows.ROWS)
