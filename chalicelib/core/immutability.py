"""Immutable works: their published files are never replaced.

The setting `immutable` makes all works of a service immutable; the owners of a work can choose it for theirs.
"""

from collections.abc import Mapping

from chalicelib import settings
from chalicelib.core.errors import Conflict


class Immutable(Conflict):
    """The request would replace or delete a file that was published for good."""


def applies(service: str, chosen: bool = False) -> bool:
    """Whether the published files of a work stay as they are; `chosen` is the choice of its owners."""
    return chosen or service in settings.current().immutable


def require_same(published: Mapping[str, str | None], sent: Mapping[str, str | None]) -> None:
    """Raise Immutable if a published file would get another content. Both arguments have hashes by file name.

    A file that is not published, or has no content yet, can be added.
    """
    for name, sha256 in sent.items():
        if published.get(name) not in (None, sha256):
            raise Immutable(f"{name} is published already, and its content cannot be replaced: publish a new version.")


def refuse_deletion(what: str) -> Immutable:
    """The error for the deletion of a published version, file or work, which its owners can archive instead."""
    return Immutable(f"{what} is published for good and cannot be deleted: archive it instead.")
