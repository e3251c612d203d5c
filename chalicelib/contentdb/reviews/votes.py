"""Votes on reviews: helpful or not, one per account and review, and changeable.

A vote changes no entry, but it is a change of the catalogue, so that cached lists of reviews see it.
"""

from chalicelib.contentdb.entry import ReviewEntry
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.reviews.lifecycle import check_rate
from chalicelib.contentdb.store.permissions import at_least
from chalicelib.contentdb.store.tables import Review, ReviewVote, votes_pk
from chalicelib.core import audit
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.errors import Forbidden, NotFound
from chalicelib.core.storage import Transaction

RATE_LIMITS = ((30, 300),)


def vote(caller: Caller, package_id: int, number: int, is_helpful: bool | None) -> Review:
    """Set the caller's vote on a review (None: remove it); return the review afterwards.

    Raises Forbidden, NotFound, TooMany, or Busy during too many concurrent votes.
    """
    if not at_least(caller.account, "NEW_MEMBER"):
        raise Forbidden("You don't have permission to vote on reviews")
    check_rate(caller.account, "vote", RATE_LIMITS)

    def decide(snapshot: Snapshot[ReviewEntry], writes: Transaction) -> tuple[Changes[ReviewEntry], Review]:
        review = review_index.get_in(snapshot, package_id, number)
        if not review.approved:
            raise NotFound("Review not found")
        if review.author_id == caller.account.id:
            raise Forbidden("You can't vote on your own reviews!")
        changed = _vote(writes, caller, review, is_helpful)
        return {review_index.key_of(review): review_index.value_of(review)} if changed else {}, review

    return review_index.catalogue.publish(decide)[1]


def _vote(writes: Transaction, caller: Caller, review: Review, is_helpful: bool | None) -> bool:
    """Add a vote to a transaction; return whether it changes anything."""
    key = votes_pk(int(review.id)), str(int(caller.account.id))
    stored = ReviewVote.find(*key)
    before = stored.is_helpful if stored else None
    if before == is_helpful:
        return False
    new = ReviewVote(*key, is_helpful=is_helpful)
    if is_helpful is None:
        writes.delete(new, ReviewVote.is_helpful == before)
    elif before is None:
        writes.create(new)
    else:
        writes.put(new, ReviewVote.is_helpful == before)
    _count(writes, review, before, is_helpful)
    writes.put(audit.entry_by(caller, "review.vote", review.pk, review=int(review.id), is_helpful=is_helpful))
    return True


def _count(writes: Transaction, review: Review, before: bool | None, after: bool | None) -> None:
    helpful = (after is True) - (before is True)
    unhelpful = (after is False) - (before is False)
    review.helpful += helpful
    review.unhelpful += unhelpful
    writes.update(review, [Review.helpful.add(helpful), Review.unhelpful.add(unhelpful)], Review.id == review.id)
