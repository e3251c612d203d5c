"""Find inconsistent data in an installation, also while it is in use: `moonbase fsck`.

A scan reads items at different moments, so each suspect is read again by itself before it is reported.
"""

import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from chalicelib.core import blobs, registry
from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.catalogues.counters import CounterSet
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.declaration import Inconsistency
from chalicelib.core.directories import StoredBlob
from chalicelib.core.errors import NotFound
from chalicelib.core.storage import Item
from chalicelib.core.tables import Account, Claim, Credential

DAY = 86400
_OVERDUE = 3 * DAY  # DynamoDB can take two days to delete an expired item
_DIGEST = re.compile(r".*/([0-9a-f]{64})")

Progress = Callable[[int], object]  # called with the number of bytes read since the last call


@dataclass
class FsckScan:
    """The counts and items that a scan of all tables and blobs collects."""

    items: int = 0
    blobs: int = 0
    bytes: int = 0
    referenced: set[str] = field(default_factory=set)  # keys of blobs
    accounts: dict[int, Account] = field(default_factory=dict)
    credentials: list[Credential] = field(default_factory=list)
    claims: dict[str, str] = field(default_factory=dict)  # claimed name -> its holder


def check(scan: FsckScan, progress: Progress, *, contents: bool = True) -> Iterator[Inconsistency]:
    """Yield every inconsistency, and collect counts and items in `scan`. Without `contents` no blob is read."""
    before = {stored.key: stored for stored in blobs.list_blobs()}
    for model in registry.current().models:
        for item in model.scan(consistent_read=True):
            scan.items += 1
            yield from _check_item(model, item, before.keys(), scan)
    yield from _check_claims(scan)
    for stored in before.values():
        scan.blobs += 1
        scan.bytes += stored.size
        if stored.key not in scan.referenced:
            yield from _check_orphaned(stored)
        if contents:
            yield from _check_content(stored.key)
            progress(stored.size)
    if drafts := blobs.drop_drafts(time.time() - DAY, dry=True):
        fix = partial(blobs.drop_drafts, time.time() - DAY)
        yield Inconsistency("half-written", "blobs", f"{drafts} files are unfinished and more than a day old", fix)
    for catalogue in registry.current().catalogues.values():
        yield from _check_catalogue(catalogue)
    for counters in registry.current().counters.values():
        yield from _check_counters(counters)
    yield from registry.current().inconsistencies()


def _check_item(model: type[Item], item: Item, present: Collection[str], scan: FsckScan) -> Iterator[Inconsistency]:
    subject = f"{model.Meta.table_name} {item.pk} {item.sk}"
    for key in filter(None, registry.current().tables[model].blobs_of(item)):
        scan.referenced.add(key)
        if key not in present and not _blob_exists(key) and _is_stored(item):
            yield Inconsistency("missing-blob", subject, f"refers to {key}, which does not exist")
    if item.expires_at and item.expires_at.timestamp() < time.time() - _OVERDUE:
        yield Inconsistency("expired", subject, "expired days ago and was not deleted", item.delete)
    if isinstance(item, Account):
        scan.accounts[int(item.id)] = item
    elif isinstance(item, Credential):
        scan.credentials.append(item)
    elif isinstance(item, Claim):
        scan.claims[item.pk] = item.holder


def _check_claims(scan: FsckScan) -> Iterator[Inconsistency]:
    """Compare claims with their holders.

    Every username and e-mail address has a claim of its account, and every credential number one of its credential.
    """
    expected: dict[str, str] = {}
    for number, account in scan.accounts.items():
        expected[f"username#{account.username.lower()}"] = str(number)
        if account.email:  # a deleted account has none
            expected[f"email#{account.email.lower()}"] = str(number)
    expected.update({f"credential#{int(credential.id)}": credential.pk for credential in scan.credentials})
    for name, holder in expected.items():
        if scan.claims.get(name) != holder and _claimed(name) != holder and _exists(name, holder):
            yield Inconsistency(
                "unclaimed-name", name, f"{holder} uses it without a claim", partial(_claim, name, holder)
            )
    for name, holder in scan.claims.items():
        checked = name.startswith(("username#", "email#", "credential#"))
        if checked and expected.get(name) != holder and _claimed(name) == holder and not _exists(name, holder):
            fix = Claim(name, "claim").delete
            yield Inconsistency(
                "idle-claim", name, f"is claimed by {holder}, which does not exist or has another name", fix
            )


def _check_orphaned(stored: StoredBlob) -> Iterator[Inconsistency]:
    limit = time.time() - DAY
    if stored.key.startswith(registry.current().area_prefixes) and stored.written_at < limit:
        fix = partial(blobs.delete_older, stored.key, limit)
        yield Inconsistency("forgotten-blob", stored.key, f"{stored.size} bytes that no item refers to", fix)


def _check_content(key: str) -> Iterator[Inconsistency]:
    """Compare a blob with the SHA-256 at the end of its key; keys without a hash are skipped."""
    digest = _DIGEST.fullmatch(key)
    if not digest:
        return
    try:
        is_damaged = blobs.hash_stored(key) != digest[1]
    except NotFound:  # deleted since it was listed
        return
    if is_damaged:
        yield Inconsistency("damaged-blob", key, "its content does not match its hash")


def _check_catalogue(catalogue: Catalogue[Any]) -> Iterator[Inconsistency]:
    """Compare the served entries with ones built from the entities while no other process published."""
    for _ in range(5):
        snapshot = catalogue.snapshot()
        wrong = sorted(_differing(catalogue, snapshot))
        if catalogue.snapshot().sequence == snapshot.sequence:
            break
    else:
        return  # it changed during every comparison
    if wrong:
        yield Inconsistency(
            "catalogue", catalogue.name, f"{len(wrong)} entries differ: {_some(wrong)}", catalogue.rebuild
        )


def _differing(catalogue: Catalogue[Any], snapshot: Snapshot[Any]) -> Iterator[str]:
    """The keys of entries that differ from the entities. Few of either are in memory at a time."""
    built: set[str] = set()
    for key, value in catalogue.entities():
        built.add(key)
        entry = snapshot.entries.get(key)
        if entry is None or entry.value != value:
            yield key
    yield from (key for key in snapshot.entries if key not in built)


def _check_counters(counters: CounterSet[Any]) -> Iterator[Inconsistency]:
    """Compare the published values with the tables."""
    if wrong := sorted(counters.differing()):
        message = f"{len(wrong)} values differ: {_some(wrong)}"
        yield Inconsistency("counters", counters.name, message, counters.rebuild)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def _blob_exists(key: str) -> bool:
    try:
        blobs.open(key).close()
    except NotFound:
        return False
    return True


def _is_stored(item: Item) -> bool:
    return type(item).find(item.pk, item.sk) is not None


def _claimed(name: str) -> str | None:
    claim = Claim.find(name, "claim")
    return claim.holder if claim else None


def _exists(name: str, holder: str) -> bool:
    """Whether the holder of a claim exists and has this name."""
    kind, _, text = name.partition("#")
    if kind == "credential":
        credential = Credential.find(holder, "credential")
        return credential is not None and f"{int(credential.id)}" == text
    account = Account.find(f"account#{holder}", "account")
    return account is not None and text == (account.username if kind == "username" else account.email).lower()


def _claim(name: str, holder: str) -> None:
    Claim(name, "claim", holder=holder).save(Claim.pk.does_not_exist())
