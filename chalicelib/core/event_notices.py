"""Notifications about published events, for the owners of the work: all but the actor."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from chalicelib.core import registry
from chalicelib.core.errors import NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.notifications.posting import notify
from chalicelib.core.published import Event, EventAction, Follower
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account

PUBLISHED, CHANGED, REMOVED = "work.published", "work.changed", "work.removed"
_KINDS: dict[EventAction, tuple[str, str]] = {
    "publish": (PUBLISHED, "published"),
    "change": (CHANGED, "changed"),
    "archive": (CHANGED, "archived"),
    "restore": (CHANGED, "restored"),
    "transfer": (REMOVED, "transferred"),
    "delete": (REMOVED, "deleted"),
}
_WHOLE = ("module", "package", "manifest", "collection", "file")  # kinds whose events are about the whole work
_VERSIONS = ("version", "release")
_NEWS = timedelta(days=7)  # older events are history, for example of an installation that had no followers
_MOST = 40  # notifications in one transaction, with a job each


def _follow(events: Sequence[Event], writes: Transaction) -> None:
    """Notify the owners. What does not fit into `writes` is written before it, and may be repeated."""
    oldest, find = datetime.now(UTC) - _NEWS, _Accounts()
    wanted = [(event, account) for event in events if event.at > oldest for account in find.owners(event)]
    for start in range(_MOST, len(wanted), _MOST):
        further = Transaction()
        _notify(further, wanted[start : start + _MOST])
        further.commit()
    _notify(writes, wanted[:_MOST])


FOLLOWER = Follower("notifications", _follow)


def sentence(event: Event) -> str:
    """What happened: `bob published alice/hello 1.1-1.`"""
    actor, verb = event.actor or "An administrator", _KINDS[event.action][1]
    if event.former_name and event.action in ("change", "transfer"):
        verb = "renamed" if event.action == "change" else verb
        return f"{actor} {verb} the {event.kind} {event.former_name} to {event.name}."
    return f"{actor} {verb} {_work(event)}."


def _work(event: Event) -> str:
    if event.version and event.kind in (*_VERSIONS, *_WHOLE):
        return f"{event.name} {event.version}"
    if event.kind in _WHOLE:
        return f"the {event.kind} {event.name}"
    return f"a {event.kind} of {event.name}{f' {event.version}' if event.version else ''}"


def _notify(writes: Transaction, wanted: Sequence[tuple[Event, Account]]) -> None:
    for event, account in wanted:
        notify(writes, account, _KINDS[event.action][0], sentence(event), _link(event))


def _link(event: Event) -> str | None:
    """The path of the page about the work; None without one, and for a service that is turned off."""
    page_of = registry.current().pages.get(event.service)
    is_shown = event.action != "delete" and registry.current().offers(event.service)
    return page_of(event) if page_of and is_shown else None


class _Accounts:
    """The accounts of the events of a batch, each read once."""

    def __init__(self) -> None:
        self._known: dict[int | str, Account | None] = {}

    def owners(self, event: Event) -> Iterator[Account]:
        """The owners of an event's work that can be notified: all but the actor and suspended accounts."""
        found = [self._find(number, accounts.get) for number in event.accounts]
        found += [self._find(name.lower(), accounts.find) for name in event.owners]
        for account in {int(one.id): one for one in found if one}.values():
            if account.username != event.actor and not account.suspended:
                yield account

    def _find(self, key: int | str, find: Callable[..., Account | None]) -> Account | None:
        if key not in self._known:
            try:
                self._known[key] = find(key)
            except NotFound:
                self._known[key] = None
        return self._known[key]
