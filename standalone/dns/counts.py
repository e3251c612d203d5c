"""How often each zone was asked for: counted in memory, added to the store now and then."""

import logging
from collections import Counter

from chalicelib.luadns import stored_zones

log = logging.getLogger("moonbase.dns")


class Counts:
    """Questions by zone. What a killed process has not yet added is lost: it is a statistic."""

    def __init__(self) -> None:
        self._counted: Counter[int] = Counter()

    def add(self, zone_id: int) -> None:
        """Count one question."""
        self._counted[zone_id] += 1
