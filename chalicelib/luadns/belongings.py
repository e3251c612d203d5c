"""What an account has in LuaDNS, for its deletion: zones, which can only be removed, TSIG keys, and a repository."""

from chalicelib.core.declaration import Belongings
from chalicelib.core.tables import Account
from chalicelib.luadns import store, tsig_keys, zones
from chalicelib.luadns.git import repositories
from chalicelib.luadns.store import Owner


def _zones(account: Account) -> list[str]:
    return [zone.name for zone in store.zones(Owner(int(account.id)))]


def _remove_zone(account: Account, name: str) -> None:
    owner = Owner(int(account.id))
    for zone in store.zones(owner):
        if zone.name == name:
            zones.delete(owner, int(zone.id), None)


def _leave(account: Account, removes: bool) -> None:
    owner = Owner(int(account.id))
    for key in tsig_keys.listed(owner):
        tsig_keys.delete(owner, key.name)
    repositories.forget(owner)


BELONGINGS = (Belongings("LuaDNS zones", _zones, _remove_zone, leave=_leave),)
