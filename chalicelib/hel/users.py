"""Hel's users: registration, list and changes. An account is Moonbase's, and works in all its APIs.

Two of Hel's groups are ranks of the account: `admins` is ADMIN, `banned` is BANNED. Other groups are only names.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from chalicelib.core.caller import Caller, Device
from chalicelib.core.catalogues.catalogue import Catalogue, Changes
from chalicelib.core.catalogues.snapshots import Entry, Selection, Snapshot
from chalicelib.core.errors import Conflict, Invalid, NotFound
from chalicelib.core.identity import accounts, passwords, proof, registration
from chalicelib.core.identity.accounts import EmailTaken, UsernameTaken
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from chalicelib.hel import auth
from chalicelib.hel.entry import UserEntry
from chalicelib.hel.tables import User

REFRESH_EVERY = 600
MOST_GROUPS = 20
LONGEST_GROUP = 100
_BATCH = 40  # users in one transaction, which has at most 100 writes: two for each
_RANKS = {"admins": "ADMIN", "banned": "BANNED"}
_LETTERS = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class UserChanges:
    """The changes of a user; None keeps a value."""

    nickname: str | None = None
    password: str | None = None
    current_password: str | None = None  # proves the user's own change of the password, together with `code`
    code: str | None = None
    groups: Sequence[str] | None = None


def check_nickname(nickname: str) -> None:
    """Raise Invalid unless `nickname` can be a nickname."""
    if not _LETTERS.fullmatch(nickname):
        raise Invalid("The nickname contains illegal characters.")
    if not accounts.is_username(nickname):
        raise Invalid("A nickname has 2 to 25 characters.")


def require_nickname(nickname: str) -> None:
    """Raise Invalid for an empty nickname."""
    if not nickname:
        raise Invalid("Nickname isn't specified.")


def require_password(password: str) -> None:
    """Raise Invalid for an empty password."""
    if not password:
        raise Invalid("Password isn't specified.")


def register(nickname: str, email: str, password: str, invitation: str, device: Device) -> None:
    """Create an account for the client. Raises Invalid with Hel's texts and in its order, also for a name in use.

    Also raises Forbidden and TooMany, see registration.register.
    """
    registration.check_open(invitation)
    require_nickname(nickname)
    if not email:
        raise Invalid("Email address isn't specified.")
    require_password(password)
    check_nickname(nickname)
    with _hel_errors():
        account = registration.register(nickname, email, password, invitation, device)
    _list([account])


def create(nickname: str, email: str, password: str) -> None:
    """Create an account and list it. Raises Invalid."""
    with _hel_errors():
        account = accounts.create(nickname, email, password)
    _list([account])


def list_users(groups: Sequence[str]) -> Sequence[Entry[UserEntry]]:
    """The users who are in all of these groups, oldest first."""
    snapshot = catalogue.snapshot()
    if not groups:
        return Selection(snapshot, snapshot.cached("all", lambda snapshot: list(snapshot.entries)))
    wanted = frozenset(groups)
    found = snapshot.lru_cached(
        wanted, lambda snapshot: [one.key for one in snapshot.entries.values() if wanted <= {*one.value.groups}]
    )
    return Selection(snapshot, found)


def get(nickname: str) -> UserEntry:
    """A user; raises NotFound."""
    return _public(_account(nickname), catalogue.snapshot())


def update(caller: Caller, nickname: str, changes: UserChanges, device: Device) -> None:
    """Change a user; equal values are no change and need no permission.

    A new password ends the user's sessions, except the caller's own.

    Raises Invalid; Forbidden for groups, unless the caller is an administrator; NotFound; Conflict for a nickname.
    """
    account = _account(nickname)
    groups = changes.groups or []
    regroups = changes.groups is not None and set(groups) != set(_public(account, catalogue.snapshot()).groups)
    renames = changes.nickname not in (None, account.username)
    if (regroups or renames) and not auth.is_admin(caller):
        raise auth.refusal("update_user")
    if renames:
        raise Conflict("A nickname cannot be changed: packages, files and keys of the account refer to it.")
    if regroups:
        _check_groups(groups)
    if changes.password is not None:
        _check_password(caller, account, changes.password)
        if caller.account.id == account.id:
            _prove(caller, changes, device)
    if regroups:
        _set_groups(caller, account, groups)
    if changes.password is not None:
        keep = caller.credential if caller.account.id == account.id else None
        accounts.set_password(account, changes.password, caller, keep)


def delete(caller: Caller, nickname: str) -> None:
    """Suspend an account: log-in and its keys stop working, its packages stay. Raises NotFound."""
    account = _account(nickname)
    accounts.suspend(account, caller)
    _list([account])


def entities() -> Iterator[tuple[str, UserEntry]]:
    """Every entry, read from the table."""
    for user in User.query("users", consistent_read=True):
        yield user.sk, _entry(user)


def reload(key: str, known: UserEntry) -> UserEntry | None:
    """One entry, read from the table; None if there is none."""
    user = User.find("users", key)
    return _entry(user) if user else None


def refresh() -> None:
    """Update the list after changes of accounts elsewhere: new, suspended, restored, or with another rank."""
    snapshot = catalogue.snapshot()
    listed = {_key(account): account for account in accounts.list_accounts()}
    changed = [key for key, account in listed.items() if _current_entry(account, snapshot) != _value(snapshot, key)]
    changed += [key for key in snapshot.entries if key not in listed]
    for start in range(0, len(changed), _BATCH):
        # The index that lists accounts can lag behind, so each account is read again.
        _list([accounts.get(int(key)) for key in changed[start : start + _BATCH]])


@contextmanager
def _hel_errors() -> Iterator[None]:
    try:
        yield
    except UsernameTaken:
        raise Invalid("This nickname is already in use.") from None
    except EmailTaken:
        raise Invalid("This email address is already in use.") from None


def _check_password(caller: Caller, account: Account, password: str) -> None:
    require_password(password)
    if caller.account.id == account.id:
        passwords.check_chosen(password, account.username, account.email)
    else:
        passwords.check(password)


def _prove(caller: Caller, changes: UserChanges, device: Device) -> None:
    """Require the current password, and a code of two-factor. Raises Invalid, and the errors of proof.prove."""
    if not changes.current_password:
        raise Invalid('To change your password, send the current one as "current_password", too.')
    proof.prove(caller, changes.current_password, changes.code, device)


def _list(users: Sequence[Account]) -> None:
    """Update these accounts in the list; suspended ones are removed."""

    def decide(snapshot: Snapshot[UserEntry], writes: Transaction) -> tuple[Changes[UserEntry], None]:
        changes = {_key(account): _current_entry(account, snapshot) for account in users}
        for key, value in changes.items():
            if value is None:
                writes.delete(User("users", key))
            else:
                _write(writes, key, value)
        return changes, None

    catalogue.publish(decide)


def _account(nickname: str) -> Account:
    account = accounts.find(nickname)
    if account is None or account.suspended:
        raise NotFound
    return account


def _key(account: Account) -> str:
    return f"{int(account.id):012d}"


def _value(snapshot: Snapshot[UserEntry], key: str) -> UserEntry | None:
    entry = snapshot.entries.get(key)
    return entry.value if entry else None


def _current_entry(account: Account, snapshot: Snapshot[UserEntry]) -> UserEntry | None:
    """The entry that an account has now; None for a suspended account."""
    return None if account.suspended else _public(account, snapshot)


def _public(account: Account, snapshot: Snapshot[UserEntry]) -> UserEntry:
    """A user with the account's rank and the list's other groups."""
    known = _value(snapshot, _key(account))
    others = [group for group in known.groups if group not in _RANKS] if known else []
    return UserEntry(nickname=account.username, groups=(*_ranks(account), *others))


def _entry(user: User) -> UserEntry:
    return UserEntry(nickname=user.nickname, groups=tuple(user.groups))


def _write(writes: Transaction, key: str, value: UserEntry) -> None:
    """Store a user; attributes that newer code stored are kept."""
    user = User("users", key)
    writes.update(user, user.assign(kind=User, nickname=value.nickname, groups=list(value.groups)))


def _ranks(account: Account) -> list[str]:
    return [group for group, rank in _RANKS.items() if rank == account.rank]


def _check_groups(groups: Sequence[str]) -> None:
    if len(groups) > MOST_GROUPS or any(len(group) > LONGEST_GROUP for group in groups):
        raise Invalid(f"A user is in {MOST_GROUPS} groups at most, of {LONGEST_GROUP} characters each.")
    if set(_RANKS) <= set(groups):
        raise Invalid("A user cannot be in both groups, admins and banned.")


def _set_groups(caller: Caller, account: Account, groups: Sequence[str]) -> None:
    """Put a user into exactly these groups. Without `admins` and `banned` the rank becomes MEMBER."""
    ranked = [group for group in groups if group in _RANKS]
    others = [group for group in dict.fromkeys(groups) if group not in _RANKS]
    plain = "MEMBER" if account.rank in _RANKS.values() else account.rank
    rank = _RANKS[ranked[0]] if ranked else plain

    def decide(snapshot: Snapshot[UserEntry], writes: Transaction) -> tuple[Changes[UserEntry], None]:
        if account.rank != rank:
            accounts.change(account, writes, caller, rank=rank)
        value = UserEntry(nickname=account.username, groups=(*ranked[:1], *others))
        _write(writes, _key(account), value)
        return {_key(account): value}, None

    catalogue.publish(decide)


catalogue = Catalogue("hel-users", UserEntry, shape=1, entities=entities, reload=reload)
