"""Downloads: who counts, and how counting stays cheap.

A download adds to one of several tallies, so that a popular package does not melt one key. Every five minutes a job
books the tallies: into the statistics of the day, the release, the package's counters, and from there into the lists.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from chalicelib.contentdb import index
from chalicelib.contentdb.tables import (
    ContentDbItem,
    Counters,
    DailyStats,
    Release,
    Secret,
    Seen,
    Tally,
    package_pk,
    release_sk,
)
from chalicelib.core import inventory, jobs, sealing
from chalicelib.core.catalogue import Changes
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.views import View

COUNTED = ("platform_minetest", "platform_other", "reason_new", "reason_dependency", "reason_update")
SHARDS = 8
ONCE_IN = timedelta(days=14)
BOOKED_EVERY = 300
DECAY = 0.93  # of a score, a day
_POINTS = {"new": 2, "dependency": 1, "update": 1}  # halves of a point
_BOT = re.compile(r"bot\b|bot/|crawl|spider|slurp|archiver|scrape|preview|facebookexternalhit|monitor", re.IGNORECASE)
_KEY_ITEM = "secret#downloads"
inventory.seals(ContentDbItem, "sealed")


@dataclass(frozen=True)
class Download:
    """A release that somebody fetches: from where, with what, and why."""

    package_id: int
    release_id: int
    address: str
    user_agent: str
    reason: str | None


def count(download: Download) -> None:
    """Count a download in the statistics, and once in 14 days per client and package in the numbers that are shown."""
    if not download.address or not download.user_agent or _BOT.search(download.user_agent):
        return
    client = _client(download.address)
    is_first = _see(download.package_id, client)
    luanti = download.user_agent.startswith(("Luanti", "Minetest"))
    added = {"hits": 1, "platform_minetest" if luanti else "platform_other": 1}
    if download.reason in _POINTS:
        added[f"reason_{download.reason}"] = 1
    if is_first:
        added |= {"downloads": 1, "points": _POINTS.get(download.reason or "", 0)}
    today = datetime.now(UTC).date().isoformat()
    tally = Tally(f"tally#{int(client[:8], 16) % SHARDS}", f"{today}#{download.package_id}#{download.release_id}")
    tally.update(actions=[Tally.kind.set(Tally), *(getattr(Tally, name).add(number) for name, number in added.items())])


@jobs.repeats("contentdb-book-downloads", every=BOOKED_EVERY)
def book() -> None:
    """Book all tallies, and bring the counters into the lists."""
    groups: dict[str, list[Tally]] = defaultdict(list)
    for shard in range(SHARDS):
        for tally in Tally.query(f"tally#{shard}", consistent_read=True):
            groups[tally.sk].append(tally)
    touched = set()
    for place, tallies in groups.items():
        day, package_id, release_id = place.split("#")
        try:
            _book(day, int(package_id), int(release_id), tallies)
        except Contended:  # somebody downloads it at this moment: the next round does
            continue
        touched.add(int(package_id))
    if touched:
        index.catalogue.refresh(lambda view: _counted(view, touched))


@jobs.repeats("contentdb-decay-scores", every=86400)
def decay() -> None:
    """Let downloads of the past weigh less: every score becomes 0.93 of itself, once a day."""
    today = datetime.now(UTC).date().isoformat()
    scored = [
        int(entry.value["id"]) for entry in index.packages(index.catalogue.view()) if entry.value["score_downloads"]
    ]
    for package_id in scored:
        counters = _counters(package_id)
        if counters is None or counters.decayed_on == today:
            continue
        before = counters.score_downloads
        score = round(float(before) * DECAY, 6)
        counters.update_or_read(
            [Counters.score_downloads.set(score), Counters.decayed_on.set(today)], Counters.score_downloads == before
        )
    index.catalogue.refresh(lambda view: _counted(view, scored))


def _book(day: str, package_id: int, release_id: int, tallies: Iterable[Tally]) -> None:
    """Move what was tallied to where it belongs, once. Raises Contended when a tally moved on meanwhile."""
    writes = Transaction()
    for tally in tallies:
        writes.delete(tally, Tally.hits == tally.hits)
    sums = {
        name: sum(int(getattr(tally, name) or 0) for tally in tallies) for name in (*COUNTED, "downloads", "points")
    }
    stats = DailyStats(f"stats#{package_id}", day)
    added = [getattr(DailyStats, name).add(sums[name]) for name in COUNTED]
    writes.update(stats, [DailyStats.kind.set(DailyStats), *added])
    release = Release.find(package_pk(package_id), release_sk(release_id))
    if release and sums["downloads"]:
        writes.update(release, [Release.downloads.add(sums["downloads"])], Release.pk.exists())
    counters = _counters(package_id)
    if counters and sums["downloads"]:
        points = Counters.score_downloads.add(sums["points"] / 2)
        writes.update(counters, [Counters.downloads.add(sums["downloads"]), points], Counters.pk.exists())
    writes.commit()


def _counted(view: View, package_ids: Iterable[int]) -> Changes:
    """The entries of some packages with their counters as they stand."""
    wanted = set(package_ids)
    changes: Changes = {}
    for entry in index.packages(view):
        if entry.value["id"] in wanted and (counters := _counters(entry.value["id"])):
            value = {**entry.value, **index.counted(counters)}
            if value != entry.value:
                changes[entry.key] = value
    return changes


def _counters(package_id: int) -> Counters | None:
    return Counters.find(package_pk(package_id), "counters")


def _see(package_id: int, client: str) -> bool:
    """Whether this client has not been seen with this package for 14 days; the 14 days do not start anew."""
    seen = Seen(f"seen#{package_id}#{client}", "download")
    moment = int(time.time())
    first, _ = seen.update_or_read(
        [
            Seen.kind.set(Seen),
            Seen.until.set(moment + int(ONCE_IN.total_seconds())),
            Seen.expires_at.set(datetime.now(UTC) + ONCE_IN),
        ],
        Seen.until.does_not_exist() | (Seen.until <= moment),
    )
    return first


def _client(address: str) -> str:
    """What stands for a client's address: nobody who reads the table learns the address from it."""
    if ":" in address:  # whoever has an IPv6 address has 2^64 of them
        address = str(ipaddress.ip_network(f"{address.partition('%')[0]}/64", strict=False))
    return hmac.new(_key(), address.encode(), hashlib.sha256).hexdigest()[:32]


@cache
def _key() -> bytes:
    """The key of the addresses' hashes: the same for all processes, sealed where it is stored."""
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
