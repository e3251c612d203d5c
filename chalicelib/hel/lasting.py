"""What lasts: the archived state of a package with its reason, and the published versions of immutable packages."""

from typing import Any

from chalicelib.core import archiving, immutability
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, Invalid
from chalicelib.hel import auth, patch
from chalicelib.hel.entry import PackageEntry
from chalicelib.hel.model import Document


def state(value: PackageEntry, caller: Caller, changes: Document) -> dict[str, Any]:
    """The attributes `archived`, `archive_reason` and `immutable` of a package after a PATCH.

    Raises Invalid, or Forbidden if an owner would make an immutable package changeable again.
    """
    archived = patch.flag(changes.get("archived", value.archived), "archived")
    immutable = patch.flag(changes.get("immutable", value.immutable), "immutable")
    reason = changes.get("reason", value.archive_reason)
    if reason is not None:
        reason = archiving.check_reason(patch.text(reason, "reason"))
    if changes.get("reason") and not archived:
        raise Invalid("Only an archived package has a reason.")
    if value.immutable and not immutable and not auth.is_admin(caller):
        raise Forbidden("Only an administrator can make an immutable package changeable again.")
    return {"archived": archived, "archive_reason": reason if archived else None, "immutable": immutable}


def is_immutable(value: PackageEntry) -> bool:
    """Whether the published versions of a package stay as they are: by the setting, or by the choice of an owner."""
    return immutability.applies("hel", value.immutable)


def require_same(value: PackageEntry, caller: Caller, before: Document, after: Document) -> None:
    """Raise Immutable if a PATCH would change the files or dependencies of a published version, or the name.

    Versions can be added, and texts changed. Administrators can change everything.
    """
    if not is_immutable(value) or auth.is_admin(caller):
        return
    if after["name"] != before["name"]:
        raise immutability.refuse_deletion(f"The name {before['name']}")
    for number, version in before["versions"].items():
        changed = after["versions"].get(number)
        if changed is None:
            raise immutability.refuse_deletion(f"{before['name']} {number}")
        for field in ("files", "depends"):
            if changed[field] != version[field]:
                raise immutability.Immutable(
                    f"{before['name']} {number} is published already, and its {field} cannot be changed: "
                    "publish a new version."
                )


def require_removable(value: PackageEntry, caller: Caller) -> None:
    """Raise Immutable unless the package can be deleted; administrators can delete every package."""
    if is_immutable(value) and not auth.is_admin(caller):
        raise immutability.refuse_deletion(value.name)
