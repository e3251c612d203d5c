"""The embedded name server. It answers from the store, so that a stored change is published."""

from chalicelib.core.storage import Transaction
from chalicelib.luadns import notify
from chalicelib.luadns.engines.none import NoEngine
from chalicelib.luadns.tables import Zone


class AuthoritativeEngine(NoEngine):
    """Our own name server, with the configured names; `serve --dns-port` starts it."""

    def zone_changed(self, writes: Transaction, zone: Zone) -> None:
        """Notify the secondaries."""
        notify.zone_changed(writes, zone)

    def synced(self, zone: Zone) -> bool:
        return True
