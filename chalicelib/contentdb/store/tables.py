"""ContentDB's items, all in one table. `pk`/`sk` of each stand in its docstring.

What belongs to one package shares its partition, `package#<id>`, so that one Query reads it whole (`index.load`).
What grows without end, such as daily statistics, has partitions of its own.
"""

from typing import Any

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    DiscriminatorAttribute,
    JSONAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)

from chalicelib import settings
from chalicelib.core.storage import Item, table_name

PACKAGE_TYPES = ("mod", "game", "txp")  # as clients see them; a package stores them in capitals


class ContentDbItem(Item):
    """Any item of ContentDB's table."""

    class Meta:
        table_name = table_name("contentdb")
        region = settings.current().region

    kind = DiscriminatorAttribute()


class Package(ContentDbItem, discriminator="package"):
    """A package. `package#<id>` / `package`; the name claim leads from `author/name` to its id.

    Usernames and names of licences, tags, warnings are as the reference data and the accounts write them.
    """

    id = NumberAttribute()
    author = UnicodeAttribute()
    author_id = NumberAttribute()
    name = UnicodeAttribute()
    type = UnicodeAttribute()  # MOD, GAME or TXP
    state = UnicodeAttribute(default="WIP")  # WIP, CHANGES_NEEDED, READY_FOR_REVIEW, APPROVED or DELETED
    dev_state = UnicodeAttribute(null=True)
    ai_disclosure = UnicodeAttribute(null=True)  # NONE, ASSISTED or GENERATED; None: not answered
    title = UnicodeAttribute()
    short_description = UnicodeAttribute(default="")
    long_description = UnicodeAttribute(null=True)
    license = UnicodeAttribute()
    media_license = UnicodeAttribute()
    repo = UnicodeAttribute(null=True)
    website = UnicodeAttribute(null=True)
    issue_tracker = UnicodeAttribute(null=True)
    forums = NumberAttribute(null=True)  # the forum topic's id
    video_url = UnicodeAttribute(null=True)
    donate_url = UnicodeAttribute(null=True)
    translation_url = UnicodeAttribute(null=True)
    tags: ListAttribute[str] = ListAttribute(default=list)
    content_warnings: ListAttribute[str] = ListAttribute(default=list)
    maintainers: ListAttribute[str] = ListAttribute(default=list)  # beside the author
    aliases: ListAttribute[str] = ListAttribute(default=list)  # other `author/name` that lead here
    provides: ListAttribute[str] = ListAttribute(default=list)  # mod names, from the newest release
    depends: ListAttribute[str] = ListAttribute(default=list)  # mod names or `author/name`
    optional_depends: ListAttribute[str] = ListAttribute(default=list)
    supports_all_games = BooleanAttribute(default=False)
    game_support = JSONAttribute(null=True)  # [{"game": "author/name", "supports": bool, "confidence": int}]
    translations = JSONAttribute(null=True)  # {"de": {"title": str, "short_description": str}}
    cover_image = NumberAttribute(null=True)  # a screenshot's id
    created_at = UTCDateTimeAttribute()
    approved_at = UTCDateTimeAttribute(null=True)

    @property
    def key(self) -> str:
        """`author/name`."""
        return f"{self.author}/{self.name}"


class Counters(ContentDbItem, discriminator="counters"):
    """What moves all the time, apart from the package so that no edit waits for it. `package#<id>` / `counters`.

    Updates are atomic; lists show them as of the last `index.refresh`.
    """

    downloads = NumberAttribute(default=0)
    views = NumberAttribute(default=0)
    score_downloads = NumberAttribute(default=0)
    score_reviews = NumberAttribute(default=0)
    positive = NumberAttribute(default=0)  # approved reviews, by rating, see reviews/counts.py
    neutral = NumberAttribute(default=0)
    negative = NumberAttribute(default=0)
    decayed_on = UnicodeAttribute(null=True)  # the last day on which the score of downloads shrank


class PackageName(ContentDbItem, discriminator="package-name"):
    """A name or alias that is taken, also by a deleted package. `package-name#<author>/<name>` / `package-name`."""

    package_id = NumberAttribute()


class Release(ContentDbItem, discriminator="release"):
    """A release. `package#<package id>` / `release#<id, 12 digits>`."""

    id = NumberAttribute()
    package_id = NumberAttribute()
    name = UnicodeAttribute()
    title = UnicodeAttribute()
    release_notes = UnicodeAttribute(null=True)
    state = UnicodeAttribute()  # PROCESSING, UNAPPROVED, APPROVED, FAILED or ARCHIVED
    file = UnicodeAttribute(null=True)  # the public file's name below /uploads/
    blob = UnicodeAttribute(null=True)
    size = NumberAttribute(default=0)  # bytes of the zip
    commit_hash = UnicodeAttribute(null=True)
    min_version = NumberAttribute(null=True)  # id of an engine version, see versions.py
    max_version = NumberAttribute(null=True)
    downloads = NumberAttribute(default=0)
    task_id = UnicodeAttribute(null=True)
    created_at = UTCDateTimeAttribute()


class ReleaseName(ContentDbItem, discriminator="release-name"):
    """A name or title that one release of a package has. `release-names#<package id>` / `name#...` or `title#...`."""

    release_id = NumberAttribute()


class PublicFile(ContentDbItem, discriminator="file"):
    """A public file. `file#<name without extension>` / `file`."""

    name = UnicodeAttribute()
    blob = UnicodeAttribute()
    size = NumberAttribute()
    thumbnails = JSONAttribute(null=True)  # an image's thumbnails that were asked for: {"2.png": blob}


class Screenshot(ContentDbItem, discriminator="screenshot"):
    """A screenshot. `package#<package id>` / `screenshot#<id, 12 digits>`."""

    id = NumberAttribute()
    package_id = NumberAttribute()
    order = NumberAttribute()
    title = UnicodeAttribute()
    file = UnicodeAttribute()  # the public file's name below /uploads/
    blob = UnicodeAttribute()
    size = NumberAttribute(default=0)  # bytes of the image
    width = NumberAttribute()
    height = NumberAttribute()
    approved = BooleanAttribute(default=False)
    created_at = UTCDateTimeAttribute()


class Task(ContentDbItem, discriminator="task"):
    """Work that a client may ask after. `task#<id>` / `task`."""

    status = UnicodeAttribute()  # PENDING, STARTED, PROGRESS, SUCCESS or FAILURE
    result = JSONAttribute(null=True)
    error = UnicodeAttribute(null=True)


class Seen(ContentDbItem, discriminator="seen"):
    """A client that came lately. `seen#<package id>#<keyed hash of the address>` / `download` or `view`."""

    until = NumberAttribute()  # epoch seconds


class PackageTally(ContentDbItem, discriminator="tally"):
    """What is counted and not booked yet. `tally#<shard>` / `<five minutes>#<package id>#<release id>`.

    The five minutes are told by their beginning, such as `2026-03-01T12:05`. `hits` counts everything, and tells
    whether there was more since it was read; `points` are halves.
    """

    hits = NumberAttribute()
    platform_minetest = NumberAttribute(null=True)
    platform_other = NumberAttribute(null=True)
    reason_new = NumberAttribute(null=True)
    reason_dependency = NumberAttribute(null=True)
    reason_update = NumberAttribute(null=True)
    views_luanti = NumberAttribute(null=True)
    downloads = NumberAttribute(null=True)
    points = NumberAttribute(null=True)


class Booked(ContentDbItem, discriminator="booked"):
    """A package with new counts that lists do not show yet. `booked` / `<package id>#<random>`."""


class DailyStats(ContentDbItem, discriminator="daily-stats"):
    """What was counted for one package on one day, UTC. `stats#<package id>` / `<date>`."""

    platform_minetest = NumberAttribute(default=0)
    platform_other = NumberAttribute(default=0)
    reason_new = NumberAttribute(default=0)
    reason_dependency = NumberAttribute(default=0)
    reason_update = NumberAttribute(default=0)
    views_luanti = NumberAttribute(default=0)


class MonthlyStats(ContentDbItem, discriminator="monthly-stats"):
    """The days of a month that is over, in place of their items. `stats#<package id>` / `<month, as 2026-03>`."""

    columns: Any = JSONAttribute()  # see statistics/series.py


class Compacted(ContentDbItem, discriminator="compacted"):
    """Up to which month statistics are compacted. `stats` / `compacted`."""

    until = UnicodeAttribute()


class UserStats(ContentDbItem, discriminator="user-stats"):
    """The months of all packages of a user, made from these. `user-stats#<username>` / `<month>`."""

    packed = BinaryAttribute(legacy_encoding=False)  # JSON in zlib: {package id: columns}


class Secret(ContentDbItem, discriminator="secret"):
    """A key of ours. `secret#<name>` / `secret`."""

    sealed = UnicodeAttribute()


class ReferenceSet(ContentDbItem, discriminator="reference"):
    """A set of reference data, such as all tags. `reference` / `<set>`."""

    rows: Any = JSONAttribute()


class Collection(ContentDbItem, discriminator="collection"):
    """Packages that somebody put together. `collection#<author>/<name>` / `collection`."""

    author = UnicodeAttribute()
    name = UnicodeAttribute()
    title = UnicodeAttribute()
    short_description = UnicodeAttribute(default="")
    long_description = UnicodeAttribute(null=True)
    private = BooleanAttribute(default=False)
    items = JSONAttribute()  # [{"package": id, "description": str | None, "created_at": iso}], in order
    created_at = UTCDateTimeAttribute()


class Review(ContentDbItem, discriminator="review"):
    """What one account thinks of one package. `reviews#<package id>` / `<account id>`, so that there is one of each."""

    id = NumberAttribute()
    package_id = NumberAttribute()
    author = UnicodeAttribute()
    author_id = NumberAttribute()
    rating = NumberAttribute()  # 1, 3 or 5
    title = UnicodeAttribute()
    comment = UnicodeAttribute()  # Markdown
    language = UnicodeAttribute(default="en")
    approved = BooleanAttribute(default=True)
    helpful = NumberAttribute(default=0)
    unhelpful = NumberAttribute(default=0)
    created_at = UTCDateTimeAttribute()


class ReviewVote(ContentDbItem, discriminator="review-vote"):
    """Whether a review helped somebody. `review-votes#<review id>` / `<account id>`."""

    is_helpful = BooleanAttribute()


class Profile(ContentDbItem, discriminator="profile"):
    """What an account says of itself. `profile#<account id>` / `profile`."""

    username = UnicodeAttribute()
    display_name = UnicodeAttribute(null=True)
    profile_pic_url = UnicodeAttribute(null=True)
    website_url = UnicodeAttribute(null=True)
    donate_url = UnicodeAttribute(null=True)
    github = UnicodeAttribute(null=True)  # a username there
    forums = UnicodeAttribute(null=True)


class Topics(ContentDbItem, discriminator="topics"):
    """The topics of the forum, as last imported. `topics` / `topics`."""

    blob = UnicodeAttribute()


def package_pk(package_id: int) -> str:
    """The partition of a package and what belongs to it."""
    return f"package#{int(package_id)}"


def release_sk(release_id: int) -> str:
    """The sort key of a release."""
    return f"release#{int(release_id):012d}"


def screenshot_sk(screenshot_id: int) -> str:
    """The sort key of a screenshot."""
    return f"screenshot#{int(screenshot_id):012d}"


def reviews_pk(package_id: int) -> str:
    """The partition of a package's reviews; they are long, and not read with the rest of it."""
    return f"reviews#{int(package_id)}"


def votes_pk(review_id: int) -> str:
    """The partition of a review's votes."""
    return f"review-votes#{int(review_id)}"


def name_pk(key: str) -> str:
    """The partition of a name or alias."""
    return f"package-name#{key}"
