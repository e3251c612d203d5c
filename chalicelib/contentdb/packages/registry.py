"""Packages: lookup, creation and edits, their maintainers and aliases."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import edits
from chalicelib.contentdb.store import history, index, values, waiting
from chalicelib.contentdb.store.errors import Moved, no_such_page
from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.permissions import PackageAction, at_least, require, require_scope, require_token_for
from chalicelib.contentdb.store.tables import Counters, Package, PackageName, name_pk, package_pk
from chalicelib.core import ids
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.snapshots import Entry
from chalicelib.core.errors import Conflict, Forbidden, Invalid
from chalicelib.core.identity import accounts, names
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account

MOST_NAMES = 50
_KEY = re.compile(r"[A-Za-z0-9_-]{2,25}/[a-z0-9_]{1,100}")
_REQUIRED = ("type", "title", "license")


def get(snapshot: ContentDbSnapshot, author: str, name: str) -> Entry[PackageEntry]:
    """A package in any state but DELETED; raises NotFound, or Moved for an alias or a game's name without `_game`."""
    key = f"{author}/{name}"
    if entry := index.find(snapshot, key):
        return entry
    game = index.find(snapshot, f"{key}_game")
    other = game if game and game.value.type == "game" else index.by_alias(snapshot).get(key)
    if other:
        raise Moved(to=other.key)
    raise no_such_page()


def create(author: str, name: str, data: Mapping[str, Any], by: Caller | None = None) -> Package:
    """Create a draft with the fields of an edit; type, title and license are required.

    `by` None is the administrator. Raises Invalid, Forbidden, NotFound for an unknown author, or Conflict.
    """
    if by:
        require_scope(by, f"{author}/{name}")
    account = _owner(author, by)
    package_id = cache(lambda: ids.reserve("contentdb-package"))

    def decide(snapshot: ContentDbSnapshot, writes: Transaction) -> tuple[Changes[ContentDbEntry], Package]:
        fields = _first_fields({**data, "name": name}, snapshot)
        if f"{account.username}/{name}" in snapshot.entries:
            raise _taken()
        names.check("contentdb", f"{account.username}/{name}", account.username)
        pk, provides = package_pk(package_id()), [name] if fields["type"] == "MOD" else []
        package = Package(
            pk,
            "package",
            id=package_id(),
            author=account.username,
            author_id=account.id,
            provides=provides,
            created_at=datetime.now(UTC),
            **fields,
        )
        parts = Parts(package, Counters(pk, "counters"))
        writes.create(package)
        writes.create(parts.counters)
        writes.create(_claim(package.key, package), _taken())
        writes.put(history.audit_entry(package, "package.create", by))
        history.announce(writes, package, by, "package", "publish")
        return {package.key: values.value_of(parts)}, package

    return index.catalogue.publish(decide)[1]


def edit(caller: Caller, author: str, name: str, data: Mapping[str, Any]) -> tuple[Parts, bool]:
    """Set some fields, see edits.py; return the changed parts of the package, and whether anything changed."""

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> bool:
        require_token_for(caller, parts.package)
        before = parts.package.key
        modified = apply(caller.account, parts.package, data, writes, snapshot)
        if modified:
            writes.put(history.audit_entry(parts.package, "package.edit", caller))
            history.announce(writes, parts.package, caller, "package", "change", former_name=before)
        return modified

    return index.publish(author, name, decide)


def apply(
    account: Account, package: Package, data: Mapping[str, Any], writes: Transaction, snapshot: ContentDbSnapshot
) -> bool:
    """Set some fields as part of a larger change, such as a release with a `.cdb.json`; return whether any changed.

    The transaction must not contain another write of the package.
    """
    fields = edits.decide(account, package, data, snapshot)
    if fields:
        before = package.key
        writes.update(package, package.assign(**waiting.changes_of(package, fields), **fields))
        rename(package, before, writes)
    return bool(fields)


def rename(package: Package, before: str, writes: Transaction) -> None:
    """Replace the claim of the name `before` by one of the package's current name, if they differ."""
    if package.key != before:
        names.check("contentdb", package.key, package.author)
        _free(writes, before, package)
        writes.create(_claim(package.key, package), _taken())


def set_maintainers(author: str, name: str, usernames: Iterable[str], by: Caller | None = None) -> Parts:
    """Set the maintainers, in addition to the author. Raises Forbidden, or NotFound for an unknown account."""
    found = [accounts.named(username).username for username in _limited(usernames)]

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> None:
        package = parts.package
        authorize(by, PackageAction.EDIT_MAINTAINERS, package, "You don't have permission to edit the maintainers")
        others = sorted({username for username in found if username != package.author})
        writes.update(package, package.assign(maintainers=others))
        writes.put(history.audit_entry(package, "package.maintainers", by, maintainers=others))
        history.announce(writes, package, by, "package", "change")

    return index.publish(author, name, decide)[0]


def set_aliases(author: str, name: str, keys: Iterable[str], by: Caller | None = None) -> Parts:
    """Set the other `author/name` of a package. Raises Forbidden, Invalid or Conflict."""
    wanted = sorted(set(_limited(keys)))
    if wrong := [key for key in wanted if not _KEY.fullmatch(key)]:
        raise Invalid(f"{wrong[0]} is not an author/name")

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> None:
        package = parts.package
        authorize(by, PackageAction.EDIT_ALIASES, package, "You don't have permission to edit the aliases")
        before = set(package.aliases)
        for key in before.difference(wanted):
            _free(writes, key, package)
        for key in set(wanted) - before:
            names.check("contentdb", key, package.author)
            writes.create(_claim(key, package), Conflict(f"{key} is taken by another package"))
        writes.update(package, package.assign(aliases=wanted))
        writes.put(history.audit_entry(package, "package.aliases", by, aliases=wanted))
        history.announce(writes, package, by, "package", "change")

    return index.publish(author, name, decide)[0]


def transfer(author: str, name: str, heir: Account) -> Parts:
    """Give a package to another author, by the administrator; its former name becomes an alias. Raises Conflict."""

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> None:
        package, before, former = parts.package, parts.package.key, int(parts.package.author_id)
        others = [username for username in package.maintainers if username not in (author, heir.username)]
        aliases = sorted({*package.aliases, before} - {f"{heir.username}/{name}"})
        changes = {"author": heir.username, "author_id": heir.id, "maintainers": others, "aliases": aliases}
        known = f"{heir.username}/{name}" in package.aliases
        writes.update(package, package.assign(**changes))
        if not known:
            writes.create(_claim(package.key, package), _taken())
        writes.put(history.audit_entry(package, "package.transfer", None, to=heir.username))
        history.announce(writes, package, None, "package", "transfer", former_name=before, former_author=former)

    return index.publish(author, name, decide)[0]


def authorize(by: Caller | None, action: PackageAction, package: Package, refusal: str) -> None:
    """Raise Forbidden unless the caller with this token can do this; the administrator (None) can."""
    if by is not None:
        require_scope(by, package.key)
        require(by.account, action, package, refusal)


def _owner(author: str, by: Caller | None) -> Account:
    """The account that will own a new package."""
    if by and by.account.username == author:
        account = by.account
        if not at_least(account, "NEW_MEMBER"):
            raise Forbidden("You don't have permission to create packages")
        return account
    if by and not at_least(by.account, "APPROVER"):
        raise Forbidden("You don't have permission to create packages for others")
    return accounts.named(author)


def _first_fields(data: Mapping[str, Any], snapshot: ContentDbSnapshot) -> edits.Fields:
    for field in _REQUIRED:
        if field not in data:
            raise Invalid(f"{field} is required")
    fields = edits.parse(data, snapshot)
    fields.setdefault("media_license", fields["license"])
    if fields["type"] == "TXP":
        fields["license"] = fields["media_license"]
    if "game_support" in fields:
        fields["game_support"] = edits.support(fields["game_support"], [])
    return fields


def _claim(key: str, package: Package) -> PackageName:
    return PackageName(name_pk(key), "package-name", package_id=package.id)


def _taken() -> Conflict:
    return Conflict("A package with this name already exists")


def _limited(names: Iterable[str]) -> list[str]:
    given = list(names)
    if len(given) > MOST_NAMES:
        raise Invalid(f"At most {MOST_NAMES} names are allowed")
    return given


def _free(writes: Transaction, key: str, package: Package) -> None:
    """Give up a name of the package, which stays reserved for its author and maintainers."""
    writes.delete(PackageName(name_pk(key), "package-name"))
    names.reserve(writes, "contentdb", key, (package.author, *package.maintainers))
