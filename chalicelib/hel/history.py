"""What the published events say about a change of a package or a stored file."""

from collections.abc import Iterable

from chalicelib.core import events
from chalicelib.core.caller import Caller
from chalicelib.core.published import EventAction, EventFile
from chalicelib.core.storage import Transaction
from chalicelib.hel.model import Document
from chalicelib.hel.tables import Package, StoredFile

PHRASES = {
    "package.create": "{actor} created the package {package}",
    "package.update": "{actor} changed the package {package}",
    "package.archive": "{actor} archived the package {package}",
    "package.unarchive": "{actor} listed the package {package} again",
    "package.delete": "{actor} deleted the package {package}",
    "file.store": "{actor} stored the file {subject}",
    "file.delete": "{actor} deleted the file {subject}",
}


def announce(
    writes: Transaction,
    caller: Caller | None,
    package: Package,
    action: EventAction,
    version: str | None = None,
    former_name: str | None = None,
    former_owners: Iterable[str] = (),
) -> None:
    """Add the published event of a change of a package. Its files have events of their own, when they are stored.

    The event concerns the owners and the `former_owners`.
    """
    events.record(
        writes,
        caller,
        service="hel",
        kind="package",
        name=package.name,
        action=action,
        version=version,
        former_name=former_name if former_name != package.name else None,
        owners=[int(package.creator_id)],
        usernames=dict.fromkeys([*package.owners, *former_owners]),
    )


def difference(before: Document, after: Document) -> tuple[EventAction, str | None]:
    """The action of an update, `transfer` if the owners differ and `publish` for a new version; and that version."""
    new = [number for number in after["versions"] if number not in before["versions"]]
    version = new[-1] if new else None
    if before["owners"] != after["owners"]:
        return "transfer", version
    return ("publish" if new else "change"), version


def newest(document: Document) -> str | None:
    """The last version of a new package; None without versions."""
    return next(reversed(document["versions"]), None)


def announce_file(writes: Transaction, caller: Caller, file: StoredFile, action: EventAction) -> None:
    """Add the published event of a stored or deleted file."""
    stored = [EventFile(file.name, file.sk, int(file.size))] if action == "publish" else []
    events.record(
        writes,
        caller,
        service="hel",
        kind="file",
        name=f"{file.owner}/{file.name}",
        action=action,
        files=stored,
        owners=[int(file.account_id)],
    )
