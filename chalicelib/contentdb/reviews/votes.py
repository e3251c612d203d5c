"""Votes on reviews: helpful or not, one per account and review, and changeable."""

from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.reviews.lifecycle import check_rate
from chalicelib.contentdb.store.permissions import at_least
from chalicelib.contentdb.store.tables import Review, ReviewVote, votes_pk
from chalicelib.core import audit
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, NotFound
from chalicelib.core.locks import Lock
from chalicelib.core.retries import retry
from chalicelib.core.storage import Transaction

RATE_LIMITS = ((30, 300),)
_voting = Lock("contentdb-votes")


def vote(caller: Caller, package_id: int, number: int, is_helpful: bool | None) -> Review:
    """Set the caller's vote on a review (None: remove it); return the review afterwards.

    Raises Forbidden, NotFound, TooMany, or Busy during too many concurrent votes.
    """
    if not at_least(caller.account, "NEW_MEMBER"):
        raise Forbidden("You don't have permission to vote on reviews")
    check_rate(caller.account, "vote", RATE_LIMITS)

    def attempt() -> Review:
        review = review_index.get(package_id, number)
        if not review.approved:
            raise NotFound("Review not found")
        if review.author_id == caller.account.id:
            raise Forbidden("You can't vote on your own reviews!")
        return _vote(caller, review, is_helpful)

    return retry(attempt, _voting.held, "Too many votes at once.")


def _vote(caller: Caller, review: Review, is_helpful: bool | None) -> Review:
    key = votes_pk(int(review.id)), str(int(caller.account.id))
    stored = ReviewVote.find(*key)
    before = stored.is_helpful if stored else None
    if before == is_helpful:
        return review
    new, writes = ReviewVote(*key, is_helpful=is_helpful), Transaction()
    if is_helpful is None:
        writes.delete(new, ReviewVote.is_helpful == before)
    elif before is None:
        writes.create(new)
    else:
        writes.put(new, ReviewVote.is_helpful == before)
    _count(writes, review, before, is_helpful)
    writes.put(audit.entry_by(caller, "review.vote", review.pk, review=int(review.id), is_helpful=is_helpful))
    writes.commit()
    return review


def _count(writes: Transaction, review: Review, before: bool | None, after: bool | None) -> None:
    helpful = (after is True) - (before is True)
    unhelpful = (after is False) - (before is False)
    review.helpful += helpful
    review.unhelpful += unhelpful
    writes.update(review, [Review.helpful.add(helpful), Review.unhelpful.add(unhelpful)], Review.id == review.id)
