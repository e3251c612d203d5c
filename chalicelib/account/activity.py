"""The activity log: of the caller's account, or of the whole server for administrators."""

from datetime import UTC, datetime
from typing import Any

from chalicelib.account.paging import PAGE
from chalicelib.core import activity
from chalicelib.core.activity import ActivityFilter, ActivityPage, Described
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Invalid
from chalicelib.core.identity import accounts

Parameters = dict[str, Any]  # of shapes.ACTIVITY_PAGE


def page(caller: Caller, given: Parameters) -> tuple[list[Described], str | None]:
    """A page of the caller's log, newest first, and the cursor of the next page or None. Raises Invalid."""
    number = int(caller.account.id)
    found = _find(given, number)
    return activity.describe(found.entries, caller.account), found.next


def page_of_server(given: Parameters) -> tuple[list[Described], str | None]:
    """A page of the server's log, or of the account in the field `account`. Raises Invalid or NotFound."""
    number = int(accounts.named(given["account"]).id) if given["account"] else None
    found = _find(given, number)
    return activity.describe(found.entries), found.next


def _find(given: Parameters, account_id: int | None) -> ActivityPage:
    wanted = ActivityFilter(
        actor=given["actor"],
        action=given["action"],
        subject=given["subject"],
        since=_moment(given, "since"),
        until=_moment(given, "until"),
    )
    return activity.find(wanted, account_id, given["before"] or None, given["limit"] or PAGE)


def _moment(given: Parameters, field: str) -> datetime | None:
    if not given[field]:
        return None
    try:
        found = datetime.fromisoformat(given[field])
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"{field} is not a moment such as 2026-03-01T12:00:00Z.", field=field) from None
