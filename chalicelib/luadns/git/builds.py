"""Builds of a repository, as jobs: fetch a commit, plan, publish, and store the result."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pynamodb.expressions.update import Action

from chalicelib.core import jobs
from chalicelib.core.errors import Busy, Invalid, NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.notifications import posting
from chalicelib.core.outbound import git, ssh_keys
from chalicelib.core.outbound.git import Fetched, GitCaps
from chalicelib.core.storage import Transaction
from chalicelib.luadns.git import plan, publishing, repositories, sources
from chalicelib.luadns.git.plan import GONE, KEEP, Choices, ZonePlan
from chalicelib.luadns.git.tables import Build, Repository
from chalicelib.luadns.language.evaluation import Fault, Faulty
from chalicelib.luadns.store import Owner

NOTIFICATION = "luadns.build"
_CAPS = GitCaps(written=32 << 20, zipped=32 << 20, received=64 << 20)
_PREFIX = "zones"  # the folder in the zip
_RETRY_AFTER = 30.0  # seconds
CHECK_SECONDS = 15.0  # to plan the zones of a request, which has 29 seconds on AWS
_PLAN_SECONDS = 120.0  # to plan those of a job, which has 300 with the fetch
_LONGEST = 500  # characters of a text from Git or of a message


def run(payload: Any) -> None:
    """The job BUILD: continue the build whose process died, and run the one that waits. It may be repeated."""
    owner = Owner(int(payload["account"]))
    while started := repositories.start(owner):
        if jobs.time_left() < 0:
            raise jobs.Reschedule(0, payload)
        _run_one(owner, *started, payload)


def _run_one(owner: Owner, repository: Repository, build: Build, payload: Any) -> None:
    try:
        plans = _build(owner, repository, build)
    except Busy as busy:
        raise jobs.Reschedule(busy.detail.get("retry_after") or _RETRY_AFTER, payload) from busy
    except Faulty as error:
        _finish(owner, repository, build, (), error.faults)
    except Invalid as error:
        _finish(owner, repository, build, (), [Fault(None, None, error.message)])
    else:
        _finish(owner, repository, build, plans, ())


def check(owner: Owner, archive: bytes) -> list[ZonePlan]:
    """Return the plan of a build of a zip with files. Raises Invalid with all faults, or Busy."""
    return plan.make(owner, sources.of_files(sources.of_zip(archive)), Choices(), seconds=CHECK_SECONDS)


def _build(owner: Owner, repository: Repository, build: Build) -> list[ZonePlan]:
    caps, ssh = _CAPS, ssh_keys.of_account(owner.account_id)
    fetched = git.fetch(build.uri, caps, build.branch, _PREFIX, owner=ssh)
    build.commit, build.committed_at = fetched.commit, fetched.committed_at
    build.author, build.subject = fetched.author[:_LONGEST], fetched.subject[:_LONGEST]
    _require_newer(repository, build, fetched)
    files = sources.of_zip(fetched.content, f"{_PREFIX}/")
    found = sources.of_files(files)
    choices = Choices("prune" in build.choices, "adopt" in build.choices)
    plans = plan.make(owner, found, choices, seconds=_PLAN_SECONDS)
    publishing.publish(owner, plans)
    return plans


def _require_newer(repository: Repository, build: Build, fetched: Fetched) -> None:
    """Raise Invalid for a branch that was moved back, unless the build allows it."""
    before = repository.committed_at
    if before is None or fetched.commit == repository.commit or "older" in build.choices:
        return
    if fetched.committed_at < before:
        raise Invalid(
            f"The branch was moved back: the commit {fetched.commit[:10]} is older than {str(repository.commit)[:10]}, "
            "which is published. Retry the build with older to publish it."
        )


def _finish(
    owner: Owner, repository: Repository, build: Build, plans: Sequence[ZonePlan], faults: Sequence[Fault]
) -> None:
    """Store the result, and notify the account of a build that failed or changed something."""
    values = {
        "state": "failed" if faults else "published",
        "zones": [publishing.described(each) for each in plans],
        "errors": [[fault.file, fault.line, fault.message[:_LONGEST]] for fault in faults],
        "finished_at": datetime.now(UTC),
    }
    known = ("commit", "committed_at", "author", "subject")
    values |= {name: getattr(build, name) for name in known if getattr(build, name) is not None}
    changes: list[Action] = [Repository.running.remove()]
    if not faults:
        changes += [Repository.commit.set(build.commit), Repository.committed_at.set(build.committed_at)]
    writes = Transaction()
    writes.update(build, build.assign(**values))
    writes.update(repository, changes, Repository.running == build.id)
    if faults or any(each.action not in (KEEP, GONE) for each in plans):
        _notify(writes, owner, build, plans, faults)
    writes.commit()


def _notify(
    writes: Transaction, owner: Owner, build: Build, plans: Sequence[ZonePlan], faults: Sequence[Fault]
) -> None:
    try:
        account = accounts.get(owner.account_id)
    except NotFound:
        return
    commit = f"of {build.commit[:10]}" if build.commit else f"of {build.uri}"
    if faults:
        subject, lines = f"The build {int(build.id)} {commit} failed", [str(fault) for fault in faults]
    else:
        subject = f"The build {int(build.id)} {commit} is published"
        lines = [f"{each.name}: {each.action}" for each in plans if each.action != KEEP]
    posting.notify(writes, account, NOTIFICATION, subject, text="\n".join(lines[:10]))
