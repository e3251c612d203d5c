"""What an account has in LuaDNS, for its deletion: zones, which can only be removed."""

from chalicelib.core.declaration import Belongings
from chalicelib.core.tables import Account
from chalicelib.luadns import store, zones
from chalicelib.luadns.store import Owner


def _zones(account: Account) -> list[str]:
    return [zone.name for zone in store.zones(Owner(int(account.id)))]


def _remove_zone(account: Account, name: str) -> None:
    owner = Owner(int(account.id))
    for zone in store.zones(owner):
        if zone.name == name:
            zones.delete(owner, int(zone.id), None)


BELONGINGS = (Belongings("LuaDNS zones", _zones, _remove_zone),)
