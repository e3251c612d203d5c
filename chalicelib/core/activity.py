"""Finds entries of the audit log, of the whole server or of one account, and describes them with names."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chalicelib.core import audit, registry
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account, AuditEntry

MOST_EXAMINED = 1000  # entries that one page examines; with a filter it can have fewer than its limit
_CURSOR = re.compile(r"[0-9T:.-]{26}Z\.[0-9a-f]{8}")


@dataclass(frozen=True)
class ActivityFilter:
    """The entries of an actor (a username), an action (`rock.publish`, or `rock` for all of them), a subject, a time.

    A subject matches if it contains the text, in any letter case. `since` is included, `until` is not. `actions` are
    several actions, in full.
    """

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    actions: tuple[str, ...] = ()

    def matcher(self) -> Callable[[AuditEntry], bool] | None:
        """The test of an entry, without the time; None if all match. One or two reads for an actor."""
        account = accounts.find(self.actor) if self.actor else None
        number = int(account.id) if account else None
        tests: list[Callable[[AuditEntry], bool]] = []
        if self.actor:
            name = self.actor.lower()
            tests.append(lambda entry: name == (entry.actor or "").lower() or _is(entry.by_account_id, number))
        if action := self.action:
            tests.append(lambda entry: entry.action == action or entry.action.startswith(f"{action}."))
        if actions := self.actions:
            tests.append(lambda entry: entry.action in actions)
        if subject := (self.subject or "").lower():
            tests.append(lambda entry: subject in _searched(entry))
        return (lambda entry: all(test(entry) for test in tests)) if tests else None


@dataclass(frozen=True)
class ActivityPage:
    """Entries, newest first, and the `before` of the next page; None on the last one."""

    entries: list[AuditEntry]
    next: str | None


@dataclass(frozen=True)
class Described:
    """An entry with names: `text` is a sentence, `account` the username whose log has the entry.

    `key` is the comment of the actor's key, and `service` what it is for, such as `luarocks` or `session`. `address` is
    the actor's network address.
    """

    entry: AuditEntry
    text: str
    account: str | None
    actor: str | None
    service: str | None
    key: str | None
    address: str | None


def find(
    wanted: ActivityFilter, account_id: int | None = None, before: str | None = None, limit: int = 50
) -> ActivityPage:
    """A page of entries of an account, or of the whole server if `account_id` is None. Raises Invalid for `before`.

    The list of the whole server is an index, which on AWS can be some milliseconds behind.
    """
    matches = wanted.matcher()
    most = MOST_EXAMINED if matches else limit
    found = _of_server(wanted, before, most) if account_id is None else _of_account(account_id, wanted, before, most)
    page: list[AuditEntry] = []
    last: AuditEntry | None = None
    for number, entry in enumerate(found):
        if last and (len(page) == limit or number == most):
            return ActivityPage(page, _cursor(last, account_id))
        last = entry
        if matches is None or matches(entry):
            page.append(entry)
    return ActivityPage(page, None)


def everything(wanted: ActivityFilter, account_id: int | None = None) -> Iterator[Described]:
    """All entries that match, newest first, described."""
    before, names = None, _Names()
    while True:
        page = find(wanted, account_id, before, MOST_EXAMINED)
        yield from (_described(entry, names, None) for entry in page.entries)
        if page.next is None:
            return
        before = page.next


def describe(found: Iterable[AuditEntry], reader: Account | None = None) -> list[Described]:
    """The entries with names, for the account `reader` or, if it is None, for an administrator.

    Another account's key and address are hidden from a reader who is no administrator. Entries of older code cost one
    or two reads for each account and key that they name.
    """
    names, number = _Names(reader), int(reader.id) if reader else None
    return [_described(entry, names, number) for entry in found]


def _of_server(wanted: ActivityFilter, before: str | None, most: int) -> Iterator[AuditEntry]:
    if before is not None and not (before.isascii() and before.isdigit() and len(before) < 30):
        raise _bad_cursor()
    low = audit.number_at(wanted.since) if wanted.since else 0
    highs = [audit.number_at(wanted.until)] if wanted.until else []
    high = min([*highs, *([int(before)] if before else [])], default=10**29) - 1
    if low > high:
        return iter(())
    times = AuditEntry.id.between(low, high)
    return iter(AuditEntry.by_listing.query(audit.LISTING, times, scan_index_forward=False, limit=most + 1))


def _of_account(account_id: int, wanted: ActivityFilter, before: str | None, most: int) -> Iterator[AuditEntry]:
    if before is not None and not _CURSOR.fullmatch(before):
        raise _bad_cursor()
    last = before.replace("Z.", "+00:00#") if before else None
    low = _iso(wanted.since) if wanted.since else "0"
    high = min([*([_iso(wanted.until)] if wanted.until else []), *([last] if last else [])], default="9")
    if low > high:
        return iter(())
    times = AuditEntry.sk.between(low, high)
    query = AuditEntry.query(f"audit#{account_id}", times, scan_index_forward=False, limit=most + 1 + bool(last))
    return (entry for entry in query if entry.sk != last)


def _cursor(entry: AuditEntry, account_id: int | None) -> str:
    """The position of an entry, encoded for a URL."""
    return str(int(entry.id)) if account_id is None else entry.sk.replace("+00:00#", "Z.")


def _bad_cursor() -> Invalid:
    return Invalid("before is not a cursor of this log.", field="before")


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _is(found: Any, number: int | None) -> bool:
    return number is not None and found == number


def _searched(entry: AuditEntry) -> str:
    """The text in which a filter searches for a subject: the subject, and the texts of the details."""
    details = (value for value in (entry.detail or {}).values() if isinstance(value, str))
    return "\n".join((entry.subject, *details)).lower()


class _Names:
    """Names of accounts and keys by their ids, each read once; that of `known` is known already."""

    def __init__(self, known: Account | None = None) -> None:
        self._accounts: dict[int, str | None] = {int(known.id): known.username} if known else {}
        self._keys: dict[int, tuple[str, str] | None] = {}

    def username(self, number: int) -> str | None:
        """The username of an account, None for a missing one."""
        if number not in self._accounts:
            try:
                self._accounts[number] = accounts.get(number).username
            except NotFound:
                self._accounts[number] = None
        return self._accounts[number]

    def key(self, number: int) -> tuple[str, str] | None:
        """The service and the comment of a credential, None for a missing one."""
        if number not in self._keys:
            try:
                found = credentials.find(number)
                self._keys[number] = found.service, found.comment
            except NotFound:
                self._keys[number] = None
        return self._keys[number]


class _PhraseValues(dict[str, str]):
    """The values of a phrase. A name that an entry lacks is its subject, without the kind in front: 7 for `zone#7`."""

    def __init__(self, entry: AuditEntry, **known: str) -> None:
        details = {name: _plain(value) for name, value in (entry.detail or {}).items()}
        super().__init__({**details, **known})
        self._subject = entry.subject.partition("#")[2] or entry.subject

    def __missing__(self, name: str) -> str:
        return self._subject


def _described(entry: AuditEntry, names: _Names, reader_id: int | None) -> Described:
    is_shown = reader_id is None or _is(entry.by_account_id, reader_id)
    actor = entry.actor or (names.username(int(entry.by_account_id)) if entry.by_account_id else None)
    service, key = _credential(entry, names) if is_shown else (None, None)
    owner = names.username(int(entry.pk.partition("#")[2]))
    phrase = registry.current().phrases.get(entry.action, f"{{actor}}: {entry.action} {{subject}}")
    values = _PhraseValues(
        entry,
        actor=actor or ("a deleted account" if entry.by_account_id else "the command line"),
        account=owner or "a deleted account",
        key=_key_in_subject(entry, names) if "{key}" in phrase else "",
    )
    text = phrase.format_map(values) + _with(service, key)
    return Described(entry, text, owner, actor, service, key, entry.address if is_shown else None)


def _credential(entry: AuditEntry, names: _Names) -> tuple[str | None, str | None]:
    """The service and the comment of the actor's credential."""
    if not entry.credential_id:
        return None, None
    if entry.credential_service:
        return entry.credential_service, entry.credential_comment or ""
    return names.key(int(entry.credential_id)) or (None, None)


def _key_in_subject(entry: AuditEntry, names: _Names) -> str:
    """The key that the action concerns."""
    comment = (entry.detail or {}).get("comment")
    if comment is None:
        found = names.key(int(entry.subject.partition("#")[2]))
        comment = found[1] if found else ""
    return _key(str(comment))


def _with(service: str | None, key: str | None) -> str:
    """The end of a sentence that names the actor's key; empty for sessions."""
    if service is None or service not in registry.current().keyed:
        return ""
    return f" with {_key(key or '')}"


def _key(comment: str) -> str:
    return f"the key '{comment}'" if comment else "a key without a comment"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
