"""A cache of zones, which is valid until the store changes."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from dns.name import Name

from chalicelib.core.errors import NotFound
from chalicelib.luadns import stored_zones
from chalicelib.luadns.stored_zones import StoredZone
from chalicelib.luadns.tables import ZoneName
from chalicelib.luadns.zone_data import Key, key_of

_MAX_NAMES = 50_000
_MAX_ZONES = 1_000


class Zones:
    """Finds zones. `state` returns a number that changes with every change of the store."""

    def __init__(self, state: Callable[[], int]) -> None:
        self._state = state
        self._names: OrderedDict[Key, tuple[int, StoredZone | None]] = OrderedDict()
        self._zones: OrderedDict[int, tuple[int, StoredZone]] = OrderedDict()

    def find(self, name: Name) -> StoredZone | None:
        """The deepest zone that contains `name`, in its current state."""
        state = self._state()  # before the read, so that a change during the read invalidates the entry
        key = key_of(name)
        cached = self._names.get(key)
        if cached is not None and cached[0] == state:
            return cached[1]
        claimed = stored_zones.deepest_claim(name)
        zone = self._read(claimed, state) if claimed else None
        _store(self._names, key, (state, zone), _MAX_NAMES)
        return zone

    def _read(self, claimed: ZoneName, state: int) -> StoredZone | None:
        zone_id = int(claimed.zone_id)
        cached_state, zone = self._zones.get(zone_id, (None, None))
        if zone is not None and cached_state == state:
            return zone
        found = stored_zones.claimed_zone(claimed)
        if found is None:
            return None
        if zone is not None and zone.serial == found.serial:
            zone.head = found  # its secondaries may have changed
        else:
            try:
                zone = (zone and zone.advanced(found)) or StoredZone(found)
            except NotFound:  # deleted meanwhile
                return None
        _store(self._zones, zone_id, (state, zone), _MAX_ZONES)
        return zone


def _store(cache: "OrderedDict[Any, Any]", key: Any, value: Any, max_entries: int) -> None:
    cache[key] = value
    while len(cache) > max_entries:
        cache.popitem(last=False)
