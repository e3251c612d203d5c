"""Collections of packages: `ContentDB/featured` leads lists, `ContentDB/spotlight` the homepage.

Both belong to the site and are looked after by editors; nobody needs an account called ContentDB for them.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from chalicelib.contentdb import index
from chalicelib.contentdb.permissions import at_least
from chalicelib.contentdb.tables import Collection
from chalicelib.core import audit
from chalicelib.core.caller import Caller
from chalicelib.core.catalogue import Changes
from chalicelib.core.errors import Forbidden, Invalid
from chalicelib.core.storage import Transaction
from chalicelib.core.views import Value, View

SITE = "ContentDB"
TITLES = {"featured": "Featured", "spotlight": "Spotlight"}
MOST_PACKAGES = 500


def set_packages(author: str, name: str, keys: Iterable[str], by: Caller | None = None) -> Value:
    """Say which packages, as `author/name`, are in a collection, in this order; the collection is made when it is new.

    Returns its entry. `by` None is the administrator. Raises Forbidden, Invalid or NotFound.
    """
    if author != SITE or name not in TITLES:
        raise Invalid(f"The collections are {', '.join(f'{SITE}/{name}' for name in TITLES)}")
    if by and (by.credential.scope or not at_least(by.account, "EDITOR")):
        raise Forbidden("You don't have permission to edit this collection")
    wanted = list(dict.fromkeys(keys))
    if len(wanted) > MOST_PACKAGES:
        raise Invalid(f"A collection has at most {MOST_PACKAGES} packages")
    made: list[Value] = []

    def decide(view: View, writes: Transaction) -> Changes:
        collection = _collection(author, name, wanted, view)
        writes.put(collection)
        if by:
            writes.put(audit.deed(by, "collection.packages", collection.pk, packages=wanted))
        made[:] = [index.collection_value(collection)]
        return {collection.pk: made[0]}

    index.catalogue.publish(decide)
    return made[0]


def _collection(author: str, name: str, keys: list[str], view: View) -> Collection:
    """The collection with these packages; what is known of those that were in it before is kept."""
    pk, moment = f"collection#{author}/{name}", datetime.now(UTC)
    before = view.entries.get(pk)
    known = {item["package"]: item for item in before.value["items"]} if before else {}
    for key in keys:
        if key not in known and index.find(view, key) is None:
            raise Invalid(f"Unable to find the package {key}")
    items = [known.get(key) or {"package": key, "description": None, "created_at": index.iso(moment)} for key in keys]
    stored = Collection.find(pk, "collection") if before else None
    collection = stored or Collection(pk, "collection", author=author, name=name, created_at=moment)
    collection.assign(title=collection.title or TITLES[name], items=items)
    return collection
