"""Comments as stored: the conversation about an approval or a review is one partition, which one Query reads."""

from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.contentdb.store.moderation_tables import Closing, Comment, comment_sk, comments_pk
from chalicelib.contentdb.store.tables import ContentDbItem
from chalicelib.core import ids
from chalicelib.core.caller import Caller
from chalicelib.core.storage import Transaction


@dataclass(frozen=True)
class Conversation:
    """The comments on a subject, oldest first; `closing` is set while it is closed."""

    subject: str
    comments: list[Comment]
    closing: Closing | None


def of_package(package_id: int) -> str:
    """The subject of the conversation about a package's approval."""
    return f"package#{int(package_id)}"


def of_review(review_id: int) -> str:
    """The subject of the conversation about a review."""
    return f"review#{int(review_id)}"


def load(subject: str) -> Conversation:
    """The conversation about a subject; without comments it is empty."""
    items = list(ContentDbItem.query(comments_pk(subject), consistent_read=True))
    closing = next((item for item in items if isinstance(item, Closing)), None)
    return Conversation(subject, [item for item in items if isinstance(item, Comment)], closing)


def add(writes: Transaction, subject: str, by: Caller | None, text: str, step: str | None = None) -> Comment:
    """Add a comment; `by` None is the administrator, who has no name."""
    number = ids.reserve("contentdb-comment")
    comment = Comment(
        comments_pk(subject),
        comment_sk(number),
        id=number,
        author=by.account.username if by else "",
        author_id=int(by.account.id) if by else 0,
        text=text,
        step=step,
        created_at=datetime.now(UTC),
    )
    writes.create(comment)
    return comment
