"""The engines that publish zones: their interface, and the engine that the settings choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chalicelib import settings
from chalicelib.core.storage import Transaction
from chalicelib.luadns.engines.authoritative import AuthoritativeEngine
from chalicelib.luadns.engines.none import NoEngine
from chalicelib.luadns.engines.route53 import Route53Engine
from chalicelib.luadns.tables import Zone


@dataclass(frozen=True)
class DsRecord:
    """A DS record of a signed zone, for its parent zone."""

    id: int
    key_tag: int
    algorithm: int
    digest_type: int
    digest: str  # hex, lower case
    public_key: str  # Base64
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class SyncResult:
    """The result of a sync: whether it changed anything, and the rejected names with reasons."""

    changed: bool = False
    rejected: tuple[tuple[str, str], ...] = ()
    name_servers: tuple[str, ...] = ()


class DnsEngine(Protocol):
    """Name servers that publish zones.

    API requests call all methods except `sync`. They must work while the provider is unreachable, except `ds_records`,
    which may raise Busy.
    """

    def name_servers(self) -> Sequence[str]:
        """The name servers of new zones: absolute names with the trailing dot."""

    def rejection_reason(self, type: str, content: str) -> str | None:
        """Why a valid record cannot be published; None if it can."""

    def zone_changed(self, writes: Transaction, zone: Zone) -> None:
        """Add the publication of a changed or new zone to the transaction that writes it."""

    def zone_deleted(self, writes: Transaction, zone: Zone) -> None:
        """Add the removal of a zone from the name servers to the transaction that deletes it."""

    def synced(self, zone: Zone) -> bool:
        """Whether the name servers serve the current zone. Makes no calls: lists call it once per zone."""

    def sync(self, zone: Zone) -> SyncResult:
        """Publish the current zone, overwrite manual changes at the provider, and wait until all servers have it.

        Calls the provider, unless the name servers read the store. Raises Busy.
        """

    def ds_records(self, zone: Zone) -> Sequence[DsRecord]:
        """The DS records of a signed zone; empty for an unsigned one."""


def current() -> DnsEngine:
    """Return the configured engine."""
    match settings.current().luadns_engine:
        case "authoritative":
            return AuthoritativeEngine()
        case "route53":
            return Route53Engine()
        case _:
            return NoEngine()
