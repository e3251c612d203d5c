"""No name servers: zones are stored, but not published."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib import settings
from chalicelib.core.storage import Transaction
from chalicelib.luadns.tables import Zone

if TYPE_CHECKING:
    from chalicelib.luadns.engines import DsRecord, SyncResult


class NoEngine:
    """Publishes nothing. New zones get the configured name servers."""

    def name_servers(self) -> Sequence[str]:
        return settings.current().luadns_name_servers

    def rejection_reason(self, type: str, content: str) -> str | None:
        return None

    def zone_changed(self, writes: Transaction, zone: Zone) -> None:
        pass

    def zone_deleted(self, writes: Transaction, zone: Zone) -> None:
        pass

    def synced(self, zone: Zone) -> bool:
        return False

    def sync(self, zone: Zone) -> "SyncResult":
        from chalicelib.luadns.engines import SyncResult

        return SyncResult(name_servers=tuple(self.name_servers()))  # a name server of ours reads the store itself

    def ds_records(self, zone: Zone) -> "Sequence[DsRecord]":
        return ()
