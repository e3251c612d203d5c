"""The audit log: an entry has an action, its account and its actor, and is written in the same transaction.

`activity` finds entries and describes them.
"""

import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.core.caller import Actor, Caller
from chalicelib.core.tables import AuditEntry

LISTING = "audit"  # all actions of the server
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def entry_by(caller: Caller, action: str, subject: str, **detail: Any) -> AuditEntry:
    """Return the entry of a caller's action, such as `rock.publish`, for the transaction."""
    return entry(int(caller.account.id), action, subject, caller, **detail)


def entry(account_id: int, action: str, subject: str, by: Caller | Actor | None = None, **detail: Any) -> AuditEntry:
    """Return the entry of an action on an account: `action` such as `key.create`, `subject` such as `key#7`.

    `by` is the caller; None for an administrator at the command line, and for an account that has no credential yet.
    """
    (made,) = entries_for([account_id], action, subject, by, **detail)
    return made


def entries_for(
    account_ids: Iterable[int], action: str, subject: str, by: Caller | Actor | None = None, **detail: Any
) -> list[AuditEntry]:
    """Return the entries of one action for the logs of several accounts. The server's log has one of them."""
    at = datetime.now(UTC)
    actor = by.actor if isinstance(by, Caller) else by
    own = actor.account_id if actor else None
    made: list[AuditEntry] = []
    for account_id in sorted(set(account_ids), key=lambda number: (number != own, number)):
        found = _entry(account_id, action, subject, actor, at, detail)
        if not made:
            found.listing, found.id = LISTING, number_at(at) + secrets.randbelow(1000)
        made.append(found)
    return made


def entries(account_id: int, before: str | None = None, limit: int | None = None) -> Iterator[AuditEntry]:
    """Return an account's entries, newest first: all, or at most `limit` before the entry with the sk `before`."""
    older = AuditEntry.sk < before if before else None
    return iter(AuditEntry.query(f"audit#{account_id}", older, scan_index_forward=False, limit=limit))


def number_at(at: datetime) -> int:
    """The lowest `id` of the listed entries of a moment: nanoseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


def _entry(
    account_id: int, action: str, subject: str, actor: Actor | None, at: datetime, detail: dict[str, Any]
) -> AuditEntry:
    return AuditEntry(
        f"audit#{account_id}",
        f"{at.isoformat(timespec='microseconds')}#{secrets.token_hex(4)}",
        at=at,
        action=action,
        subject=subject,
        by_account_id=actor.account_id if actor else None,
        credential_id=actor.credential_id if actor else None,
        actor=actor.username if actor else None,
        credential_service=(actor.service or None) if actor else None,
        credential_comment=(actor.key or None) if actor else None,
        address=(actor.address or None) if actor else None,
        detail=detail or None,
    )
