"""The number of questions per zone: counted in memory, added to the store periodically."""

import logging
import threading
from collections import Counter

from chalicelib.core.errors import CoreError
from chalicelib.luadns import stored_zones
from chalicelib.luadns.zone_data import Ref

log = logging.getLogger("moonbase.dns")


class Counts:
    """Counts questions by zone. A killed process loses its pending counts, which is acceptable for a statistic."""

    def __init__(self) -> None:
        self._counted: Counter[Ref] = Counter()
        self._lock = threading.Lock()

    def add(self, zone: Ref) -> None:
        """Count one question."""
        with self._lock:
            self._counted[zone] += 1

    def store(self) -> None:
        """Add the pending counts to the zones."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
        while counted:
            zone, count = counted.popitem()
            try:
                stored_zones.add_queries(zone, count)
            except CoreError as error:  # the store is busy; the next call adds the rest
                log.warning("query counts could not be stored yet: %s", error)
                with self._lock:
                    self._counted.update(counted)
                    self._counted[zone] += count
                return
