"""Notifications about published events, for the owners of the work: all but the actor."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from chalicelib.core import registry
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.notifications.posting import notify
from chalicelib.core.published import Event, EventAction, Follower
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, NoticesMark

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
    """Notify the owners. Those that do not fit into `writes` are notified in further transactions, each with a mark.

    A repeated run of the same events finds the marks, so no owner is notified twice.
    """
    find, room = _Accounts(), _MOST
    for event in events:
        keys: list[int | str] = [*event.accounts, *event.owners]
        for start in range(0, len(keys), _MOST):
            some = keys[start : start + _MOST]
            if len(some) <= room:
                room -= len(some)
                _notify(writes, event, find.owners(event, some))
            else:
                room = 0  # the same slices are in `writes` of a run with more events
                _notify_once(event, start, find.owners(event, some))


def _notify_once(event: Event, start: int, owners: Iterator[Account]) -> None:
    """Notify some owners of an event, unless an earlier run has notified them."""
    writes, done = Transaction(), Conflict("The owners have been notified already.")
    mark = NoticesMark("event-notices", f"{event.number:012d}#{start}", expires_at=datetime.now(UTC) + 2 * _NEWS)
    writes.create(mark, done)
    _notify(writes, event, owners)
    try:
        writes.commit()
    except Conflict as error:
        if error is not done:
            raise


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


def _notify(writes: Transaction, event: Event, owners: Iterator[Account]) -> None:
    if event.at > datetime.now(UTC) - _NEWS:
        for account in owners:
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

    def owners(self, event: Event, keys: Sequence[int | str]) -> Iterator[Account]:
        """Some owners of an event's work that can be notified: all but the actor and suspended accounts.

        `keys` are ids and usernames; an account that the event has by both is returned once.
        """
        found = [(key, self._find(key)) for key in keys]
        for account in {int(one.id): one for key, one in found if one and not _is_twice(event, key, one)}.values():
            if account.username != event.actor and not account.suspended:
                yield account

    def _find(self, key: int | str) -> Account | None:
        known = key if isinstance(key, int) else key.lower()
        if known not in self._known:
            try:
                self._known[known] = accounts.get(key) if isinstance(key, int) else accounts.find(key)
            except NotFound:
                self._known[known] = None
        return self._known[known]


def _is_twice(event: Event, key: int | str, account: Account) -> bool:
    return isinstance(key, str) and int(account.id) in event.accounts
