"""What an account has in ContentDB, for its deletion: packages, collections, reviews and a profile.

Collections, reviews and the profile are the account's own texts: they are removed also if the packages are transferred.
"""

from chalicelib.contentdb.collections import curation
from chalicelib.contentdb.packages import registry, states
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.reviews import lifecycle
from chalicelib.contentdb.store import index
from chalicelib.contentdb.users import profiles
from chalicelib.core.declaration import Belongings
from chalicelib.core.tables import Account


def _packages(account: Account) -> list[str]:
    snapshot = index.catalogue.snapshot()
    return sorted(entry.key for entry in index.packages(snapshot) if entry.value.author == account.username)


def _remove_package(account: Account, name: str) -> None:
    states.apply("delete", *_parts(name))


def _transfer_package(account: Account, heir: Account, name: str) -> None:
    registry.transfer(*_parts(name), heir)


def _leave(account: Account, removes: bool) -> None:
    snapshot, username = index.catalogue.snapshot(), account.username
    packages = {entry.value.id: entry for entry in index.packages(snapshot)}
    for entry in packages.values():
        if username in entry.value.maintainers:
            others = [name for name in entry.value.maintainers if name != username]
            registry.set_maintainers(*_parts(entry.key), others)
    for review in list(review_index.catalogue.snapshot().entries.values()):
        if review.value.author_id == account.id and review.value.package in packages:
            lifecycle.delete(*_parts(packages[review.value.package].key), int(review.key))
    for collection in index.collections(snapshot).values():
        if collection.author == username:
            curation.delete(username, collection.name)
    profiles.edit(username, dict.fromkeys(index.PROFILE))


def _parts(key: str) -> tuple[str, str]:
    author, _, name = key.partition("/")
    return author, name


BELONGINGS = (Belongings("ContentDB packages", _packages, _remove_package, _transfer_package, _leave),)
