"""The states of a package, from a draft to an approved package and back.

WIP -> READY_FOR_REVIEW (submit) -> APPROVED (approve); from both to CHANGES_NEEDED (request changes), which can be
submitted again; any state to WIP (unapprove) or DELETED (delete); DELETED to READY_FOR_REVIEW (restore).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import dependencies, registry
from chalicelib.contentdb.packages.fields import AI_DISCLOSURES
from chalicelib.contentdb.store import comments, history, index, notices
from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.permissions import PackageAction
from chalicelib.contentdb.store.tables import Package, Release, Screenshot
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden
from chalicelib.core.published import EventAction, EventFile
from chalicelib.core.storage import Transaction

_MOST_SCREENSHOTS = 20  # screenshots that one transaction approves with the package, besides its notifications
_MOST_FILES = 1000  # files in the event of an approval: a stored event has at most 400 kB


@dataclass(frozen=True)
class Transition:
    """A transition between states; if it is `checked`, the `problems` of the package prevent it."""

    sources: tuple[str, ...]
    target: str
    action: PackageAction
    checked: bool = False


TRANSITIONS = {
    "submit": Transition(("WIP", "CHANGES_NEEDED"), "READY_FOR_REVIEW", PackageAction.EDIT, checked=True),
    "approve": Transition(("READY_FOR_REVIEW",), "APPROVED", PackageAction.APPROVE, checked=True),
    "request-changes": Transition(("READY_FOR_REVIEW", "APPROVED"), "CHANGES_NEEDED", PackageAction.APPROVE),
    "unapprove": Transition(("READY_FOR_REVIEW", "CHANGES_NEEDED", "APPROVED"), "WIP", PackageAction.UNAPPROVE),
    "delete": Transition(("WIP", "READY_FOR_REVIEW", "CHANGES_NEEDED", "APPROVED"), "DELETED", PackageAction.DELETE),
    "restore": Transition(("DELETED",), "READY_FOR_REVIEW", PackageAction.DELETE),
}


_EVENTS: dict[str, EventAction] = {
    "submit": "change",
    "approve": "publish",
    "delete": "delete",
    "restore": "restore",
}


_VERDICTS = {  # the transitions of which the author and the maintainers are notified
    "approve": "approved",
    "request-changes": "asked for changes of",
    "unapprove": "made a draft of",
    "delete": "deleted",
}


def apply(verb: str, author: str, name: str, by: Caller | None = None, reason: str = "") -> tuple[Package, list[str]]:
    """Apply a transition, such as "submit"; returns the package and its remaining problems.

    A `reason` becomes a comment on the approval, and part of the notification of the author and the maintainers.

    The administrator (`by` None) can approve a draft despite its problems, which name the step that is left out. A
    transition to the current state changes nothing. Raises Forbidden or Conflict.
    """
    transition, words = TRANSITIONS[verb], verb.replace("-", " ")

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> list[str]:
        package = parts.package
        registry.authorize(by, transition.action, package, f"You don't have permission to {words} this package")
        found = problems(parts, snapshot) if transition.checked else []
        if package.state == transition.target:
            return found
        if package.state not in transition.sources:
            refusal = f"package that is {package.state} cannot become {transition.target}"
            if by or package.state == "DELETED" or verb == "restore":
                raise Conflict("; ".join([f"A {refusal}", *found]))
            found.insert(0, f"Through the API, a {refusal}")
        if found and by:
            raise Forbidden("; ".join(found))
        before = package.state
        _set_state(parts, transition.target, writes)
        writes.put(history.audit_entry(package, f"package.{verb}", by, **({"reason": reason} if reason else {})))
        _tell(writes, package, by, verb, reason)
        _announce(writes, parts, by, verb, before)
        return found

    parts, found = index.publish(author, name, decide)
    return parts.package, found


def problems(parts: Parts, snapshot: ContentDbSnapshot) -> list[str]:
    """The problems that prevent an approval."""
    package = parts.package
    others = [entry.value for entry in index.approved(snapshot) if entry.value.id != package.id]
    found = []
    if package.type != "MOD" and any(_same_name(package, other) for other in others):
        found.append(f"A {package.type.lower()} already exists with this name")
    if not any(release.state in ("APPROVED", "UNAPPROVED") for release in parts.releases.values()):
        found.append("You need to create a release before this package can be approved")
    if not parts.screenshots:
        found.append("You need to add at least one screenshot")
    if not package.ai_disclosure:
        found.append(f"You need to set ai_disclosure to one of {', '.join(AI_DISCLOSURES)}, by an edit or .cdb.json")
    if missing := dependencies.missing(snapshot, package):
        found.append(f"The following hard dependencies need to be added to ContentDB first: {', '.join(missing)}")
    if package.type != "GAME" and not package.supports_all_games and not package.game_support:
        found.append(
            "You need to set the supported games: supported_games in the .conf of a release (`*` means all), "
            "or game_support by an edit"
        )
    if package.forums is not None and any(other.forums == package.forums for other in others):
        found.append("Another package uses this forum topic")
    return found


def _announce(writes: Transaction, parts: Parts, by: Caller | None, verb: str, before: str) -> None:
    """Add the event; lists show that a package left them. An approval publishes what the draft already had."""
    action = _EVENTS.get(verb, "archive" if before == "APPROVED" else "change")
    files = _shown_files(parts) if verb == "approve" else []
    history.announce(writes, parts.package, by, "package", action, files=files, was_listed=before == "APPROVED")


def _shown_files(parts: Parts) -> list[EventFile]:
    """The files of approved releases and screenshots, oldest first; the newest ones of too many for an event."""
    shown: list[Release | Screenshot] = []
    shown += [release for release in parts.releases.values() if release.state == "APPROVED" and release.blob]
    shown += [shot for shot in parts.screenshots.values() if shot.approved]
    newest = sorted(shown, key=lambda file: file.created_at)[-_MOST_FILES:]
    return [history.event_file(file) for file in newest]


def _tell(writes: Transaction, package: Package, by: Caller | None, verb: str, reason: str) -> None:
    """Add the comment with the reason, and the notifications of a verdict."""
    if reason:
        comments.add(writes, comments.of_package(int(package.id)), by, reason, verb)
    if verb in _VERDICTS:
        subject = f"{notices.name_of(by)} {_VERDICTS[verb]} {package.key}"
        people = notices.people_of(package)
        notices.tell(writes, people, by, notices.APPROVAL, subject, notices.page_of(package), reason)


def _same_name(package: Package, other: PackageEntry) -> bool:
    return other.type == package.type.lower() and other.name == package.name


def _set_state(parts: Parts, state: str, writes: Transaction) -> None:
    """Set the state of a package; an approval also approves its screenshots."""
    package = parts.package
    changes: dict[str, object] = {"state": state}
    if state == "APPROVED":
        changes |= {"approved_at": package.approved_at or datetime.now(UTC), "changed": None}
        pending = [shot for shot in parts.screenshots.values() if not shot.approved]
        for shot in pending[:_MOST_SCREENSHOTS]:
            writes.update(shot, shot.assign(approved=True), Screenshot.pk.exists())
    elif state == "READY_FOR_REVIEW":
        changes["submitted_at"] = datetime.now(UTC)
    writes.update(package, package.assign(**changes))
