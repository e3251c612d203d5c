"""The entries of ContentDB's catalogues. A new field is appended with a default, and raises the catalogue's shape.

Dates are ISO 8601 in UTC without a zone, as the API shows them.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.core.catalogues.entries import Struct
from chalicelib.core.catalogues.snapshots import Snapshot


class ReleaseInfo(Struct):
    """An APPROVED release, with the fields to select one. `min` and `max` are ids of engine versions."""

    id: int
    min: int | None
    max: int | None
    file: str | None
    size: int  # bytes
    created_at: str


class ScreenshotInfo(Struct):
    """An approved screenshot."""

    id: int
    file: str
    title: str
    size: int  # bytes
    created_at: str


class GameSupport(Struct):
    """Support of a game, `author/name`, with its confidence: 1 detected, 10 by a conf file, 11 set by hand."""

    game: str
    supports: bool
    confidence: int


class PackageEntry(Struct, tag_field="kind", tag="package"):
    """A package in any state but DELETED, with the fields of its releases and screenshots that lists need."""

    id: int
    author: str
    name: str
    type: str  # mod, game or txp
    state: str
    dev_state: str | None
    ai_disclosure: str | None
    title: str
    short_description: str
    long_description: str | None
    license: str
    media_license: str
    repo: str | None
    website: str | None
    issue_tracker: str | None
    forums: int | None
    video_url: str | None
    donate_url: str | None
    translation_url: str | None
    tags: tuple[str, ...]
    content_warnings: tuple[str, ...]
    maintainers: tuple[str, ...]  # in addition to the author
    aliases: tuple[str, ...]  # author/name
    provides: tuple[str, ...]
    depends: tuple[str, ...]
    optional_depends: tuple[str, ...]
    supports_all_games: bool | None
    game_support: tuple[GameSupport, ...]
    translations: Mapping[str, Mapping[str, str | None]]  # language -> title, short_description
    created_at: str
    approved_at: str | None
    releases: tuple[ReleaseInfo, ...]  # highest id first
    screenshots: tuple[ScreenshotInfo, ...]  # in their order; the first one is the thumbnail
    cover_image: int | None
    downloads: int = 0  # this field and the next one are unused in the catalogue, see store/popularity.py
    score_downloads: float = 0.0
    score_reviews: float = 0.0
    reviews: tuple[int, int, int] = (0, 0, 0)  # positive, neutral, negative


class ReferenceEntry(Struct, tag_field="kind", tag="reference"):
    """The rows of one set of reference data, such as `tags`."""

    rows: tuple[Mapping[str, Any], ...]


class CollectionItem(Struct):
    """A package in a collection, by its id."""

    package: int
    description: str | None
    created_at: str


class CollectionEntry(Struct, tag_field="kind", tag="collection"):
    """A collection of packages, public or private."""

    author: str
    name: str
    title: str
    short_description: str
    long_description: str | None
    private: bool
    items: tuple[CollectionItem, ...]
    created_at: str


class ProfileEntry(Struct, tag_field="kind", tag="profile"):
    """A user's profile."""

    display_name: str | None = None
    profile_pic_url: str | None = None
    website_url: str | None = None
    donate_url: str | None = None
    github: str | None = None
    forums: str | None = None


class TopicsEntry(Struct, tag_field="kind", tag="topics"):
    """The blob of the forum's topics."""

    blob: str


class ReviewEntry(Struct):
    """The fields of a review by which lists filter; comments and votes are only in the items."""

    package: int
    author: str
    author_id: int
    rating: int
    title: str
    approved: bool


ContentDbEntry = PackageEntry | ReferenceEntry | CollectionEntry | ProfileEntry | TopicsEntry
KINDS = (PackageEntry, ReferenceEntry, CollectionEntry, ProfileEntry, TopicsEntry)
ContentDbSnapshot = Snapshot[ContentDbEntry]
