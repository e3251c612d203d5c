"""Users' profiles: display name, pictures, web pages, and names on other sites.

They are in the catalogue of packages, so that a review's author and a package's donation link cost no call.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot, ProfileEntry
from chalicelib.contentdb.store import index, links, values
from chalicelib.contentdb.store.permissions import at_least
from chalicelib.contentdb.store.tables import Profile
from chalicelib.contentdb.texts import plain
from chalicelib.core import audit
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account

LONGEST_LINK = 200
_GITHUB = re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,38}")


def find_account(username: str) -> Account | None:
    """The account with this username, or None. ContentDB's usernames are exact in letter case."""
    account = accounts.find(username)
    return account if account and account.username == username else None


def get_account(username: str) -> Account:
    """The account with this username; raises NotFound."""
    if account := find_account(username):
        return account
    raise NotFound("User not found")


def edit(username: str, given: Mapping[str, Any], by: Caller | None = None) -> Account:
    """Set some of `values.PROFILE`; None clears. `by` None is the administrator.

    Raises NotFound, Forbidden, Invalid, or Conflict for a name in use.
    """
    account = get_account(username)
    if by and by.account.id != account.id and not at_least(by.account, "MODERATOR"):
        raise Forbidden("You don't have permission to edit this user")
    fields = {name: None if value is None else _READERS[name](name, value) for name, value in given.items()}
    links.refuse_blocked(fields)

    def decide(snapshot: ContentDbSnapshot, writes: Transaction) -> tuple[Changes[ContentDbEntry], None]:
        _require_free(fields.get("display_name"), account, snapshot)
        pk = f"profile#{int(account.id)}"
        profile = Profile.find(pk, "profile") or Profile(pk, "profile", username=account.username)
        profile.assign(**fields)
        writes.put(profile)
        writes.put(audit.entry(int(account.id), "profile.edit", pk, by, fields=sorted(fields)))
        return {f"user#{account.username}": values.profile_value(profile)}, None

    index.catalogue.publish(decide)
    return account


def _require_free(name: str | None, account: Account, snapshot: ContentDbSnapshot) -> None:
    """Raise Conflict for a display name that is another account's username or display name."""
    if name is None:
        return
    folded = plain.folded(name)
    shown = snapshot.cached("display-names", _display_names).get(folded, account.username)
    holder = accounts.find(folded)
    if shown != account.username or (holder and holder.id != account.id):
        raise Conflict("A user already has that name")


def _display_names(snapshot: ContentDbSnapshot) -> dict[str, str]:
    """The display names, each with its username."""
    profiles = (
        (key.removeprefix("user#"), entry.value)
        for key, entry in snapshot.entries.items()
        if isinstance(entry.value, ProfileEntry)
    )
    return {plain.folded(profile.display_name): name for name, profile in profiles if profile.display_name}


def _display_name(name: str, given: Any) -> str:
    return plain.line(name, given, 2, 50)


def _link(name: str, given: Any) -> str:
    return str(links.read(name, plain.line(name, given, 1, LONGEST_LINK)))


def _github(name: str, given: Any) -> str:
    username = plain.line(name, given, 1, 39)
    if not _GITHUB.fullmatch(username):
        raise Invalid(f"{name} must be a GitHub username")
    return username


def _forums(name: str, given: Any) -> str:
    return plain.line(name, given, 1, 50)


_READERS: Mapping[str, Callable[[str, Any], str]] = {
    "display_name": _display_name,
    "profile_pic_url": _link,
    "website_url": _link,
    "donate_url": _link,
    "github": _github,
    "forums": _forums,
}
