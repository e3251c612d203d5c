"""How often each zone was asked for: counted in memory, added to the store now and then."""

import logging
import threading
from collections import Counter

from chalicelib.core.errors import CoreError
from chalicelib.luadns import stored_zones
from chalicelib.luadns.zone_data import Ref

log = logging.getLogger("moonbase.dns")


class Counts:
    """Questions by zone. What a killed process has not yet stored is lost: it is a statistic."""

    def __init__(self) -> None:
        self._counted: Counter[Ref] = Counter()
        self._lock = threading.Lock()

    def add(self, zone: Ref) -> None:
        """Count one question."""
        with self._lock:
            self._counted[zone] += 1

    def store(self) -> None:
        """Add what was counted since the last time to the zones."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
        while counted:
            zone, count = counted.popitem()
            try:
                stored_zones.add_queries(zone, count)
            except CoreError as error:  # the store is busy; it gets them the next time
                log.warning("questions are not counted yet: %s", error)
                with self._lock:
                    self._counted.update(counted)
                    self._counted[zone] += count
                return
