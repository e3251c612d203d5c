"""Who did what, with which credential: written in the same transaction as the deed."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chalicelib.core.caller import Caller
from chalicelib.core.tables import AuditEntry


def entry_by(caller: Caller, action: str, subject: str, **detail: Any) -> AuditEntry:
    """An entry for what a caller did, such as `rock.publish`, to put into the transaction."""
    return entry(int(caller.account.id), action, subject, caller, **detail)


def entry(account_id: int, action: str, subject: str, by: Caller | None = None, **detail: Any) -> AuditEntry:
    """An entry for what was done to an account: `action` such as `key.create`, `subject` such as `key#7`.

    `by` is who did it; None is the administrator at the command line, or the account itself before it had a
    credential.
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


def entries(account_id: int, before: str | None = None, most: int | None = None) -> Iterator[AuditEntry]:
    """An account's entries, newest first: all, or at most so many `before` the `sk` of one."""
    older = AuditEntry.sk < before if before else None
    return iter(AuditEntry.query(f"audit#{account_id}", older, scan_index_forward=False, limit=most))
