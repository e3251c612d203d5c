"""What an account has in LuaDNS, for its deletion: zones and TSIG keys, which can only be removed."""

from chalicelib.core.declaration import Belongings
from chalicelib.core.tables import Account
from chalicelib.luadns import store, tsig_keys, zones
from chalicelib.luadns.store import Owner


def _zones(account: Account) -> list[str]:
    return [zone.name for zone in store.zones(Owner(int(account.id)))]


def _remove_zone(account: Account, name: str) -> None:
    owner = Owner(int(account.id))
    for zone in store.zones(owner):
        if zone.name == name:
            zones.delete(owner, int(zone.id), None)


def _tsig_keys(account: Account) -> list[str]:
    return [key.name for key in tsig_keys.listed(Owner(int(account.id)))]


def _remove_tsig_key(account: Account, name: str) -> None:
    tsig_keys.delete(Owner(int(account.id)), name)


BELONGINGS = (
    Belongings("LuaDNS zones", _zones, _remove_zone),
    Belongings("TSIG keys", _tsig_keys, _remove_tsig_key),
)
