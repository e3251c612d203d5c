"""The repository of an account, and the queue of its builds: one build runs, and at most one waits."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from chalicelib import settings
from chalicelib.core import audit, ids, jobs, retries
from chalicelib.core.errors import Invalid
from chalicelib.core.locks import Lock
from chalicelib.core.outbound import ssh_keys, ssh_urls
from chalicelib.core.storage import Transaction
from chalicelib.luadns.git.tables import BUILDS_PREFIX, REPOSITORY_SK, Build, Repository, build_sk
from chalicelib.luadns.problems import invalid_field
from chalicelib.luadns.store import Owner, not_found
from chalicelib.luadns.tables import LuaDnsItem, account_pk

BUILD = "luadns-build"  # the job, and the sequence of the ids
CHOICES = ("prune", "adopt", "older")
_URL = re.compile(r"https?://[^\s@/]+/[^\s]{1,1000}")
_BRANCH = re.compile(r"(?![/.-])[^\x00-\x20\x7f~^:?*\[\\]{1,200}(?<![/.])")
_lock = Lock("luadns-builds")


def find(owner: Owner) -> Repository | None:
    """The repository of an account."""
    return Repository.find(account_pk(owner.account_id), REPOSITORY_SK)


def get(owner: Owner) -> Repository:
    """The repository of an account. Raises NotFound."""
    repository = find(owner)
    if repository is None:
        raise not_found("Repository")
    return repository


def deploy_key(owner: Owner) -> str:
    """The public SSH key with which the account's repositories are read; empty if there is none."""
    key = ssh_keys.find(ssh_keys.of_account(owner.account_id))
    return key.public if key else ""


def save(owner: Owner, uri: str, branch: str | None) -> Repository:
    """Set the repository. The account gets an SSH key if the repository needs one. Raises Invalid."""
    address = _parse(uri)
    if branch is not None and (not _BRANCH.fullmatch(branch) or ".." in branch):
        raise invalid_field("branch", "branch is not the name of a branch")
    writes = Transaction()
    if address and not deploy_key(owner):
        ssh_keys.create(writes, ssh_keys.of_account(owner.account_id))
    repository = find(owner) or Repository(account_pk(owner.account_id), REPOSITORY_SK)
    if repository.uri != uri:
        repository.commit = repository.committed_at = None
    values = {"uri": uri, "branch": branch, "commit": repository.commit, "committed_at": repository.committed_at}
    writes.update(repository, [Repository.kind.set(Repository), *repository.assign(**values)])
    writes.put(audit.entry(owner.account_id, "repository.save", REPOSITORY_SK, owner.caller, uri=uri))
    writes.commit()
    return repository


def delete(owner: Owner) -> None:
    """Remove the repository; zones and builds stay. A build that waits or runs fails. Raises NotFound."""
    repository = get(owner)
    writes = Transaction()
    writes.delete(repository, Repository.pk.exists(), not_found("Repository"))
    for number in filter(None, (repository.queued, repository.running)):
        stopped = build(owner, int(number))
        errors = [[None, None, "The repository was removed."]]
        writes.update(stopped, stopped.assign(state="failed", errors=errors, finished_at=datetime.now(UTC)))
    writes.put(audit.entry(owner.account_id, "repository.delete", REPOSITORY_SK, owner.caller))
    writes.commit()


def builds(owner: Owner) -> list[Build]:
    """The builds of an account, newest first."""
    begins = LuaDnsItem.sk.startswith(BUILDS_PREFIX)
    items = LuaDnsItem.query(account_pk(owner.account_id), begins, consistent_read=True, scan_index_forward=False)
    return [item for item in items if isinstance(item, Build)]


def build(owner: Owner, number: int) -> Build:
    """One build. Raises NotFound."""
    found = Build.find(account_pk(owner.account_id), build_sk(number))
    if found is None:
        raise not_found("Build")
    return found


def enqueue(owner: Owner, choices: Collection[str] = ()) -> Build:
    """Enqueue a build of the repository; return it, or the build that waits already. Raises NotFound without one."""

    def attempt() -> Build:
        repository = get(owner)
        if repository.queued:
            return _join(repository, build(owner, int(repository.queued)), choices)
        return _enqueue(owner, repository, choices)

    return retries.retry(attempt, _lock.held, "Too many builds at once.")


def _join(repository: Repository, waiting: Build, choices: Collection[str]) -> Build:
    """Add the choices to the build that waits; raises Contended if it has started."""
    wanted = sorted({*waiting.choices, *choices})
    if wanted != waiting.choices:
        writes = Transaction()
        writes.update(waiting, waiting.assign(choices=wanted), Build.state == "queued")
        writes.commit()
    return waiting


def _enqueue(owner: Owner, repository: Repository, choices: Collection[str]) -> Build:
    at = datetime.now(UTC)
    number = ids.reserve(BUILD)
    made = Build(
        repository.pk,
        build_sk(number),
        id=number,
        state="queued",
        uri=repository.uri,
        branch=repository.branch,
        choices=sorted(choices),
        created_at=at,
        expires_at=at + timedelta(days=settings.current().luadns_history_days),
    )
    writes = Transaction()
    writes.put(made)
    writes.update(
        repository, [Repository.queued.set(number)], Repository.pk.exists() & Repository.queued.does_not_exist()
    )
    jobs.enqueue(writes, BUILD, {"account": owner.account_id}, once=str(owner.account_id))
    writes.commit()
    return made


def retry(owner: Owner, number: int, choices: Collection[str]) -> Build:
    """Enqueue a build with the choices of an earlier one, and further ones. Raises NotFound."""
    return enqueue(owner, {*build(owner, number).choices, *choices})


def start(owner: Owner) -> tuple[Repository, Build] | None:
    """Start the build that waits, or continue the one whose process died; None if there is neither."""
    repository = find(owner)
    if repository is None or not (repository.queued or repository.running):
        return None
    if not repository.running:
        queued = int(repository.queued)
        writes = Transaction()
        changes = [Repository.running.set(queued), Repository.queued.remove()]
        writes.update(repository, changes, Repository.queued == queued)
        started = build(owner, queued)
        writes.update(started, started.assign(state="running"))
        writes.commit()
        repository.running = queued
        return repository, started
    return repository, build(owner, int(repository.running))


def forget(owner: Owner) -> None:
    """Delete the repository and the builds of an account that is deleted."""
    for item in (find(owner), *builds(owner)):
        if item is not None:
            item.delete()


def _parse(uri: str) -> ssh_urls.SshAddress | None:
    """The address of a repository over SSH; None for one over HTTP. Raises Invalid."""
    try:
        address = ssh_urls.parse(uri)
    except Invalid as error:
        raise invalid_field("repo_uri", error.message) from None
    if not address and not _URL.fullmatch(uri):
        raise invalid_field("repo_uri", "repo_uri must be https://HOST/PATH without a user, or ssh://git@HOST/PATH")
    return address
