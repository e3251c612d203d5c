"""Who publishes zones: one seam, and the engine that the settings choose."""

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
    """What a parent zone needs of a signed zone."""

    id: int
    key_tag: int
    algorithm: int
    digest_type: int
    digest: str  # hex, lower case
    public_key: str  # Base64
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Sync:
    """What came of making the servers follow: whether something was changed, and names that they refused, and why."""

    changed: bool = False
    refused: tuple[tuple[str, str], ...] = ()
    name_servers: tuple[str, ...] = ()


class Engine(Protocol):
    """Name servers that publish zones. What the API asks of them must not fail because they are away."""

    def name_servers(self) -> Sequence[str]:
        """The servers of new zones, absolute names with their last dot."""

    def refusal(self, type: str, content: str) -> str | None:
        """Why a record that is otherwise well formed cannot be published; None when it can."""

    def zone_changed(self, writes: Transaction, zone: Zone) -> None:
        """Put into the transaction that changes `zone` to what it is now, or creates it, what publishing it needs."""

    def zone_deleted(self, writes: Transaction, zone: Zone) -> None:
        """Put into the transaction that deletes `zone` what taking it from the servers needs."""

    def synced(self, zone: Zone) -> bool:
        """Whether the servers answer with the zone as it is. Asked for every zone of a list: no calls elsewhere."""

    def sync(self, zone: Zone) -> Sync:
        """Make the servers answer with the zone as it is, whatever they have, and wait for it.

        Calls elsewhere. Raises Conflict where no servers need it, and Busy.
        """

    def ds_records(self, zone: Zone) -> Sequence[DsRecord]:
        """The DS records of a signed zone; none of another."""


def current() -> Engine:
    """The engine in force."""
    match settings.current().luadns_engine:
        case "authoritative":
            return AuthoritativeEngine()
        case "route53":
            return Route53Engine()
        case _:
            return NoEngine()
