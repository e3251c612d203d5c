"""Counts downloads and views of packages.

A count is added to one of several tallies, so that a popular package does not overload one key. booking.py books the
tallies. A failed count does not fail its request.
"""

import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.contentdb.statistics.tables import PackageTally, Secret, Seen
from chalicelib.contentdb.store import versions
from chalicelib.core import limits, sealing
from chalicelib.core.errors import Busy, Conflict, Full
from chalicelib.core.storage import Contended, Transaction

SHARDS = 8
ONCE_IN = timedelta(days=14)
SLOT = 300  # seconds: a tally of a past slot does not change any more, even of a popular package
NO_RELEASE = 0  # instead of a release's id, in tallies of views
_RETRIES = 3  # of a view, each with another tally
_POINTS = {"new": 2, "dependency": 1, "update": 1}  # halves of a point
_BOT = re.compile(r"bot\b|bot/|crawl|spider|slurp|archiver|scrape|preview|facebookexternalhit|monitor", re.IGNORECASE)
_KEY_ITEM = "secret#downloads"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Visitor:
    """The address and the User-Agent of a client."""

    address: str
    user_agent: str

    @property
    def counts(self) -> bool:
        """Whether the client may be a person: it has a User-Agent, and is not a bot."""
        return bool(self.address and self.user_agent and not _BOT.search(self.user_agent))


def count_download(visitor: Visitor, package_id: int, release_id: int, reason: str | None) -> None:
    """Count a download in the statistics, and once in 14 days per client and package in the public counters."""
    if not visitor.counts:
        return
    with _ignoring_failures("a download"):
        client = _client(visitor.address)
        added = {"platform_minetest" if versions.is_game(visitor.user_agent) else "platform_other": 1}
        if reason in _POINTS:
            added[f"reason_{reason}"] = 1
        seen = _seen(package_id, client, "download")
        if seen.update_or_read(_mark_seen(), _not_seen())[0]:
            added |= {"downloads": 1, "points": _POINTS.get(reason or "", 0)}
        _tally(client, package_id, release_id).update_or_read(_add(added))


def count_view(visitor: Visitor, package_id: int) -> None:
    """Count a view of a package in the game, once in 14 days per client and package."""
    if not visitor.counts or not visitor.user_agent.startswith("Luanti"):
        return
    with _ignoring_failures("a view"), suppress(_SeenBefore):
        _count_view(_client(visitor.address), package_id)


def _count_view(client: str, package_id: int, attempt: int = 0) -> None:
    writes = Transaction()
    writes.update(_seen(package_id, client, "view"), _mark_seen(), _not_seen(), _SeenBefore())
    writes.update(_tally(client, package_id, NO_RELEASE, attempt), _add({"views_luanti": 1}))
    try:
        writes.commit()
    except Contended:  # a concurrent update of this tally: use another one
        if attempt == _RETRIES:
            raise
        _count_view(client, package_id, attempt + 1)


class _SeenBefore(Conflict):
    """This client has been counted already."""


@contextmanager
def _ignoring_failures(event: str) -> Iterator[None]:
    try:
        yield
    except (Busy, Full) as error:
        _log.warning("%s was not counted: %s", event, error.message)


def _seen(package_id: int, client: str, action: str) -> Seen:
    return Seen(f"seen#{package_id}#{client}", action)


def _mark_seen() -> list[Action]:
    """Start the client's 14 days."""
    until = datetime.now(UTC) + ONCE_IN
    return [Seen.kind.set(Seen), Seen.until.set(int(until.timestamp())), Seen.expires_at.set(until)]


def _not_seen() -> Condition:
    """The condition that this client was not counted within 14 days; later requests do not extend this time."""
    until: Condition = Seen.until.does_not_exist() | (Seen.until <= int(time.time()))
    return until


def _tally(client: str, package_id: int, release_id: int, attempt: int = 0) -> PackageTally:
    """The current tally for a client."""
    moment = datetime.now(UTC)
    slot = datetime.fromtimestamp(moment.timestamp() // SLOT * SLOT, UTC)
    shard = (int(client[:8], 16) + attempt) % SHARDS
    return PackageTally(f"tally#{shard}", f"{slot:%Y-%m-%dT%H:%M}#{package_id}#{release_id}")


def _add(numbers: Mapping[str, int]) -> list[Action]:
    added = {"hits": 1, **numbers}
    return [
        PackageTally.kind.set(PackageTally),
        *(getattr(PackageTally, name).add(number) for name, number in added.items()),
    ]


def _client(address: str) -> str:
    """The keyed hash of a client's address, so that the table does not reveal the address."""
    return hmac.new(_key(), limits.network_of(address).encode(), hashlib.sha256).hexdigest()[:32]


@cache
def _key() -> bytes:
    """The key for hashes of addresses, shared by all processes and stored sealed."""
    stored = Secret.find(_KEY_ITEM, "secret")
    if stored is None:
        stored = Secret(_KEY_ITEM, "secret", sealed=sealing.seal(secrets.token_hex(32), _KEY_ITEM))
        writes = Transaction()
        writes.create(stored)
        try:
            writes.commit()
        except Contended:  # another process was faster
            return _key()
    return bytes.fromhex(sealing.unseal(stored.sealed, _KEY_ITEM))
