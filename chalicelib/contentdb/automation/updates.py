"""The detection of updates: a package's repository is checked daily, for a new commit or a new tag.

A new one makes a release, or notifies the maintainers. After failures the checks become rarer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.store import history, index
from chalicelib.contentdb.store.parts import Parts, load_parts
from chalicelib.contentdb.store.permissions import PackageAction, require
from chalicelib.contentdb.store.tables import Package, UpdateCheck, UpdateDue, package_pk
from chalicelib.core import jobs
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account

CHECK = "contentdb-check-updates"  # the job that checks one package
TRIGGERS = ("TAG", "COMMIT")
DAY = 86400
LONGEST_WAIT = 16 * DAY  # between two checks, after failures
DUE = "updates-due"
_BRANCH = re.compile(r"(?![-/])[^\x00-\x20\x7f~^:?*\[\\]{1,255}(?<![/.])")
_BATCH = 20  # packages that one transaction enqueues


@dataclass(frozen=True)
class Wanted:
    """How a package is checked. `ref` is a branch, for commits only; None: the default one."""

    trigger: str = "TAG"
    ref: str | None = None
    make_release: bool = True


def get(parts: Parts) -> UpdateCheck:
    """The configuration and state of a package. Raises NotFound."""
    if parts.update_check:
        return parts.update_check
    raise NotFound("The package has no update detection")


def due_at(package_id: int) -> datetime | None:
    """When a package is checked next."""
    due = UpdateDue.find(DUE, _sk(package_id))
    return datetime.fromtimestamp(int(due.due_at), UTC) if due else None


def every() -> Iterator[UpdateCheck]:
    """All configurations, by the ids of their packages."""
    for due in UpdateDue.query(DUE, consistent_read=True):
        if found := UpdateCheck.find(package_pk(int(due.sk)), "update-check"):
            yield found


def configure(account: Account, author: str, name: str, wanted: Wanted, by: Caller | None = None) -> UpdateCheck:
    """Check a package from now on, and once immediately; its releases are those of `account`.

    The commit that is found first makes no release, unless an earlier one has a release. Raises Forbidden or Invalid.
    """
    _check(wanted)
    parts = _load(author, name)
    package = parts.package
    registry.authorize(by, PackageAction.MAKE_RELEASE, package, "You don't have permission to make releases")
    require(account, PackageAction.MAKE_RELEASE, package, "You don't have permission to make releases")
    if not package.repo:
        raise Invalid("The package has no repository: set its repo first")
    approved = [number for number, release in parts.releases.items() if release.state == "APPROVED"]
    newest = parts.releases[max(approved)].commit_hash if approved else None
    check = UpdateCheck(
        package.pk,
        "update-check",
        package_id=package.id,
        account_id=account.id,
        trigger=wanted.trigger,
        ref=wanted.ref,
        make_release=wanted.make_release,
        last_commit=newest if wanted.trigger == "COMMIT" else None,
    )
    writes = Transaction()
    writes.put(check)
    schedule(writes, int(package.id), now() + DAY)
    jobs.enqueue(writes, CHECK, {"package": int(package.id)}, once=str(int(package.id)))
    writes.put(history.audit_entry(package, "package.updates", by, trigger=wanted.trigger))
    writes.commit()
    return check


def remove(author: str, name: str, by: Caller | None = None) -> Package:
    """Check a package no longer. Raises Forbidden or NotFound."""
    parts = _load(author, name)
    registry.authorize(by, PackageAction.MAKE_RELEASE, parts.package, "You don't have permission to make releases")
    writes = Transaction()
    writes.delete(get(parts))
    writes.delete(UpdateDue(DUE, _sk(int(parts.package.id))))
    writes.put(history.audit_entry(parts.package, "package.updates", by, trigger=None))
    writes.commit()
    return parts.package


def check_now(author: str, name: str) -> None:
    """Enqueue a check of a package. Raises NotFound."""
    package_id = int(get(_load(author, name)).package_id)
    writes = Transaction()
    jobs.enqueue(writes, CHECK, {"package": package_id}, once=str(package_id))
    writes.commit()


def enqueue_due() -> None:
    """Enqueue the checks that are due, one per second, so that no host gets many requests at once."""
    moment = now()
    condition = UpdateDue.due_at <= moment
    due = [int(item.sk) for item in UpdateDue.query(DUE, filter_condition=condition, consistent_read=True)]
    for start in range(0, len(due), _BATCH):
        writes = Transaction()
        for number, package_id in enumerate(due[start : start + _BATCH], start):
            schedule(writes, package_id, moment + DAY)
            jobs.enqueue(writes, CHECK, {"package": package_id}, once=str(package_id), delay=float(number))
        writes.commit()


def schedule(writes: Transaction, package_id: int, due: int) -> None:
    """Set when a package is checked next, in epoch seconds."""
    writes.put(UpdateDue(DUE, _sk(package_id), due_at=due))


def now() -> int:
    """The current time in epoch seconds."""
    return int(datetime.now(UTC).timestamp())


def _load(author: str, name: str) -> Parts:
    return load_parts(registry.get(index.catalogue.snapshot(), author, name).value.id)


def _check(wanted: Wanted) -> None:
    if wanted.trigger not in TRIGGERS:
        raise Invalid(f"trigger must be one of {', '.join(TRIGGERS)}")
    if wanted.ref is not None and wanted.trigger != "COMMIT":
        raise Invalid("ref is a branch, for the trigger COMMIT only")
    if wanted.ref is not None and not _BRANCH.fullmatch(wanted.ref):
        raise Invalid("ref must be the name of a branch")


def _sk(package_id: int) -> str:
    return f"{package_id:012d}"
