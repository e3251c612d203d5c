"""The activity log of an account: operations by the account, and by others on it."""

import re

from chalicelib.account.paging import PAGE, cut
from chalicelib.core import accounts, audit
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.tables import Account, AuditEntry

AttributedEntry = tuple[AuditEntry, str | None]  # an entry, and the username of its actor
_CURSOR = re.compile(r"[0-9T:.-]{26}Z\.[0-9a-f]{8}")


def page(account: Account, before: str | None, most: int | None) -> tuple[list[AttributedEntry], str | None]:
    """A page of entries, newest first, and the cursor of the next page or None. Raises Invalid for a bad cursor."""
    most = most or PAGE
    found = audit.entries(int(account.id), _sk(before) if before else None, most + 1)
    entries, following = cut(found, most, _cursor)
    names: dict[int, str | None] = {int(account.id): account.username}
    return [(entry, _name(names, entry)) for entry in entries], following


def _name(names: dict[int, str | None], entry: AuditEntry) -> str | None:
    if not entry.by_account_id:
        return None
    number = int(entry.by_account_id)
    if number not in names:
        try:
            names[number] = accounts.get(number).username
        except NotFound:
            names[number] = None
    return names[number]


def _cursor(entry: AuditEntry) -> str:
    """An entry's `sk`, encoded for a URL."""
    return entry.sk.replace("+00:00#", "Z.")


def _sk(cursor: str) -> str:
    if not _CURSOR.fullmatch(cursor):
        raise Invalid("before is not a cursor of this log.", field="before")
    return cursor.replace("Z.", "+00:00#")
