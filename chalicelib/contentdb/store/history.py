"""What the audit log and the published events say about a change of a package."""

from collections.abc import Iterable
from typing import Any

from chalicelib.contentdb.store.tables import Package, PublicFile, Release, Screenshot
from chalicelib.core import audit, blobs, events
from chalicelib.core.caller import Actor, Caller
from chalicelib.core.published import Event, EventAction, EventFile
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import AuditEntry

PHRASES = {
    "package.create": "{actor} created the package {package}",
    "package.edit": "{actor} changed the package {package}",
    "package.maintainers": "{actor} set the maintainers of {package}: {maintainers}",
    "package.aliases": "{actor} set the aliases of {package}: {aliases}",
    "package.transfer": "{actor} transferred the package {package} to {to}",
    "package.updates": "{actor} set how {package} is checked for updates: {trigger}",
    "package.submit": "{actor} submitted {package} for approval",
    "package.approve": "{actor} approved {package}",
    "package.request-changes": "{actor} requested changes of {package}",
    "package.unapprove": "{actor} withdrew the approval of {package}",
    "package.delete": "{actor} deleted the package {package}",
    "package.restore": "{actor} restored the package {package}",
    "release.create": "{actor} created a release of {package}",
    "release.delete": "{actor} deleted a release of {package}",
    "screenshot.create": "{actor} added a screenshot of {package}",
    "screenshot.approve": "{actor} approved a screenshot of {package}",
    "screenshot.delete": "{actor} deleted a screenshot of {package}",
    "screenshot.order": "{actor} reordered the screenshots of {package}",
    "screenshot.cover": "{actor} set the cover image of {package}",
    "review.write": "{actor} reviewed {package}",
    "review.approve": "{actor} approved a review of {package}",
    "review.delete": "{actor} deleted the review of {package} by {author}",
    "comment.create": "{actor} commented on {package}",
    "comment.delete": "{actor} deleted a comment of {author} on {package}",
    "conversation.close": "{actor} closed a conversation about {package}",
    "conversation.reopen": "{actor} reopened a conversation about {package}",
    "report.create": "{actor} reported abuse: {title}",
    "report.close": "{actor} closed the report {title}: {outcome}",
    "review.vote": "{actor} voted on a review",
    "collection.save": "{actor} saved the collection {subject}",
    "collection.delete": "{actor} deleted the collection {subject}",
    "profile.edit": "{actor} changed the profile of {account}",
}


def audit_entry(package: Package, action: str, by: Caller | None, **detail: Any) -> AuditEntry:
    """An audit entry of the caller, or of the author if `by` is None (the administrator)."""
    account_id = int(by.account.id if by else package.author_id)
    return audit.entry(account_id, action, package.pk, by, package=package.key, **detail)


def announce(
    writes: Transaction,
    package: Package,
    by: Caller | Actor | None,
    kind: str,
    action: EventAction,
    version: str | None = None,
    *,
    files: Iterable[EventFile] = (),
    former_name: str | None = None,
    listed: bool = True,
    was_listed: bool = False,
    former_author: int | None = None,
) -> None:
    """Add the published event of a change of a package, or of a release, screenshot or review of it.

    The event is listed if the package is approved or `was_listed`, unless `listed` is false. It concerns the account
    `former_author` too.
    """
    events.record(
        writes,
        by,
        service="contentdb",
        kind=kind,
        name=package.key,
        action=action,
        version=version,
        files=files,
        former_name=former_name if former_name != package.key else None,
        listed=listed and (was_listed or package.state == "APPROVED"),
        owners=[int(package.author_id), *([former_author] if former_author else [])],
        usernames=package.maintainers,
    )


def page_of(event: Event) -> str | None:
    """The path of the page about the package of an event; None for a collection, which has no page."""
    return None if event.kind == "collection" else f"/packages/{event.name}"


def event_file(file: PublicFile | Release | Screenshot) -> EventFile:
    """A public file, or that of a release or a screenshot, as an event names it."""
    name = file.name if isinstance(file, PublicFile) else file.file
    return EventFile(str(name), blobs.sha256_of(str(file.blob)), int(file.size))
