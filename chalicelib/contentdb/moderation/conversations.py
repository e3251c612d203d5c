"""Conversations: comments on a package's approval, by its people and approvers; and on a review, in public."""

from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.contentdb.reviews.lifecycle import check_rate
from chalicelib.contentdb.store import comments, history, links, notices
from chalicelib.contentdb.store.comments import Conversation
from chalicelib.contentdb.store.moderation_tables import Closing, Comment, comments_pk
from chalicelib.contentdb.store.permissions import at_least, is_maintainer
from chalicelib.contentdb.store.tables import Package, Review
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, NotFound
from chalicelib.core.storage import Transaction

MOST = 500  # comments of a conversation
RATE_LIMITS = ((4, 60), (20, 3600))


@dataclass(frozen=True)
class ConversationSubject:
    """What a conversation is about: the approval of a package or, with a review, the review."""

    package: Package
    review: Review | None = None

    @property
    def key(self) -> str:
        """The subject of the stored conversation."""
        return comments.of_review(int(self.review.id)) if self.review else comments.of_package(int(self.package.id))

    @property
    def title(self) -> str:
        """The subject in a sentence."""
        return f"a review of {self.package.key}" if self.review else f"the approval of {self.package.key}"

    @property
    def people(self) -> list[str]:
        """The usernames of those whom it concerns."""
        return [*([self.review.author] if self.review else []), *notices.people_of(self.package)]


def read(subject: ConversationSubject, caller: Caller | None) -> Conversation:
    """A conversation. Raises NotFound if the caller can see neither the approval nor the pending review."""
    _require_may_see(subject, caller)
    return comments.load(subject.key)


def write(subject: ConversationSubject, caller: Caller, text: str) -> Comment:
    """Write a comment, and notify the others. Raises NotFound, Forbidden, Conflict or TooMany."""
    _require_may_see(subject, caller)
    if not at_least(caller.account, "NEW_MEMBER"):
        raise Forbidden("You don't have permission to comment")
    links.refuse_blocked({"comment": text})
    known = comments.load(subject.key)
    if known.closing and not at_least(caller.account, "MODERATOR"):
        raise Forbidden("This conversation is closed")
    if len(known.comments) >= MOST:
        raise Conflict(f"A conversation has at most {MOST} comments")
    check_rate(caller.account, "comment", RATE_LIMITS)
    writes = Transaction()
    comment = comments.add(writes, subject.key, caller, text)
    _count(writes, subject, 1)
    people = [*subject.people, *(each.author for each in known.comments if each.author)]
    sentence, page = f"{caller.account.username} commented on {subject.title}", notices.page_of(subject.package)
    notices.tell(writes, people, caller, notices.COMMENT, sentence, page, text)
    writes.put(history.audit_entry(subject.package, "comment.create", caller, comment=int(comment.id)))
    writes.commit()
    return comment


def delete(subject: ConversationSubject, caller: Caller, number: int) -> None:
    """Delete an own comment, or as a moderator any. Raises NotFound or Forbidden."""
    _require_may_see(subject, caller)
    unknown = NotFound("Comment not found")
    comment = next((each for each in comments.load(subject.key).comments if each.id == number), None)
    if comment is None:
        raise unknown
    if comment.author_id != caller.account.id and not at_least(caller.account, "MODERATOR"):
        raise Forbidden("You don't have permission to delete this comment")
    writes = Transaction()
    writes.delete(comment, Comment.pk.exists(), unknown)
    _count(writes, subject, -1)
    detail = {"comment": number, "author": comment.author}
    writes.put(history.audit_entry(subject.package, "comment.delete", caller, **detail))
    writes.commit()


def close(subject: ConversationSubject, caller: Caller, closed: bool) -> None:
    """Close or reopen a conversation, as one whom it concerns or an approver. Raises NotFound or Forbidden."""
    _require_may_see(subject, caller)
    if caller.account.username not in subject.people and not at_least(caller.account, "APPROVER"):
        raise Forbidden("You don't have permission to close this conversation")
    pk = comments_pk(subject.key)
    if (Closing.find(pk, "closed") is not None) == closed:
        return
    writes = Transaction()
    if closed:
        writes.put(Closing(pk, "closed", by=caller.account.username, at=datetime.now(UTC)))
    else:
        writes.delete(Closing(pk, "closed"))
    action = "conversation.close" if closed else "conversation.reopen"
    writes.put(history.audit_entry(subject.package, action, caller))
    writes.commit()


def _require_may_see(subject: ConversationSubject, caller: Caller | None) -> None:
    package, review = subject.package, subject.review
    if review and review.approved:
        return
    if caller:
        is_author = review.author_id == caller.account.id if review else is_maintainer(caller.account, package)
        if is_author or at_least(caller.account, "APPROVER"):
            return
    raise NotFound("Review not found" if review else "There is no conversation here that you can see")


def _count(writes: Transaction, subject: ConversationSubject, step: int) -> None:
    """Count the comments of a review, which lists show."""
    if subject.review:
        writes.update(subject.review, [Review.comments.add(step)], Review.id == subject.review.id)
