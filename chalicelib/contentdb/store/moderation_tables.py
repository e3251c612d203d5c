"""The items of moderation, in ContentDB's table. The docstring of each class has its `pk`/`sk`."""

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.contentdb.store.tables import ContentDbItem

QUEUE = "queue"


class Waiting(ContentDbItem, discriminator="waiting"):
    """Something that waits for moderators. `queue` / `<kind>#<id>`, where the kind is that of the thing.

    It exists as long as the thing waits, so that one Query returns the queue.
    """

    thing = UnicodeAttribute()  # package, screenshot, review or report
    id = NumberAttribute()
    package = UnicodeAttribute(null=True)  # author/name
    title = UnicodeAttribute()
    author = UnicodeAttribute()  # the username of the package's, review's or report's author
    since = UTCDateTimeAttribute()
    found: JSONAttribute = JSONAttribute(null=True)  # a package's check: {"release", "error", "warnings"}
    changed: JSONAttribute = JSONAttribute(null=True)  # a package's metadata: {field: [before, after]}


class Comment(ContentDbItem, discriminator="comment"):
    """A comment on an approval or a review. `comments#package#<id>` or `comments#review#<id>` / `<id, 12 digits>`."""

    id = NumberAttribute()
    author = UnicodeAttribute()
    author_id = NumberAttribute()
    text = UnicodeAttribute()  # Markdown
    step = UnicodeAttribute(null=True)  # the change of the package's state with which it was written: approve, ...
    created_at = UTCDateTimeAttribute()


class Closing(ContentDbItem, discriminator="closing"):
    """Present while a conversation is closed. `comments#...` / `closed`."""

    by = UnicodeAttribute()
    at = UTCDateTimeAttribute()


class AbuseReport(ContentDbItem, discriminator="report"):
    """A report of abuse. `report#<id>` / `report`."""

    id = NumberAttribute()
    category = UnicodeAttribute()
    url = UnicodeAttribute(null=True)
    title = UnicodeAttribute()
    message = UnicodeAttribute()
    author = UnicodeAttribute()
    author_id = NumberAttribute()
    created_at = UTCDateTimeAttribute()
    outcome = UnicodeAttribute(null=True)  # of a closed report
    answer = UnicodeAttribute(null=True)
    closed_by = UnicodeAttribute(null=True)
    closed_at = UTCDateTimeAttribute(null=True)


def comments_pk(subject: str) -> str:
    """The partition of a conversation; `subject` is `package#<id>` or `review#<id>`."""
    return f"comments#{subject}"


def comment_sk(comment_id: int) -> str:
    """The sort key of a comment."""
    return f"{int(comment_id):012d}"


def report_pk(report_id: int) -> str:
    """The partition of a report."""
    return f"report#{int(report_id)}"
