"""What was published under the name of an account, by whom, and which files are no longer those first published."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.core import activity
from chalicelib.core.activity import ActivityFilter, Described
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.tables import Account
from chalicelib.luarocks import documents, index
from chalicelib.luarocks.entry import ModuleEntry, PublishedFile

PUBLICATIONS = ActivityFilter(actions=("rockspec.publish", "rock.publish"))


@dataclass(frozen=True)
class Publication:
    """An upload of a file to a module of the account. What older code did not record is None.

    `key` is the comment of the key, and `address` the network address; both are None for another owner's upload.
    `is_served` says whether the file has this content now; it is None without a hash.
    """

    at: datetime
    module: str  # user/name
    version: str | None
    arch: str | None
    file: str | None
    sha256: str | None
    by: str | None
    key: str | None
    address: str | None
    is_served: bool | None


@dataclass(frozen=True)
class Replaced:
    """A file whose content differs from that of its first upload."""

    module: str
    file: str
    sha256: str
    first_sha256: str
    revision: int
    updated_at: int  # epoch seconds


def publications(
    snapshot: Snapshot[ModuleEntry], account: Account, before: str | None, limit: int
) -> tuple[list[Publication], str | None]:
    """A page of uploads to an account's modules, newest first, and the `before` of the next one. Raises Invalid."""
    page = activity.find(PUBLICATIONS, int(account.id), before, limit)
    return [_publication(snapshot, found) for found in activity.describe(page.entries, account)], page.next


def replaced(snapshot: Snapshot[ModuleEntry], account: Account) -> list[Replaced]:
    """The replaced files of all modules that the account owns, by module and file."""
    owned = index.modules(snapshot, index.owner_group(int(account.id)))
    return [each for _, entry in sorted(owned.items()) for each in _replaced(entry.value)]


def _replaced(module: ModuleEntry) -> list[Replaced]:
    name = f"{module.user}/{module.name}"
    files = (stored for version in sorted(module.versions) for stored in documents.stored_files(module, version))
    return [
        Replaced(name, filename, file.sha256, file.first_sha256, file.revision, file.updated_at)
        for _, file, filename in files
        if file.first_sha256 not in (None, file.sha256)
    ]


def _publication(snapshot: Snapshot[ModuleEntry], found: Described) -> Publication:
    entry, detail = found.entry, found.entry.detail or {}
    sha256 = detail.get("sha256")
    return Publication(
        at=entry.at,
        module=entry.subject,
        version=detail.get("version"),
        arch=detail.get("arch"),
        file=detail.get("file"),
        sha256=sha256,
        by=found.actor,
        key=found.key,
        address=found.address,
        is_served=_is_served(snapshot, entry.subject, detail) if sha256 else None,
    )


def _is_served(snapshot: Snapshot[ModuleEntry], key: str, detail: dict[str, Any]) -> bool:
    entry = snapshot.entries.get(key)
    version = entry.value.versions.get(detail["version"]) if entry else None
    if version is None:
        return False
    rock = version.rocks.get(detail.get("arch", ""))
    file: PublishedFile | None = rock.file if rock else None if "arch" in detail else version.file
    return file is not None and file.sha256 == detail["sha256"]
