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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from chalicelib.contentdb.entry import (
    KINDS,
    CollectionEntry,
    CollectionItem,
    ContentDbEntry,
    ContentDbSnapshot,
    GameSupport,
    PackageEntry,
    ProfileEntry,
    ReferenceEntry,
    ReleaseInfo,
    ScreenshotInfo,
    TopicsEntry,
)
from chalicelib.contentdb.store import popularity, rows
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
from chalicelib.core.catalogues.catalogue import Catalogue, Changes
from chalicelib.core.catalogues.entries import R, replace
from chalicelib.core.catalogues.snapshots import Entry, Selected, Snapshot
from chalicelib.core.errors import NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.storage import Transaction

TOPICS = "topics#all"
K = TypeVar("K")


@dataclass
class Parts:
    """A package with everything in its partition, as stored; releases and screenshots by id."""

    package: Package
    counters: Counters
    releases: dict[int, Release] = field(default_factory=dict)
    screenshots: dict[int, Screenshot] = field(default_factory=dict)


_COPIED = tuple(name for name in PackageEntry.__struct_fields__ if name in Package.get_attributes())
PROFILE = ("display_name", "profile_pic_url", "website_url", "donate_url", "github", "forums")
Decision = Callable[[Parts, Transaction, ContentDbSnapshot], R]


def load(package_id: int) -> Parts:
    """The parts of a package, in one strongly consistent Query; raises NotFound."""
    parts = _gather(ContentDbItem.query(package_pk(package_id), consistent_read=True))
    if parts is None:
        raise NotFound("There is no such package.")
    return parts


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
        parts = load(find_id(snapshot, f"{author}/{name}"))
        result = decide(parts, writes, snapshot)
        return _changes(snapshot, f"{author}/{name}", parts), (parts, result)

    return catalogue.publish(decide_all)[1]


class Found(Selected[PackageEntry]):
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
    return Found(snapshot, [row.key for row in rows.of(snapshot).approved])


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
    gathered = [parts for items in partitions.values() if (parts := _gather(items))]
    for parts in sorted(gathered, key=lambda parts: int(parts.package.id)):
        if parts.package.state != "DELETED":
            yield parts.package.key, value_of(parts)


def reload(key: str, entry: ContentDbEntry) -> ContentDbEntry | None:
    """One entry, read from the table; None if it was deleted or has another key."""
    if isinstance(entry, PackageEntry):
        parts = _gather(ContentDbItem.query(package_pk(entry.id), consistent_read=True))
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


def value_of(parts: Parts) -> PackageEntry:
    """A package's entry."""
    package = parts.package
    screenshots = sorted(parts.screenshots.values(), key=lambda shot: (shot.order, shot.id))
    releases = sorted(parts.releases.values(), key=lambda release: -release.id)
    derived = {
        "type": package.type.lower(),
        "tags": tuple(sorted(package.tags)),
        "content_warnings": tuple(sorted(package.content_warnings)),
        "provides": tuple(sorted(package.provides)),
        "game_support": tuple(_game_support(row) for row in package.game_support or ()),
        "translations": package.translations or {},
        "releases": tuple(_release(release) for release in releases if release.state == "APPROVED"),
        "screenshots": tuple(_screenshot(shot) for shot in screenshots if shot.approved),
    }
    copied = {name: _plain(getattr(package, name)) for name in _COPIED}
    return _with_reviews(PackageEntry(**{**copied, **derived}), parts.counters)


def _plain(value: Any) -> Any:
    """An attribute of a package in the type of its entry."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, float):  # a NumberAttribute
        return int(value)
    return tuple(value) if isinstance(value, list) else value


def with_counters(entry: PackageEntry, counters: Counters) -> PackageEntry:
    """The entry with these counters, for a response."""
    counts = popularity.counts_of(counters)
    points = counts.points_on(popularity.today().toordinal())
    return replace(_with_reviews(entry, counters), downloads=counts.downloads, score_downloads=points)


def _with_reviews(entry: PackageEntry, counters: Counters) -> PackageEntry:
    """The entry with the counters of reviews, which change with it."""
    return replace(
        entry,
        score_reviews=float(counters.score_reviews),
        reviews=(int(counters.positive), int(counters.neutral), int(counters.negative)),
    )


def counted(value: PackageEntry) -> PackageEntry:
    """The entry with the published counters, for lists."""
    counts = popularity.of(value.id)
    points = counts.points_on(popularity.today().toordinal())
    return replace(value, downloads=counts.downloads, score_downloads=points)


def current(package: Entry[PackageEntry]) -> PackageEntry:
    """The entry with the stored counters."""
    counters = Counters.find(package_pk(package.value.id), "counters")
    return with_counters(package.value, counters) if counters else package.value


def score(package: PackageEntry) -> float:
    """The score by which lists are ordered, of an entry with its counters."""
    return package.score_downloads + package.score_reviews


def collection_value(collection: Collection) -> CollectionEntry:
    """A collection's entry."""
    return CollectionEntry(
        author=collection.author,
        name=collection.name,
        title=collection.title,
        short_description=collection.short_description,
        long_description=collection.long_description,
        private=collection.private,
        items=tuple(
            CollectionItem(package=int(item["package"]), description=item["description"], created_at=item["created_at"])
            for item in collection.items
        ),
        created_at=iso(collection.created_at),
    )


def collection_of(snapshot: ContentDbSnapshot, key: str) -> CollectionEntry | None:
    """A collection by its key, `collection#author/name`."""
    entry = snapshot.entries.get(key)
    return entry.value if entry and isinstance(entry.value, CollectionEntry) else None


def collections(snapshot: ContentDbSnapshot) -> dict[str, CollectionEntry]:
    """All collections by their keys, private ones too."""
    return {key: entry.value for key, entry in snapshot.entries.items() if isinstance(entry.value, CollectionEntry)}


def profile_value(profile: Profile) -> ProfileEntry:
    """A profile's entry."""
    return ProfileEntry(
        display_name=profile.display_name,
        profile_pic_url=profile.profile_pic_url,
        website_url=profile.website_url,
        donate_url=profile.donate_url,
        github=profile.github,
        forums=profile.forums,
    )


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


def iso(moment: datetime) -> str:
    """A date in ContentDB's format, in UTC: `2026-11-21T01:07:14.252154`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def _release(release: Release) -> ReleaseInfo:
    return ReleaseInfo(
        id=int(release.id),
        min=int(release.min_version) if release.min_version is not None else None,
        max=int(release.max_version) if release.max_version is not None else None,
        file=release.file,
        size=int(release.size),
        created_at=iso(release.created_at),
    )


def _screenshot(shot: Screenshot) -> ScreenshotInfo:
    return ScreenshotInfo(
        id=int(shot.id), file=shot.file, title=shot.title, size=int(shot.size), created_at=iso(shot.created_at)
    )


def _game_support(row: Mapping[str, Any]) -> GameSupport:
    return GameSupport(game=row["game"], supports=row["supports"], confidence=int(row["confidence"]))


def _gather(items: Iterable[ContentDbItem]) -> Parts | None:
    """The parts among the items of one partition; None without a package."""
    package, counters = None, None
    releases, screenshots = {}, {}
    for item in items:
        if isinstance(item, Package):
            package = item
        elif isinstance(item, Counters):
            counters = item
        elif isinstance(item, Release):
            releases[int(item.id)] = item
        elif isinstance(item, Screenshot):
            screenshots[int(item.id)] = item
    if package is None:
        return None
    return Parts(package, counters or Counters(package.pk, "counters"), releases, screenshots)


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
