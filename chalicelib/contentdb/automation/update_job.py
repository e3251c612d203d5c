"""The job that checks the repository of one package for updates."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chalicelib.contentdb.automation import updates
from chalicelib.contentdb.releases import publishing
from chalicelib.contentdb.releases.publishing import LONGEST_NAME, NewRelease
from chalicelib.contentdb.store.parts import Parts, load_parts
from chalicelib.contentdb.store.permissions import PackageAction, require
from chalicelib.contentdb.store.tables import Package, UpdateCheck
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Busy, CoreError, NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.notifications.posting import notify
from chalicelib.core.outbound import git, ssh_keys
from chalicelib.core.outbound.git import Newest
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Credential

UPDATE = "package.update"  # the kind of notifications about updates


def check(job: dict[str, Any]) -> None:
    """Check a package; its update check gets the result, and the date of the next one."""
    try:
        parts = load_parts(job["package"])
    except NotFound:
        return
    found, package = parts.update_check, parts.package
    if found is None or package.state != "APPROVED":  # the next check is due in a day
        return
    try:
        newest = _look(package, found)
        changes = _outcome(parts, found, newest) if newest else {}
    except Busy:
        raise  # a retry may succeed
    except CoreError as error:
        _store(found, error=error.message[:500], failures=int(found.failures) + 1)
        return
    if changes.pop("notify", False) and newest:
        _notify(package, found, newest)
    _store(found, error=None, failures=0, **changes)


def _look(package: Package, check: UpdateCheck) -> Newest | None:
    owner = ssh_keys.of_account(int(check.account_id))
    return git.newest(package.repo or "", branch=check.ref, tags=check.trigger == "TAG", owner=owner)


def _outcome(parts: Parts, check: UpdateCheck, newest: Newest) -> dict[str, Any]:
    """The changes of the state; `notify` says that the maintainers do not know of the update yet.

    Raises the errors of a new release.
    """
    seen = {"last_commit": newest.commit, "last_tag": newest.tag}
    released = any(
        release.commit_hash == newest.commit for release in parts.releases.values() if release.state != "FAILED"
    )
    if released or check.last_commit in (None, newest.commit):
        return {**seen, "outdated_at": None} if released else seen
    if check.make_release:
        _release(parts, check, newest)
        return seen
    return {} if check.outdated_at else {"outdated_at": datetime.now(UTC), "notify": True}


def _release(parts: Parts, check: UpdateCheck, newest: Newest) -> None:
    """Make a release of the newest commit, named by its tag or by today's date."""
    account = accounts.get(int(check.account_id))
    accounts.ensure_active(account)
    caller = Caller(account, Credential("", "credential", service="contentdb", comment="update detection"))
    require(account, PackageAction.APPROVE_RELEASE, parts.package, "You do not have the permission to approve releases")
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    taken = {release.name for release in parts.releases.values()}
    title = newest.tag or (day if day not in taken else f"{day} {newest.commit[:5]}")
    wanted = NewRelease(
        name=title[:LONGEST_NAME],
        title=title[:100],
        release_notes=newest.notes,
        named=True,
        commit=newest.commit,
        ref=newest.tag or newest.commit,
        automatic=True,
    )
    publishing.create(caller, parts, wanted)


def _notify(package: Package, check: UpdateCheck, newest: Newest) -> None:
    text = f"New commit {newest.commit[:5]} found on the Git repo, is the package outdated?"
    if newest.tag:
        text = f"New tag {newest.tag} found on the Git repo."
    last = check.last_tag if newest.tag else (check.last_commit or "")[:5]
    more = f" The last {'tag' if newest.tag else 'commit'} was {last}" if last else ""
    for account in _maintainers(package):
        writes = Transaction()
        notify(writes, account, UPDATE, f"{package.title}: {text}", f"/packages/{package.key}/", text=f"{text}{more}")
        writes.commit()


def _maintainers(package: Package) -> Iterator[Account]:
    for username in (package.author, *package.maintainers):
        if account := accounts.find(username):
            yield account


def _store(check: UpdateCheck, **changes: Any) -> None:
    """Store the result of a check, unless the package is not checked any more."""
    writes = Transaction()
    state = {"last_checked_at": datetime.now(UTC), **changes}
    writes.update(check, check.assign(**state), UpdateCheck.pk.exists(), NotFound("It is not checked any more."))
    failures = int(changes["failures"])
    wait = min(updates.DAY << max(failures - 1, 0), updates.LONGEST_WAIT)
    updates.schedule(writes, int(check.package_id), updates.now() + wait)
    try:
        writes.commit()
    except NotFound:
        return
