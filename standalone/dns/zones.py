"""The zones that have been asked for, for as long as they stand as they were read."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from dns.name import Name

from chalicelib.core.errors import NotFound
from chalicelib.luadns import stored_zones
from chalicelib.luadns.stored_zones import StoredZone
from chalicelib.luadns.tables import ZoneName
from chalicelib.luadns.zone_data import Key, key_of

_MOST_NAMES = 50_000
_MOST_ZONES = 1_000


class Zones:
    """Finds zones; `state` tells a number that moves with every change in the store."""

    def __init__(self, state: Callable[[], int]) -> None:
        self._state = state
        self._names: OrderedDict[Key, tuple[int, StoredZone | None]] = OrderedDict()
        self._zones: OrderedDict[int, tuple[int, StoredZone]] = OrderedDict()

    def find(self, name: Name) -> StoredZone | None:
        """The deepest zone around a name, as it is now."""
        state = self._state()  # before reading: a change while we read makes what was read old
        key = key_of(name)
        known = self._names.get(key)
        if known is not None and known[0] == state:
            return known[1]
        claimed = stored_zones.claim(name)
        zone = self._read(claimed, state) if claimed else None
        _keep(self._names, key, (state, zone), _MOST_NAMES)
        return zone

    def _read(self, claimed: ZoneName, state: int) -> StoredZone | None:
        zone_id = int(claimed.zone_id)
        then, zone = self._zones.get(zone_id, (None, None))
        if zone is not None and then == state:
            return zone
        found = stored_zones.head(claimed)
        if found is None:
            return None
        if zone is None or zone.serial != found.serial:
            try:
                zone = StoredZone(found)
            except NotFound:  # it was deleted meanwhile
                return None
        _keep(self._zones, zone_id, (state, zone), _MOST_ZONES)
        return zone


def _keep(kept: "OrderedDict[Any, Any]", key: Any, value: Any, most: int) -> None:
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)
