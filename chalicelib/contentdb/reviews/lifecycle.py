"""The life of a review: written, approved if required, and deleted. An account has one review per package.

The package's counters change in the same transaction, so its score and the lists are always right. Deleting a package
hides its reviews until it is restored. Banned and suspended users cannot write; their reviews stay until they, a
moderator or the administrator delete them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from chalicelib.contentdb.entry import ContentDbSnapshot, ReviewEntry
from chalicelib.contentdb.reviews import counts as review_counts
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.store import comments, history, index, links, notices, permissions, reference, waiting
from chalicelib.contentdb.store.moderation_tables import comments_pk
from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.permissions import at_least
from chalicelib.contentdb.store.tables import ContentDbItem, Package, Review, reviews_pk, votes_pk
from chalicelib.contentdb.texts import hypertext
from chalicelib.core import ids, jobs, limits
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.snapshots import Value
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound
from chalicelib.core.published import EventAction
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account

DROP_VOTES = "contentdb-drop-votes"  # the job that deletes the votes of a deleted review
RATE_LIMITS = ((3, 300), (10, 3600))  # (number, seconds)
TRUSTED = 5  # the factor for trusted accounts
_URL = re.compile(r"://|\bwww\.", re.IGNORECASE)
_LOCAL_PATHS = ("/users/", "/packages/")


@dataclass(frozen=True)
class NewReview:
    """The content of a review."""

    rating: int
    title: str
    comment: str
    language: str


def write(caller: Caller, author: str, name: str, wanted: NewReview) -> Review:
    """Write or replace the caller's review of a package. Raises Forbidden, Invalid or TooMany."""
    account = caller.account
    number = cache(lambda: ids.reserve("contentdb-thread"))
    count_once = cache(lambda: check_rate(account, "review", RATE_LIMITS))

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> Review:
        permissions.require_may_review(account, parts.package)
        _check(wanted, snapshot)
        count_once()
        stored = review_index.find(int(parts.package.id), int(account.id))
        before, waited = review_counts.counted(stored), stored is not None and not stored.approved
        review = stored or _new(parts.package, account, number())
        values = {**vars(wanted), "approved": not _needs_approval(account, wanted)}
        actions = review.assign(**values)
        if stored:
            writes.update(review, actions, Review.id == review.id)
        else:
            writes.create(review)
        review_counts.move(parts, writes, before, review_counts.counted(review))
        _show(writes, review, review_index.value_of(review))
        waiting.show_review(writes, parts.package, review, waited=waited)
        writes.put(history.audit_entry(parts.package, "review.write", caller, review=int(review.id)))
        action: EventAction = "change" if stored else "publish"
        history.announce(writes, parts.package, caller, "review", action, listed=review.approved)
        return review

    return index.publish(author, name, decide)[1]


def delete_own(caller: Caller, author: str, name: str) -> None:
    """Delete the caller's own review. Raises NotFound."""

    def own(package: Package) -> Review:
        if review := review_index.find(int(package.id), int(caller.account.id)):
            return review
        raise NotFound("Review not found")

    _delete(author, name, own, caller)


def delete(author: str, name: str, number: int, by: Caller | None = None) -> None:
    """Delete any review, as a moderator or its author; `by` None is the administrator. Raises Forbidden or NotFound."""

    def found(package: Package) -> Review:
        review = review_index.get(int(package.id), number)
        if by and review.author_id != by.account.id and not at_least(by.account, "MODERATOR"):
            raise Forbidden("You don't have permission to delete this review")
        return review

    _delete(author, name, found, by)


def approve(author: str, name: str, number: int, by: Caller | None = None) -> Review:
    """Approve a review; `by` None is the administrator. Raises Forbidden or NotFound."""

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> Review:
        permissions.require_may_approve_reviews(by.account if by else None)
        review = review_index.get(int(parts.package.id), number)
        if review.approved:
            return review
        before = review_counts.counted(review)
        writes.update(review, review.assign(approved=True), Review.id == review.id)
        review_counts.move(parts, writes, before, review_counts.counted(review))
        _show(writes, review, review_index.value_of(review))
        waiting.show_review(writes, parts.package, review, waited=True)
        writes.put(history.audit_entry(parts.package, "review.approve", by, review=number))
        history.announce(writes, parts.package, by, "review", "publish")
        return review

    return index.publish(author, name, decide)[1]


def refuse(author: str, name: str, number: int, reason: str, by: Caller | None = None) -> None:
    """Delete a review that waits for approval, and tell its author why. Raises Forbidden, NotFound or Conflict."""

    def pending(package: Package) -> Review:
        permissions.require_may_approve_reviews(by.account if by else None)
        review = review_index.get(int(package.id), number)
        if review.approved:
            raise Conflict("The review is approved already")
        return review

    _delete(author, name, pending, by, reason)


def may_see(review: Review, caller: Caller | None) -> bool:
    """Whether a caller can read an unapproved review."""
    if review.approved or caller is None:
        return review.approved
    return bool(review.author_id == caller.account.id) or at_least(caller.account, "APPROVER")


def check_rate(account: Account, action: str, rate_limits: tuple[tuple[int, int], ...]) -> None:
    """Count an action of an account. Raises TooMany above its limits; administrators have none."""
    if at_least(account, "ADMIN"):
        return
    times = TRUSTED if at_least(account, "TRUSTED_MEMBER") else 1
    for most, seconds in rate_limits:
        subject = f"contentdb-{action}#{int(account.id)}#{seconds}"
        limits.count(subject, most * times, seconds, "Too many requests, please wait before trying again")


def _delete(
    author: str, name: str, find: Callable[[Package], Review], by: Caller | None, reason: str | None = None
) -> None:
    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> None:
        review = find(parts.package)
        writes.delete(review, Review.id == review.id)
        jobs.enqueue(writes, DROP_VOTES, {"review": int(review.id)})
        review_counts.move(parts, writes, review_counts.counted(review), review_counts.counted(None))
        _show(writes, review, None)
        if not review.approved:
            waiting.drop(writes, "review", int(review.id))
        detail = {"review": int(review.id), "author": review.author}
        if reason is not None:
            subject = f"{notices.name_of(by)} refused your review of {parts.package.key}"
            page = notices.page_of(parts.package)
            notices.tell(writes, [review.author], by, notices.REFUSAL, subject, page, reason)
            detail["reason"] = reason
        writes.put(history.audit_entry(parts.package, "review.delete", by, **detail))
        history.announce(writes, parts.package, by, "review", "delete", listed=review.approved)

    index.publish(author, name, decide)


def drop_votes(payload: Value) -> None:
    """Delete the votes and comments of a deleted review. None can follow, because each checks the review."""
    conversation = comments_pk(comments.of_review(payload["review"]))
    for pk in (votes_pk(payload["review"]), conversation):
        found = list(ContentDbItem.query(pk, consistent_read=True))
        with ContentDbItem.batch_write() as batch:
            for item in found:
                batch.delete(item)


def _new(package: Package, account: Account, number: int) -> Review:
    return Review(
        reviews_pk(int(package.id)),
        str(int(account.id)),
        id=number,
        package_id=package.id,
        author=account.username,
        author_id=account.id,
        created_at=datetime.now(UTC),
    )


def _show(writes: Transaction, review: Review, value: ReviewEntry | None) -> None:
    review_index.catalogue.join(writes, lambda _: {review_index.key_of(review): value})


def _check(wanted: NewReview, snapshot: ContentDbSnapshot) -> None:
    if wanted.language not in reference.of(snapshot).languages:
        raise Invalid(f"Unknown language {wanted.language}")
    links.refuse_blocked(vars(wanted))


def _needs_approval(account: Account, wanted: NewReview) -> bool:
    """Whether a review needs approval: if a new member's text contains a URL or an external link."""
    if at_least(account, "MEMBER"):
        return False
    if _URL.search(f"{wanted.title} {wanted.comment}"):
        return True
    converted = hypertext.from_stored(wanted.comment, "", include_images=False)
    return not all(url.startswith(_LOCAL_PATHS) for url in converted.links.values())
