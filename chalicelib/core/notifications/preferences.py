"""The channel of each kind of notifications, per account: `off`, `inbox`, or `mail`, which includes the inbox.

The account stores only the channels that differ from the defaults of the declared kinds.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.core import audit, registry
from chalicelib.core.caller import Caller
from chalicelib.core.declaration import NotificationKind
from chalicelib.core.errors import Conflict, Invalid
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account

OFF, INBOX, MAIL = CHANNELS = ("off", "inbox", "mail")


def kinds() -> list[NotificationKind]:
    """All declared kinds, in the order of the slices."""
    return list(registry.current().notification_kinds.values())


def shown_kinds() -> list[NotificationKind]:
    """The kinds of the services that this server offers, in the order of the slices."""
    current = registry.current()
    return [kind for each in current.declarations if current.offers(each.name) for kind in each.notifications]


def channel_of(account: Account, kind: NotificationKind) -> str:
    """The channel of a kind for an account."""
    chosen = None if kind.essential else (account.channels or {}).get(kind.name)
    return chosen if chosen in CHANNELS else kind.default


def choose(account: Account, channels: Mapping[str, str], by: Caller | None = None) -> None:
    """Set the channels of some kinds. Raises Invalid, or Conflict for an essential kind or a concurrent change."""
    for name, channel in channels.items():
        _check(name, channel)
    chosen = {**(account.channels or {}), **channels}
    kept = {kind.name: chosen[kind.name] for kind in kinds() if chosen.get(kind.name, kind.default) != kind.default}
    if kept != (account.channels or {}):
        _change(account, by, channels=kept or None)


def set_digest(account: Account, daily: bool, by: Caller | None = None) -> None:
    """Set whether mails about notifications are sent once a day. Essential ones are always sent immediately."""
    _change(account, by, daily_digest=daily)


def stop_mail(account: Account, kind: str | None) -> None:
    """Stop the mails about a kind, or with None about all kinds that are not essential. The inbox still gets them."""
    by_mail = [each for each in kinds() if not each.essential and channel_of(account, each) == MAIL]
    stopped = [each.name for each in by_mail if kind in (None, each.name)]
    if stopped:
        choose(account, dict.fromkeys(stopped, INBOX))


def _check(name: str, channel: str) -> None:
    kind = registry.current().notification_kinds.get(name)
    if kind is None:
        raise Invalid("There is no such kind of notifications.", field="kind")
    if channel not in CHANNELS:
        raise Invalid(f"A channel is one of: {', '.join(CHANNELS)}.", field="channel")
    if kind.essential:
        raise Conflict("Notifications about the security of an account cannot be turned off.", field="kind")


def _change(account: Account, by: Caller | None, **values: Any) -> None:
    before = account.channels
    unchanged = Account.channels.does_not_exist() if before is None else Account.channels == before
    writes = Transaction()
    meanwhile = Conflict("The settings were changed meanwhile: look at them again.")
    writes.update(account, account.assign(**values), Account.pk.exists() & unchanged, meanwhile)
    writes.put(audit.entry(int(account.id), "notifications.settings", account.pk, by, **values))
    writes.commit()
