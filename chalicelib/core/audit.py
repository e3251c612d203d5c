"""Who did what, with which credential: written in the same transaction as the deed."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chalicelib.core.tables import AuditEntry


def entry(account_id: int, action: str, subject: str, *, credential_id: int | None = None, **detail: Any) -> AuditEntry:
    """An entry to put into the transaction: `action` such as `key.create`, `subject` such as `key#7`."""
    at = datetime.now(UTC)
    return AuditEntry(
        f"audit#{account_id}",
        f"{at.isoformat(timespec='microseconds')}#{secrets.token_hex(4)}",
        at=at,
        action=action,
        subject=subject,
        credential_id=credential_id,
        detail=detail or None,
    )


def entries(account_id: int) -> Iterator[AuditEntry]:
    """An account's entries, newest first."""
    return iter(AuditEntry.query(f"audit#{account_id}", scan_index_forward=False))
