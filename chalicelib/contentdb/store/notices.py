"""The notifications of moderation, and their recipients."""

from collections.abc import Iterable

from chalicelib.contentdb.store.tables import Package
from chalicelib.core.caller import Caller
from chalicelib.core.declaration import NotificationKind
from chalicelib.core.identity import accounts
from chalicelib.core.notifications.posting import notify
from chalicelib.core.storage import Transaction

APPROVAL, COMMENT, REFUSAL = "contentdb.approval", "contentdb.comment", "contentdb.refusal"
REPORT, PROMOTION = "contentdb.report", "contentdb.promotion"
KINDS = (
    NotificationKind(APPROVAL, "A Luanti package of yours is approved, or needs changes", "mail"),
    NotificationKind(COMMENT, "Someone comments on an approval or a review that concerns you", "mail"),
    NotificationKind(REFUSAL, "A review or screenshot of yours is refused", "mail"),
    NotificationKind(REPORT, "A report of yours is closed", "mail"),
    NotificationKind(PROMOTION, "You become a member of ContentDB"),
)
MOST = 20  # accounts that one transaction notifies, with a mail each


def people_of(package: Package) -> list[str]:
    """The usernames of a package's author and maintainers, the author first."""
    return [package.author, *package.maintainers]


def page_of(package: Package) -> str:
    """The path of a package's page."""
    return f"/packages/{package.key}/"


def name_of(by: Caller | None) -> str:
    """The actor in a sentence."""
    return by.account.username if by else "An administrator"


def tell(
    writes: Transaction, usernames: Iterable[str], by: Caller | None, kind: str, subject: str, link: str, text: str = ""
) -> None:
    """Notify the first `MOST` of these users, each once: all but the actor and those who are suspended."""
    wanted = [name for name in dict.fromkeys(usernames) if not by or name != by.account.username]
    for name in wanted[:MOST]:
        account = accounts.find(name)
        if account and not account.suspended:
            notify(writes, account, kind, subject, link, text=text)
