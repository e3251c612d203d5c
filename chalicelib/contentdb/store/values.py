"""The entries of the catalogue, made from stored items."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.contentdb.entry import (
    CollectionEntry,
    CollectionItem,
    GameSupport,
    PackageEntry,
    ProfileEntry,
    ReleaseInfo,
    ScreenshotInfo,
)
from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.scores import with_reviews
from chalicelib.contentdb.store.tables import Collection, Package, Profile, Release, Screenshot

_COPIED = tuple(name for name in PackageEntry.__struct_fields__ if name in Package.get_attributes())
PROFILE = ("display_name", "profile_pic_url", "website_url", "donate_url", "github", "forums")


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
    return with_reviews(PackageEntry(**{**copied, **derived}), parts.counters)


def _plain(value: Any) -> Any:
    """An attribute of a package in the type of its entry."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, float):  # a NumberAttribute
        return int(value)
    return tuple(value) if isinstance(value, list) else value


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
