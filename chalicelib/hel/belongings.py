"""What an account has in Hel, for its deletion: packages that it owns alone, and stored files.

Files stay at their addresses if packages are transferred, because the packages name them.
"""

from chalicelib.core.declaration import Belongings
from chalicelib.core.tables import Account
from chalicelib.hel import auth, files, index, packages
from chalicelib.hel.entry import PackageEntry


def _packages(account: Account) -> list[str]:
    """The packages that the account owns alone."""
    return [entry.name for entry in _owned(account) if len(entry.owners) == 1]


def _remove_package(account: Account, name: str) -> None:
    packages.delete(auth.console(), name)


def _transfer_package(account: Account, heir: Account, name: str) -> None:
    packages.update(auth.console(), name, lambda: {"owners": [heir.username]})


def _leave(account: Account, removes: bool) -> None:
    for entry in _owned(account):
        rest = [owner for owner in entry.owners if owner.lower() != account.username.lower()]
        packages.update(auth.console(), entry.name, lambda rest=rest: {"owners": rest})  # type: ignore[misc]
    if removes:
        for file in files.list_of(account.username):
            files.delete(auth.console(), file.owner, file.sk)


def _owned(account: Account) -> list[PackageEntry]:
    return [entry.value for entry in index.of_owner(index.catalogue.snapshot(), account.username)]


BELONGINGS = (Belongings("Hel packages", _packages, _remove_package, _transfer_package, _leave),)
