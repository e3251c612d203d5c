"""The embedded name server. It answers from the store, so that a stored change is published."""

from chalicelib.luadns.engines.none import NoEngine
from chalicelib.luadns.tables import Zone


class AuthoritativeEngine(NoEngine):
    """Our own name server, with the configured names; `serve --dns-port` starts it."""

    def synced(self, zone: Zone) -> bool:
        return True
