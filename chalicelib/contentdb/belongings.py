"""What an account has in ContentDB, for its deletion: packages, collections, reviews and a profile.

Collections, reviews and the profile are the account's own texts: they are removed also if the packages are transferred.
"""

from chalicelib.contentdb.collections import curation
from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import registry, states
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.reviews import lifecycle
from chalicelib.contentdb.store import index, values
from chalicelib.contentdb.users import profiles
from chalicelib.core.declaration import Belongings
from chalicelib.core.tables import Account


def _packages(account: Account) -> list[str]:
    found = _all(index.catalogue.snapshot()).items()
    return sorted(key for key, package in found if package.author == account.username)


def _remove_package(account: Account, name: str) -> None:
    states.apply("delete", *_parts(name))


def _transfer_package(account: Account, heir: Account, name: str) -> None:
    registry.transfer(*_parts(name), heir)


def _leave(account: Account, removes: bool) -> None:
    snapshot, username = index.catalogue.snapshot(), account.username
    keys = {package.id: key for key, package in _all(snapshot).items()}
    for key, package in _all(snapshot).items():
        if username in package.maintainers:
            registry.set_maintainers(*_parts(key), [name for name in package.maintainers if name != username])
    for review in list(review_index.catalogue.snapshot().entries.values()):
        if review.value.author_id == account.id and review.value.package in keys:
            lifecycle.delete(*_parts(keys[review.value.package]), int(review.key))
    for collection in index.collections(snapshot).values():
        if collection.author == username:
            curation.delete(username, collection.name)
    profiles.edit(username, dict.fromkeys(values.PROFILE))


def _all(snapshot: ContentDbSnapshot) -> dict[str, PackageEntry]:
    """All packages by `author/name`, in every state but DELETED; decoded anew, because an account is deleted rarely."""
    entries = ((entry.key, entry.value) for entry in snapshot.entries.values())
    return {key: value for key, value in entries if isinstance(value, PackageEntry)}


def _parts(key: str) -> tuple[str, str]:
    author, _, name = key.partition("/")
    return author, name


BELONGINGS = (Belongings("ContentDB packages", _packages, _remove_package, _transfer_package, _leave),)
