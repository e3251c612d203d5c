"""ContentDB's ranks and permissions.

A maintainer is the author, a listed maintainer, or an account with rank EDITOR or higher.
"""

from collections.abc import Callable
from enum import Enum, auto

from chalicelib.contentdb.store.tables import Package, Release
from chalicelib.core.caller import Caller, allows
from chalicelib.core.errors import Forbidden
from chalicelib.core.tables import Account

RANKS = (
    "BANNED",
    "NOT_JOINED",
    "NEW_MEMBER",
    "MEMBER",
    "TRUSTED_MEMBER",
    "APPROVER",
    "EDITOR",
    "BOT",
    "MODERATOR",
    "ADMIN",
)
NO_ACCESS = "API token does not have access to the package"


class PackageAction(Enum):
    """The actions on a package."""

    EDIT = auto()
    CHANGE_NAME = auto()  # and the type
    MAKE_RELEASE = auto()
    APPROVE_RELEASE = auto()
    ADD_SCREENSHOTS = auto()  # also to order and delete them
    APPROVE_SCREENSHOT = auto()
    APPROVE = auto()
    CHANGE_AUTHOR = auto()
    UNAPPROVE = auto()
    DELETE = auto()
    EDIT_MAINTAINERS = auto()
    EDIT_ALIASES = auto()
    EDIT_REFERENCE_DATA = auto()


def at_least(account: Account, rank: str) -> bool:
    """Whether an account has this rank or a higher one."""
    return RANKS.index(account.rank) >= RANKS.index(rank)


def is_author(account: Account, package: Package) -> bool:
    """Whether the account is the package's author."""
    return bool(account.username == package.author)


def is_maintainer(account: Account, package: Package) -> bool:
    """Whether the account is a maintainer of the package."""
    return is_author(account, package) or account.username in package.maintainers or at_least(account, "EDITOR")


def may(account: Account, action: PackageAction, package: Package) -> bool:
    """Whether the account can perform the action on the package."""
    return at_least(account, "NEW_MEMBER") and _RULES[action](account, package)


def require(account: Account, action: PackageAction, package: Package, refusal: str) -> None:
    """Raise Forbidden, with the text `refusal`, unless the account can perform the action on the package."""
    if not may(account, action, package):
        raise Forbidden(refusal)


def may_delete_release(account: Account, package: Package, release: Release, newest: int) -> bool:
    """Whether the account can delete a release; `newest` is the highest id of the package's releases."""
    if at_least(account, "ADMIN"):
        return True
    replaceable = package.state != "APPROVED" or release.state in ("FAILED", "PROCESSING") or newest > release.id
    return replaceable and may(account, PackageAction.MAKE_RELEASE, package)


def require_may_review(account: Account, package: Package) -> None:
    """Raise Forbidden unless the package is approved and the account can review it; its maintainers cannot."""
    if not at_least(account, "NEW_MEMBER"):
        raise Forbidden("You don't have permission to write reviews")
    if is_author(account, package) or account.username in package.maintainers:
        raise Forbidden("You can't review your own package!")
    if package.state != "APPROVED":
        raise Forbidden("You can't review a package that is not approved")


def require_may_approve_reviews(account: Account | None) -> None:
    """Raise Forbidden unless the account can approve reviews; the administrator (None) can."""
    if account and not at_least(account, "APPROVER"):
        raise Forbidden("You don't have permission to approve reviews")


def require_token_for(caller: Caller, package: Package) -> None:
    """Raise Forbidden unless the token is valid for the package.

    Upstream accepts only the author's tokens. Here maintainers' tokens are accepted too, because upstream's
    maintainers can use pages that do not exist here.
    """
    require_scope(caller, package.key)
    if not is_maintainer(caller.account, package):
        raise Forbidden(NO_ACCESS)


def require_scope(caller: Caller, key: str) -> None:
    """Raise Forbidden for a read-only token, and for one that is limited to another package than `author/name`."""
    if not allows(caller.credential.scope, f"package:{key}"):
        raise Forbidden(NO_ACCESS)


def _may_approve_screenshot(account: Account, package: Package) -> bool:
    can_manage = is_maintainer(account, package) or at_least(account, "APPROVER")
    return can_manage and (package.state != "APPROVED" or at_least(account, "TRUSTED_MEMBER"))


_RULES: dict[PackageAction, Callable[[Account, Package], bool]] = {
    PackageAction.EDIT: is_maintainer,
    PackageAction.CHANGE_NAME: lambda account, package: package.state != "APPROVED" and is_maintainer(account, package),
    PackageAction.MAKE_RELEASE: is_maintainer,
    PackageAction.APPROVE_RELEASE: lambda account, package: (
        is_maintainer(account, package) or at_least(account, "APPROVER")
    ),
    PackageAction.ADD_SCREENSHOTS: is_maintainer,
    PackageAction.APPROVE_SCREENSHOT: _may_approve_screenshot,
    PackageAction.APPROVE: lambda account, package: at_least(account, "APPROVER"),
    PackageAction.CHANGE_AUTHOR: lambda account, package: at_least(account, "APPROVER"),
    PackageAction.UNAPPROVE: lambda account, package: is_author(account, package) or at_least(account, "APPROVER"),
    PackageAction.DELETE: lambda account, package: is_author(account, package) or at_least(account, "EDITOR"),
    PackageAction.EDIT_MAINTAINERS: lambda account, package: is_author(account, package) or at_least(account, "EDITOR"),
    PackageAction.EDIT_ALIASES: lambda account, package: at_least(account, "ADMIN"),
    PackageAction.EDIT_REFERENCE_DATA: lambda account, package: at_least(account, "EDITOR"),
}
