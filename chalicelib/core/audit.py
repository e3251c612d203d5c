"""The audit log: each entry has an action, its account and its credential, and is written in the same transaction."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chalicelib.core.caller import Caller
from chalicelib.core.tables import AuditEntry


def entry_by(caller: Caller, action: str, subject: str, **detail: Any) -> AuditEntry:
    """Return the entry of a caller's action, such as `rock.publish`, for the transaction."""
    return entry(int(caller.account.id), action, subject, caller, **detail)


def entry(account_id: int, action: str, subject: str, by: Caller | None = None, **detail: Any) -> AuditEntry:
    """Return the entry of an action on an account: `action` such as `key.create`, `subject` such as `key#7`.

    `by` is the caller; None for an administrator at the command line, and for an account that has no credential yet.
    """
    at = datetime.now(UTC)
    return AuditEntry(
        f"audit#{account_id}",
        f"{at.isoformat(timespec='microseconds')}#{secrets.token_hex(4)}",
        at=at,
        action=action,
        subject=subject,
        by_account_id=by.account.id if by else None,
        credential_id=by.credential.id if by else None,
        detail=detail or None,
    )


def entries(account_id: int, before: str | None = None, limit: int | None = None) -> Iterator[AuditEntry]:
    """Return an account's entries, newest first: all, or at most `limit` before the entry with the sk `before`."""
    older = AuditEntry.sk < before if before else None
    return iter(AuditEntry.query(f"audit#{account_id}", older, scan_index_forward=False, limit=limit))
