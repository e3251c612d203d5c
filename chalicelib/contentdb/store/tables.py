"""ContentDB's items, all in one table. The docstring of each class has its `pk`/`sk`.

The items of one package share its partition, `package#<id>`, so that one Query reads them (`load_parts`). Items whose
number grows without limit, such as daily statistics, have partitions of their own.
"""

from typing import Any

from pynamodb.attributes import (
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

PACKAGE_TYPES = ("mod", "game", "txp")  # as in the API; a package stores them in capitals


class ContentDbItem(Item):
    """Any item of ContentDB's table."""

    class Meta:
        table_name = table_name("contentdb")
        region = settings.current().region

    kind = DiscriminatorAttribute()


class Package(ContentDbItem, discriminator="package"):
    """A package. `package#<id>` / `package`; the claim of its name maps `author/name` to its id.

    Usernames and names of licences, tags and warnings are written as in the accounts and the reference data.
    """

    id = NumberAttribute()
    author = UnicodeAttribute()
    author_id = NumberAttribute()
    name = UnicodeAttribute()
    type = UnicodeAttribute()  # MOD, GAME or TXP
    state = UnicodeAttribute(default="WIP")  # WIP, CHANGES_NEEDED, READY_FOR_REVIEW, APPROVED or DELETED
    dev_state = UnicodeAttribute(null=True)
    ai_disclosure = UnicodeAttribute(null=True)  # NONE, ASSISTED or GENERATED; None: no answer
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
    maintainers: ListAttribute[str] = ListAttribute(default=list)  # in addition to the author
    aliases: ListAttribute[str] = ListAttribute(default=list)  # other `author/name` of the package
    provides: ListAttribute[str] = ListAttribute(default=list)  # mod names, from the newest release
    depends: ListAttribute[str] = ListAttribute(default=list)  # mod names or `author/name`
    optional_depends: ListAttribute[str] = ListAttribute(default=list)
    supports_all_games = BooleanAttribute(default=False)
    game_support = JSONAttribute(null=True)  # [{"game": "author/name", "supports": bool, "confidence": int}]
    translations = JSONAttribute(null=True)  # {"de": {"title": str, "short_description": str}}
    cover_image = NumberAttribute(null=True)  # a screenshot's id
    created_at = UTCDateTimeAttribute()
    submitted_at = UTCDateTimeAttribute(null=True)  # the last time for approval
    approved_at = UTCDateTimeAttribute(null=True)
    changed = JSONAttribute(null=True)  # metadata since the last approval, see waiting.changes_of

    @property
    def key(self) -> str:
        """`author/name`."""
        return f"{self.author}/{self.name}"


class Counters(ContentDbItem, discriminator="counters"):
    """The counters of a package, separate so that edits do not conflict with them. `package#<id>` / `counters`.

    Updates are atomic; lists show the published downloads and points, see store/popularity.py.
    """

    downloads = NumberAttribute(default=0)
    views = NumberAttribute(default=0)
    score_downloads = NumberAttribute(default=0)  # the points for downloads, as of `decayed_on`
    score_reviews = NumberAttribute(default=0)
    positive = NumberAttribute(default=0)  # approved reviews, by rating, see reviews/counts.py
    neutral = NumberAttribute(default=0)
    negative = NumberAttribute(default=0)
    decayed_on = UnicodeAttribute(null=True)  # a date; None: points of an older version


class PackageName(ContentDbItem, discriminator="package-name"):
    """The claim of a name or alias, also of a deleted package. `package-name#<author>/<name>` / `package-name`."""

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
    error = UnicodeAttribute(null=True)  # of its check
    warnings: ListAttribute[str] = ListAttribute(null=True)  # of its check
    created_at = UTCDateTimeAttribute()


class ReleaseName(ContentDbItem, discriminator="release-name"):
    """The claim of a release's name or title, or of the commit of one that was made automatically.

    `release-names#<package id>` / `name#...`, `title#...` or `commit#...`.
    """

    release_id = NumberAttribute()


class PublicFile(ContentDbItem, discriminator="file"):
    """A public file. `file#<name without extension>` / `file`."""

    name = UnicodeAttribute()
    blob = UnicodeAttribute()
    size = NumberAttribute()
    thumbnails = JSONAttribute(null=True)  # an image's cached thumbnails: {"2.png": blob}


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
    """A task whose progress clients can request. `task#<id>` / `task`."""

    status = UnicodeAttribute()  # PENDING, STARTED, PROGRESS, SUCCESS or FAILURE
    result = JSONAttribute(null=True)
    error = UnicodeAttribute(null=True)


class ReferenceSet(ContentDbItem, discriminator="reference"):
    """A set of reference data, such as all tags. `reference` / `<set>`."""

    rows: Any = JSONAttribute()


class Collection(ContentDbItem, discriminator="collection"):
    """A collection of packages. `collection#<author>/<name>` / `collection`."""

    author = UnicodeAttribute()
    name = UnicodeAttribute()
    title = UnicodeAttribute()
    short_description = UnicodeAttribute(default="")
    long_description = UnicodeAttribute(null=True)
    private = BooleanAttribute(default=False)
    items = JSONAttribute()  # [{"package": id, "description": str | None, "created_at": iso}], in order
    created_at = UTCDateTimeAttribute()


class Review(ContentDbItem, discriminator="review"):
    """An account's review of a package. `reviews#<package id>` / `<account id>`, so that there is only one of each."""

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
    comments = NumberAttribute(default=0)
    created_at = UTCDateTimeAttribute()


class ReviewVote(ContentDbItem, discriminator="review-vote"):
    """A vote on a review. `review-votes#<review id>` / `<account id>`."""

    is_helpful = BooleanAttribute()


class Profile(ContentDbItem, discriminator="profile"):
    """An account's profile. `profile#<account id>` / `profile`."""

    username = UnicodeAttribute()
    display_name = UnicodeAttribute(null=True)
    profile_pic_url = UnicodeAttribute(null=True)
    website_url = UnicodeAttribute(null=True)
    donate_url = UnicodeAttribute(null=True)
    github = UnicodeAttribute(null=True)  # a username on GitHub
    forums = UnicodeAttribute(null=True)


class Topics(ContentDbItem, discriminator="topics"):
    """The last import of the forum's topics. `topics` / `topics`."""

    blob = UnicodeAttribute()


class HookToken(ContentDbItem, discriminator="hook-token"):
    """A token that also signs webhooks, with its secret. `package#<package id>` / `hook-token#<credential id>`."""

    account_id = NumberAttribute()
    sealed = UnicodeAttribute()


class UpdateCheck(ContentDbItem, discriminator="update-check"):
    """How a package's repository is checked for updates, and the state. `package#<package id>` / `update-check`.

    Hashes of commits are in hexadecimal.
    """

    package_id = NumberAttribute()
    account_id = NumberAttribute()  # whose releases it makes
    trigger = UnicodeAttribute()  # COMMIT or TAG
    ref = UnicodeAttribute(null=True)  # a branch; None: the default one
    make_release = BooleanAttribute(default=True)
    last_commit = UnicodeAttribute(null=True)  # that was found or released
    last_tag = UnicodeAttribute(null=True)
    outdated_at = UTCDateTimeAttribute(null=True)  # when an update was found that has no release
    last_checked_at = UTCDateTimeAttribute(null=True)
    failures = NumberAttribute(default=0)  # in sequence
    error = UnicodeAttribute(null=True)  # of the last check


class UpdateDue(ContentDbItem, discriminator="update-due"):
    """When a package is checked for updates next. `updates-due` / `<package id>`."""

    due_at = NumberAttribute()  # epoch seconds


def package_pk(package_id: int) -> str:
    """The partition of a package and its parts."""
    return f"package#{int(package_id)}"


def release_sk(release_id: int) -> str:
    """The sort key of a release."""
    return f"release#{int(release_id):012d}"


def screenshot_sk(screenshot_id: int) -> str:
    """The sort key of a screenshot."""
    return f"screenshot#{int(screenshot_id):012d}"


def reviews_pk(package_id: int) -> str:
    """The partition of a package's reviews; they are long, and not read with the package."""
    return f"reviews#{int(package_id)}"


def votes_pk(review_id: int) -> str:
    """The partition of a review's votes."""
    return f"review-votes#{int(review_id)}"


def name_pk(key: str) -> str:
    """The partition of a name or alias."""
    return f"package-name#{key}"
