"""Promotes new members by upstream's rule: some days after a package or a review of theirs was approved.

A review is a thread upstream, where having opened one counts as much as an approved package.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib import settings
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.store import index, notices, rows
from chalicelib.core import jobs
from chalicelib.core.errors import Conflict
from chalicelib.core.identity import accounts
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Account

_PAGE = 100  # accounts between two looks at the time


def promote(payload: Mapping[str, Any] | None = None) -> None:
    """Make members of new members. Raises jobs.Reschedule when the time is over. Safe to repeat."""
    days = settings.current().contentdb_promotion_days
    if not days:
        return
    moment = datetime.now(UTC) - timedelta(days=days)
    authors, after = _authors_before(moment) | _reviewers_before(moment), (payload or {}).get("after", 0)
    while found := list(accounts.list_accounts(after, _PAGE)):
        after = int(found[-1].id)
        for account in found:
            if account.rank == "NEW_MEMBER" and not account.suspended and account.username in authors:
                _promote(account)
        if jobs.time_left() <= 0:
            raise jobs.Reschedule(0, {"after": after})


def _promote(account: Account) -> None:
    writes = Transaction()
    accounts.change(account, writes, rank="MEMBER")
    notices.tell(writes, [account.username], None, notices.PROMOTION, "You are a member of ContentDB now", "/account")
    try:
        writes.commit()
    except (Conflict, Contended):  # the rank was set meanwhile
        return


def _authors_before(moment: datetime) -> frozenset[str]:
    """The authors of packages that were approved before a moment."""
    limit = math.floor(moment.timestamp() * 1_000_000)
    found = rows.of(index.catalogue.snapshot()).approved
    return frozenset(row.author for row in found if 0 < row.approved_at < limit)


def _reviewers_before(moment: datetime) -> frozenset[str]:
    """The authors of approved reviews from before a moment."""
    entries = review_index.catalogue.snapshot().entries.values()
    found = review_index.read([entry for entry in entries if entry.value.approved])
    return frozenset(review.author for review in found if review.created_at < moment)
