"""Reports of abuse: written by members, read and closed by editors, who answer to the author."""

from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.contentdb.reviews.lifecycle import check_rate
from chalicelib.contentdb.store import notices, waiting
from chalicelib.contentdb.store.moderation_tables import AbuseReport, report_pk
from chalicelib.contentdb.store.permissions import at_least
from chalicelib.core import audit, ids
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, NotFound
from chalicelib.core.storage import Transaction

CATEGORIES = (
    "account_deletion",
    "copyright",
    "user_conduct",
    "spam",
    "illegal_harmful",
    "review",
    "appeal",
    "other",
)
OUTCOMES = ("completed", "content_removed", "no_action")
_RATE_LIMITS = ((2, 300), (5, 3600))
_WORDS = {
    "completed": "completed",
    "content_removed": "completed, and content was removed",
    "no_action": "closed without an action",
}


@dataclass(frozen=True)
class NewReport:
    """The content of a report."""

    category: str
    url: str | None
    title: str
    message: str


def create(caller: Caller, wanted: NewReport) -> AbuseReport:
    """Write a report. Raises Forbidden or TooMany. Banned accounts have no token, and write to the operator."""
    if not at_least(caller.account, "NEW_MEMBER"):
        raise Forbidden("You don't have permission to report")
    check_rate(caller.account, "report", _RATE_LIMITS)
    number = ids.reserve("contentdb-report")
    report = AbuseReport(
        report_pk(number),
        "report",
        id=number,
        author=caller.account.username,
        author_id=int(caller.account.id),
        created_at=datetime.now(UTC),
        **vars(wanted),
    )
    writes = Transaction()
    writes.create(report)
    waiting.put_report(writes, report)
    writes.put(audit.entry_by(caller, "report.create", report.pk, title=wanted.title))
    writes.commit()
    return report


def get(number: int, by: Caller | None) -> AbuseReport:
    """A report, for its author and editors; `by` None is the administrator. Raises NotFound."""
    report = AbuseReport.find(report_pk(number), "report")
    if report is None or (by and report.author_id != by.account.id and not at_least(by.account, "EDITOR")):
        raise NotFound("Report not found")
    return report


def close(number: int, outcome: str, answer: str, by: Caller | None = None) -> AbuseReport:
    """Close a report, and notify its author; `by` None is the administrator. Raises NotFound, Forbidden or Conflict."""
    report, closed = get(number, by), Conflict("The report is closed already")
    if by and not at_least(by.account, "EDITOR"):
        raise Forbidden("You don't have permission to close reports")
    values = {"outcome": outcome, "answer": answer or None, "closed_at": datetime.now(UTC)}
    writes = Transaction()
    open_ = AbuseReport.pk.exists() & AbuseReport.closed_at.does_not_exist()
    writes.update(report, report.assign(**values, closed_by=by.account.username if by else None), open_, closed)
    waiting.drop(writes, "report", number)
    subject = f"Your report {report.title[:100]!r} is {_WORDS[outcome]}"
    notices.tell(writes, [report.author], by, notices.REPORT, subject, "/account/notifications", answer)
    log = int(by.account.id) if by else int(report.author_id)
    writes.put(audit.entry(log, "report.close", report.pk, by, title=report.title, outcome=outcome))
    writes.commit()
    return report
