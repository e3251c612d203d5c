"""Creating packages."""

from functools import cache

import orjson

from chalicelib.core import audit, blobs, ids
from chalicelib.core.caller import Caller
from chalicelib.core.catalogue import Changes
from chalicelib.core.change_log import LARGE_ENTRY
from chalicelib.core.errors import Conflict
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import now
from chalicelib.core.views import View
from chalicelib.hel import index
from chalicelib.hel.model import Document
from chalicelib.hel.tables import Package, package_pk


def create(caller: Caller, document: Document) -> None:
    """Publish a new package, see model.parse. Raises Conflict when the name is in use, even by a race."""
    name = document["name"]
    taken = Conflict("The name is already used by other package.")
    rest = {field: value for field, value in document.items() if field != "owners"}
    stored = cache(lambda: _stored(rest))

    def decide(view: View, writes: Transaction) -> Changes:
        if name in view.entries:
            raise taken
        body, blob = stored()
        package = Package(
            package_pk(name),
            "package",
            # A new id for each attempt: one taken before a lost race would put the package before the winner's.
            id=ids.reserve("hel"),
            name=name,
            owners=document["owners"],
            document=body,
            blob=blob,
            created_at=now(),
            updated_at=now(),
        )
        writes.create(package, taken)
        writes.put(audit.deed(caller, "package.create", package_pk(name)))
        return {name: index.public(package, rest)}

    index.catalogue.publish(decide)


def _stored(document: Document) -> tuple[str | None, str | None]:
    """Where a document goes: (itself, None) into the item, or (None, the key of its blob) when it is large."""
    body = orjson.dumps(document)
    if len(body) > LARGE_ENTRY:
        return None, blobs.put(body, index.AREA).key
    return body.decode(), None
