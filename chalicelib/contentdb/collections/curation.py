"""Collections of packages, public or private.

`ContentDB/featured` is first in lists, `ContentDB/spotlight` on the homepage. Both belong to the site; editors manage
them, and no account called ContentDB is needed. A collection refers to packages by id, so renames and aliases do not
affect it. A deleted package is hidden, and appears again after it is restored.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chalicelib.contentdb.entry import CollectionEntry, CollectionItem, ContentDbEntry, ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.store import index, links, values
from chalicelib.contentdb.store.errors import no_such_page
from chalicelib.contentdb.store.permissions import at_least
from chalicelib.contentdb.store.tables import Collection
from chalicelib.contentdb.users import profiles
from chalicelib.core import audit, events
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.snapshots import Entry, Value
from chalicelib.core.errors import Forbidden, Invalid, NotFound
from chalicelib.core.published import EventAction
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account

SITE = "ContentDB"
TITLES = {"featured": "Featured", "spotlight": "Spotlight"}
MOST_PACKAGES = 500
MOST_COLLECTIONS = 50  # collections of one author
LARGEST = 100_000  # bytes of the stored item
_NAME = re.compile(r"[a-z0-9_]{1,100}")


def save(author: str, name: str, given: Mapping[str, Any], by: Caller | None = None) -> CollectionEntry:
    """Set some of title, short_description, long_description, private and items; creates a new collection.

    An item has a `package`, as `author/name`, and optionally a `description`; without one the old one is kept. Returns
    the entry. `by` None is the administrator. Raises Forbidden, Invalid, or NotFound for an unknown author.
    """
    _authorize(author, by)
    _check(author, name, given, by)

    def decide(snapshot: ContentDbSnapshot, writes: Transaction) -> tuple[Changes[ContentDbEntry], CollectionEntry]:
        collection = _collection(author, name, snapshot)
        items = _items(given["items"], collection.items, snapshot) if "items" in given else collection.items
        was_private = collection.private if collection.pk in snapshot.entries else None
        collection.assign(**{**given, "items": items})
        saved = values.collection_value(collection)
        if len(json.dumps(collection.to_dynamodb_dict())) > LARGEST:
            raise Invalid("This collection is too large")
        writes.put(collection)
        if by:
            writes.put(audit.entry_by(by, "collection.save", collection.pk, fields=sorted(given)))
        _announce(writes, author, name, by, *_event(was_private, saved.private))
        return {collection.pk: saved}, saved

    return index.catalogue.publish(decide)[1]


def set_packages(author: str, name: str, keys: Iterable[str], by: Caller | None = None) -> CollectionEntry:
    """Set the packages of a collection, as `author/name`, in this order; see `save`."""
    return save(author, name, {"items": [{"package": key} for key in keys]}, by)


def delete(author: str, name: str, by: Caller | None = None) -> None:
    """Delete a collection. Raises Forbidden or NotFound."""
    _authorize(author, by)

    def decide(snapshot: ContentDbSnapshot, writes: Transaction) -> tuple[Changes[ContentDbEntry], None]:
        entry = snapshot.entries.get(_pk(author, name))
        if entry is None:
            raise _not_found()
        writes.delete(Collection(entry.key, "collection"))
        if by:
            writes.put(audit.entry_by(by, "collection.delete", entry.key))
        found = index.collection_of(snapshot, entry.key)
        _announce(writes, author, name, by, "delete", found is not None and not found.private)
        return {entry.key: None}, None

    index.catalogue.publish(decide)


def get(snapshot: ContentDbSnapshot, author: str, name: str, caller: Caller | None) -> CollectionEntry:
    """A collection; a private one only for its owner. Raises NotFound."""
    found = index.collection_of(snapshot, _pk(author, name))
    if found is None or (found.private and not _is_owner(found, caller)):
        raise _not_found()
    return found


def list_collections(
    snapshot: ContentDbSnapshot, author: str | None = None, package: str | None = None
) -> list[CollectionEntry]:
    """The public collections by title: of one author, or with one package. Raises NotFound for an unknown one."""
    found = snapshot.cached("collections", _public)
    if author is not None:
        found = [value for value in found if value.author == author]
        if not found and author != SITE and profiles.find_account(author) is None:
            raise no_such_page()
    if package is not None:
        entry = index.find(snapshot, package) or index.by_alias(snapshot).get(package)
        if entry is None:
            raise NotFound(f"Package {package} not found")
        found = [value for value in found if any(item.package == entry.value.id for item in value.items)]
    return found


def visible_items(
    snapshot: ContentDbSnapshot, value: CollectionEntry, *, drafts: bool = False
) -> list[tuple[int, CollectionItem, Entry[PackageEntry]]]:
    """The items of a collection whose packages are visible, each with its position and its package."""
    packages = index.by_id(snapshot)
    return [
        (position, item, package)
        for position, item in enumerate(value.items, start=1)
        if (package := packages.get(item.package)) and (drafts or package.value.state == "APPROVED")
    ]


def may_edit(account: Account, author: str) -> bool:
    """Whether an account can change collections of this author."""
    is_own = author != SITE and account.username == author and at_least(account, "NEW_MEMBER")
    return is_own or at_least(account, "EDITOR")


def _event(was_private: bool | None, is_private: bool) -> tuple[EventAction, bool]:
    """The action of a saved collection, and whether it is listed; `was_private` is None for a new one."""
    if was_private is None:
        return "publish", not is_private
    if was_private == is_private:
        return "change", not is_private
    return ("archive" if is_private else "restore"), True


def _announce(
    writes: Transaction, author: str, name: str, by: Caller | None, action: EventAction, listed: bool
) -> None:
    events.record(
        writes,
        by,
        service="contentdb",
        kind="collection",
        name=f"{author}/{name}",
        action=action,
        listed=listed,
        usernames=() if author == SITE else (author,),
    )


def _authorize(author: str, by: Caller | None) -> None:
    if by and not may_edit(by.account, author):
        raise Forbidden("You don't have permission to edit this collection")


def _check(author: str, name: str, given: Mapping[str, Any], by: Caller | None) -> None:
    """Raise Invalid, Forbidden or NotFound for an invalid name, author or field."""
    if not _NAME.fullmatch(name):
        raise Invalid("Name can only contain lower case letters (a-z), digits (0-9), and underscores (_)")
    if author == SITE and name not in TITLES:
        raise Invalid(f"The collections are {', '.join(f'{SITE}/{name}' for name in TITLES)}")
    if author != SITE and not (by and by.account.username == author):
        profiles.get_account(author)
    links.refuse_blocked(given)
    for item in given.get("items", ()):
        links.refuse_blocked(item)


def _is_owner(value: CollectionEntry, caller: Caller | None) -> bool:
    """Whether the caller owns a private collection, and the token is not limited to one package."""
    if caller is None or caller.only("package") is not None:
        return False
    return caller.account.username == value.author if value.author != SITE else may_edit(caller.account, SITE)


def _collection(author: str, name: str, snapshot: ContentDbSnapshot) -> Collection:
    """The stored collection, or a new one. Raises Invalid if the author has too many."""
    pk = _pk(author, name)
    if pk in snapshot.entries and (stored := Collection.find(pk, "collection")):
        return stored
    if sum(key.startswith(_pk(author, "")) for key in snapshot.entries) >= MOST_COLLECTIONS:
        raise Invalid(f"There may be at most {MOST_COLLECTIONS} collections of one author")
    title = TITLES[name] if author == SITE else name
    moment = datetime.now(UTC)
    return Collection(pk, "collection", author=author, name=name, title=title, items=[], created_at=moment)


def _items(wanted: Sequence[Mapping[str, Any]], before: Iterable[Value], snapshot: ContentDbSnapshot) -> list[Value]:
    """The new items of a collection; packages that it had `before` keep their data."""
    if len(wanted) > MOST_PACKAGES:
        raise Invalid(f"A collection has at most {MOST_PACKAGES} packages")
    known = {item["package"]: item for item in before}
    moment = values.iso(datetime.now(UTC))
    items: dict[int, Value] = {}
    for item in wanted:
        number = _package_id(item["package"], known, snapshot)
        new = {"package": number, "description": None, "created_at": moment}
        changes = {"description": item["description"]} if "description" in item else {}
        items.setdefault(number, {**known.get(number, new), **changes})
    return list(items.values())


def _package_id(key: str, known: Mapping[int, Value], snapshot: ContentDbSnapshot) -> int:
    """The id of the package `author/name`; a deleted one must be in `known`. Raises Invalid."""
    try:
        alias = index.by_alias(snapshot).get(key)
        number = alias.value.id if alias else index.find_id(snapshot, key)
    except NotFound:
        number = 0
    if number not in known and number not in index.by_id(snapshot):
        raise Invalid(f"Unable to find the package {key}")
    return int(number)


def _public(snapshot: ContentDbSnapshot) -> list[CollectionEntry]:
    public = (value for value in index.collections(snapshot).values() if not value.private)
    return sorted(public, key=lambda value: (value.title.casefold(), value.author, value.name))


def _pk(author: str, name: str) -> str:
    return f"collection#{author}/{name}"


def _not_found() -> NotFound:
    return NotFound("Collection not found")
