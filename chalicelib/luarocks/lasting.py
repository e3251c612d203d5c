"""What lasts: the archived state of modules and versions, with its reason, and the files of immutable modules."""

from collections.abc import Mapping
from typing import Any, TypeVar

from chalicelib.core import archiving, immutability
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.entries import replace
from chalicelib.core.errors import Forbidden, Invalid
from chalicelib.luarocks.entry import ModuleEntry, PublishedFile, VersionEntry

V = TypeVar("V", ModuleEntry, VersionEntry)


def edited(before: V, changes: Mapping[str, Any]) -> V:
    """The entry after an edit, in which `reason` says why it is archived. Raises Invalid.

    An entry that is not archived has no reason.
    """
    rest = {name: value for name, value in changes.items() if name != "reason"}
    archived = rest.get("archived", before.archived)
    reason = archiving.check_reason(changes.get("reason", before.archive_reason))
    if changes.get("reason") and not archived:
        raise Invalid("Only an archived module or version has a reason.", field="reason")
    return replace(before, **rest, archive_reason=reason if archived else None)


def is_immutable(module: ModuleEntry) -> bool:
    """Whether the published files of a module are never replaced: by the setting, or by the choice of its holder."""
    return immutability.applies("luarocks", module.immutable)


def is_same(module: ModuleEntry, filename: str, before: PublishedFile, sent: PublishedFile) -> bool:
    """Whether an upload leaves a published file of an immutable module as it is. False for other modules.

    A signature can be added to a file without one. Raises Immutable for another content.
    """
    if not is_immutable(module):
        return False
    signature = f"{filename}.asc"
    published = {filename: before.sha256, signature: before.sig_sha256}
    immutability.require_same(published, {filename: sent.sha256, signature: sent.sig_sha256 or before.sig_sha256})
    return sent.sig_sha256 in (None, before.sig_sha256)


def require_removable(module: ModuleEntry, by: Caller | None, what: str) -> None:
    """Raise Immutable unless `what` can be deleted. Administrators can delete everything, None at the command line."""
    if by is not None and not is_administrator(by) and is_immutable(module):
        raise immutability.refuse_deletion(what)


def require_choice(module: ModuleEntry, by: Caller | None, immutable: bool) -> None:
    """Raise Forbidden if `by` must not set whether a module is immutable: a holder can choose it, once and for all."""
    if by is None or is_administrator(by) or immutable == module.immutable:
        return
    if by.account.id != module.user_id:
        raise Forbidden(f"Only {module.user}, the holder of this module, may do this.")
    if not immutable:
        raise Forbidden("Only an administrator can make an immutable module changeable again.")


def is_administrator(caller: Caller) -> bool:
    """Whether the caller can change the modules of others."""
    return bool(caller.account.rank == "ADMIN")
