"""The states of a package, from a draft to an approved package and back.

WIP -> READY_FOR_REVIEW (submit) -> APPROVED (approve); from both to CHANGES_NEEDED (request changes), which may be
submitted again; anything to WIP (unapprove) or to DELETED (delete), which comes back READY_FOR_REVIEW (restore).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import dependencies, registry
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.index import Parts
from chalicelib.contentdb.store.permissions import PackageAction
from chalicelib.contentdb.store.tables import Package, Screenshot
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden
from chalicelib.core.storage import Transaction

_MOST_SCREENSHOTS = 90  # screenshots that one transaction can approve with the package


@dataclass(frozen=True)
class Step:
    """A transition between states; if it is `checked`, the `problems` of the package prevent it."""

    sources: tuple[str, ...]
    target: str
    action: PackageAction
    checked: bool = False


STEPS = {
    "submit": Step(("WIP", "CHANGES_NEEDED"), "READY_FOR_REVIEW", PackageAction.EDIT, checked=True),
    "approve": Step(("READY_FOR_REVIEW",), "APPROVED", PackageAction.APPROVE, checked=True),
    "request-changes": Step(("READY_FOR_REVIEW", "APPROVED"), "CHANGES_NEEDED", PackageAction.APPROVE),
    "unapprove": Step(("READY_FOR_REVIEW", "CHANGES_NEEDED", "APPROVED"), "WIP", PackageAction.UNAPPROVE),
    "delete": Step(("WIP", "READY_FOR_REVIEW", "CHANGES_NEEDED", "APPROVED"), "DELETED", PackageAction.DELETE),
    "restore": Step(("DELETED",), "READY_FOR_REVIEW", PackageAction.DELETE),
}


def take(step: str, author: str, name: str, by: Caller | None = None) -> tuple[Package, list[str]]:
    """Make a transition; returns the package and its remaining problems.

    The administrator (`by` None) can approve a draft despite its problems. A transition to the present state changes
    nothing. Raises Forbidden or Conflict.
    """
    way, words = STEPS[step], step.replace("-", " ")

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> list[str]:
        package = parts.package
        registry.authorize(by, way.action, package, f"You don't have permission to {words} this package")
        found = problems(parts, snapshot) if way.checked else []
        if package.state == way.target:
            return found
        if package.state not in way.sources and (by or package.state == "DELETED" or step == "restore"):
            raise Conflict(f"A package that is {package.state} cannot become {way.target}")
        if found and by:
            raise Forbidden("; ".join(found))
        _move(parts, way.target, writes)
        writes.put(registry.note(package, f"package.{step}", by))
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
        found.append("You need to set the AI disclosure")
    if missing := dependencies.missing(snapshot, package):
        found.append(f"The following hard dependencies need to be added to ContentDB first: {', '.join(missing)}")
    if package.type != "GAME" and not package.supports_all_games and not package.game_support:
        found.append("You need to set the supported games")
    if package.forums is not None and any(other.forums == package.forums for other in others):
        found.append("Another package uses this forum topic")
    return found


def _same_name(package: Package, other: PackageEntry) -> bool:
    return other.type == package.type.lower() and other.name == package.name


def _move(parts: Parts, state: str, writes: Transaction) -> None:
    """Set the state of a package; an approval also approves its screenshots."""
    package = parts.package
    changes: dict[str, object] = {"state": state}
    if state == "APPROVED":
        changes["approved_at"] = package.approved_at or datetime.now(UTC)
        waiting = [shot for shot in parts.screenshots.values() if not shot.approved]
        for shot in waiting[:_MOST_SCREENSHOTS]:
            writes.update(shot, shot.assign(approved=True), Screenshot.pk.exists())
    writes.update(package, package.assign(**changes))
