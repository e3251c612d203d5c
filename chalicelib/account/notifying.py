"""One's own notifications: the inbox in pages, and its settings."""

from chalicelib.account.paging import PAGE, cut
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Invalid
from chalicelib.core.notifications import inbox, preferences
from chalicelib.core.tables import Account, Notification


def page(account: Account, before: str | None, most: int | None) -> tuple[list[Notification], str | None]:
    """A page of notifications, newest first, and the cursor of the next page or None. Raises Invalid."""
    if before is not None and not inbox.is_sk(before):
        raise Invalid("before is not a cursor of this list.", field="before")
    most = most or PAGE
    return cut(inbox.entries(account, before, most + 1), most, lambda notification: notification.sk)


def mark_read(caller: Caller, id: str | None) -> None:
    """Mark one notification as read, or all. Raises NotFound."""
    if id is None:
        inbox.mark_all_read(caller.account)
    else:
        inbox.mark_read(caller.account, id)


def change_settings(caller: Caller, kind: str | None, channel: str | None, daily_digest: bool | None) -> None:
    """Set the channel of a kind, the digest, or both. Raises Invalid or Conflict."""
    if (kind is None) != (channel is None):
        raise Invalid("Send kind and channel together.", field="channel" if kind else "kind")
    if kind is not None and channel is not None:
        preferences.choose(caller.account, {kind: channel}, caller)
    if daily_digest is not None:
        preferences.set_digest(caller.account, daily_digest, caller)
