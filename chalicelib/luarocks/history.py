"""What the audit log and the published events say about a change of a module."""

from typing import Any

from chalicelib import settings
from chalicelib.core import audit, events
from chalicelib.core.caller import Caller
from chalicelib.core.published import Event, EventAction, EventFile
from chalicelib.core.storage import Transaction
from chalicelib.luarocks.entry import ModuleEntry, PublishedFile

PHRASES = {
    "rockspec.publish": "{actor} published {subject} {version}",
    "rock.publish": "{actor} published the rock of {subject} {version} for {arch}",
    "rock.delete": "{actor} deleted the rock of {subject} {version} for {arch}",
    "version.edit": "{actor} changed {subject} {version}",
    "version.delete": "{actor} deleted {subject} {version}",
    "module.edit": "{actor} changed the module {subject}",
    "module.import": "{actor} gave the module {subject} the state that it had elsewhere",
    "module.delete": "{actor} deleted the module {subject}",
    "module.transfer": "{actor} transferred the module {subject} to {to}",
    "module.invite-owner": "{actor} invited {owner} as an owner of {subject}",
    "module.add-owner": "{actor} added {owner} as an owner of {subject}",
    "module.remove-owner": "{actor} removed {owner} from the owners of {subject}",
    "module.take-root": "{actor} listed {subject} in the root manifest",
    "module.lose-root": "{actor} removed {subject} from the root manifest, in favour of {to}",
    "manifest.create": "{actor} created the manifest {subject}",
    "manifest.edit": "{actor} changed the manifest {subject}",
    "manifest.delete": "{actor} deleted the manifest {subject}",
    "manifest.add-admin": "{actor} added an admin to the manifest {subject}",
    "manifest.remove-admin": "{actor} removed an admin from the manifest {subject}",
    "manifest.add": "{actor} added {subject} to the manifest {manifest}",
    "manifest.remove": "{actor} removed {subject} from the manifest {manifest}",
}


def record(
    writes: Transaction, value: ModuleEntry, by: Caller | None, action: str, *others: int, **detail: Any
) -> None:
    """Add an audit entry to the logs of the module's holder, of the caller, and of `others`."""
    concerned = {value.user_id, *others, *([int(by.account.id)] if by else [])}
    for entry in audit.entries_for(concerned, action, f"{value.user}/{value.name}", by, **detail):
        writes.put(entry)


def record_upload(
    writes: Transaction,
    value: ModuleEntry,
    by: Caller | None,
    action: str,
    filename: str,
    file: PublishedFile,
    **detail: Any,
) -> None:
    """Add the audit entry of an upload, with the file's name and hash."""
    record(writes, value, by, action, **detail, file=filename, sha256=file.sha256)


def announce(
    writes: Transaction,
    value: ModuleEntry,
    by: Caller | None,
    kind: str,
    action: EventAction,
    version: str | None = None,
    *,
    files: tuple[EventFile, ...] = (),
    former_name: str | None = None,
) -> None:
    """Add the published event of a change of a module, its `version` or a `rock` of it."""
    events.record(
        writes,
        by,
        service="luarocks",
        kind=kind,
        name=f"{value.user}/{value.name}",
        action=action,
        version=version,
        files=files,
        former_name=former_name,
        listed=settings.current().luarocks_reads == "public",
        owners=(value.user_id, *value.owners.values()),
    )


def announce_upload(
    writes: Transaction,
    value: ModuleEntry,
    by: Caller | None,
    kind: str,
    version: str,
    filename: str,
    file: PublishedFile,
    *,
    is_new: bool,
) -> None:
    """Add the published event of a file, with its signature if it has one. A file that is not new is a change."""
    files = [EventFile(filename, file.sha256, file.size)]
    if file.sig_sha256 is not None:
        files.append(EventFile(f"{filename}.asc", file.sig_sha256, file.sig_size or 0))
    announce(writes, value, by, kind, "publish" if is_new else "change", version, files=tuple(files))


def page_of(event: Event) -> str | None:
    """The path of the page about the module of an event; None for a manifest, which has no page."""
    return None if event.kind == "manifest" else f"/modules/{event.name}"


def archiving(before: bool, after: bool) -> EventAction:
    """The action of an edit that sets whether something is archived."""
    if before == after:
        return "change"
    return "archive" if after else "restore"
