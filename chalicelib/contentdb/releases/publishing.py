"""Creates and deletes releases. A job checks their content, see check.py."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib import settings
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.media import files
from chalicelib.contentdb.store import history, index, permissions, tasks
from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.permissions import PackageAction
from chalicelib.contentdb.store.tables import Package, PublicFile, Release, ReleaseName, release_sk
from chalicelib.core import blobs, ids, jobs, uploads
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, Invalid, NotFound, TooMany
from chalicelib.core.storage import Transaction
from chalicelib.core.transparency import proofs

CHECK = "contentdb-check-release"  # the job that checks a release
LONGEST_NAME = 30
_RATE_LIMIT, _PERIOD = 5, timedelta(minutes=5)
_STRICT_NAME = re.compile(r"[A-Za-z]*\.?\d+([.\-/][\dA-Za-z]+)*")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class NewRelease:
    """A requested release: from a zip, or from the package's Git repository if `filename` is None.

    `named`: whether the request has a name; otherwise the title is used. `automatic`: it was made for a commit, by a
    webhook or by the detection of updates; there is one such release of a commit, and any name is accepted.
    """

    name: str
    title: str
    release_notes: str | None
    named: bool
    commit: str | None = None
    ref: str | None = None
    filename: str | None = None
    content: bytes = b""
    slot: str | None = None  # the upload slot of the content
    automatic: bool = False


def require_may_approve(caller: Caller, package: Package) -> None:
    """Raise Forbidden unless the caller can approve releases: the creator of a release approves it."""
    permissions.require(
        caller.account, PackageAction.APPROVE_RELEASE, package, "You do not have the permission to approve releases"
    )


def get(parts: Parts, release_id: int) -> Release:
    """A package's release; raises NotFound."""
    if release := parts.releases.get(release_id):
        return release
    raise NotFound("Release not found")


def newest_first(parts: Parts) -> list[Release]:
    """All releases of a package, newest first."""
    return [parts.releases[number] for number in sorted(parts.releases, reverse=True)]


def log_indices(parts: Parts) -> dict[int, int]:
    """The indices of a package's releases in the transparency log, by their ids."""
    logged = proofs.indices_of_files("contentdb", parts.package.key)
    named = {
        number: (release.file, blobs.sha256_of(release.blob))
        for number, release in parts.releases.items()
        if release.file and release.blob
    }
    return {number: logged[file] for number, file in named.items() if file in logged}


def create(caller: Caller, parts: Parts, wanted: NewRelease) -> Release:
    """Create a release; a job checks its content. Raises Forbidden, Invalid or TooMany, with ContentDB's texts."""
    package = parts.package
    permissions.require_token_for(caller, package)
    permissions.require(
        caller.account, PackageAction.MAKE_RELEASE, package, "You don't have permission to make releases"
    )
    _check_rate(parts)
    _check_names(parts, wanted)
    _check_source(package, wanted)
    file = files.store(wanted.content, "zip") if wanted.filename is not None else None
    try:
        release = _create(caller, package, wanted, file)
    except BaseException:
        files.drop([file.blob] if file else [])
        raise
    if wanted.slot:
        uploads.delete_file(wanted.slot)
    return release


def delete(caller: Caller, author: str, name: str, release_id: int) -> None:
    """Delete a release. Raises NotFound or Forbidden."""

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> list[str]:
        release = get(parts, release_id)
        newest = max(parts.releases)
        if not permissions.may_delete_release(caller.account, parts.package, release, newest):
            raise Forbidden("Unable to delete the release, make sure there's a newer release available")
        permissions.require_token_for(caller, parts.package)
        writes.delete(release)
        del parts.releases[release_id]
        dropped = free_names_and_file(writes, release)
        writes.put(history.audit_entry(parts.package, "release.delete", caller, release=release_id))
        history.announce(writes, parts.package, caller, "release", "delete", release.name)
        return dropped

    _, dropped = index.publish(author, name, decide)
    files.drop(dropped)


def free_names_and_file(writes: Transaction, release: Release) -> list[str]:
    """Free a release's name, title and file; return the blobs to delete after the commit."""
    for claim in _claims(release, automatic=release.commit_hash is not None):
        stored = ReleaseName.find(claim.pk, claim.sk)
        if stored and stored.release_id == release.id:
            writes.delete(stored, ReleaseName.release_id == release.id)
    return files.remove(writes, release.file)


def _create(caller: Caller, package: Package, wanted: NewRelease, file: PublicFile | None) -> Release:
    number = ids.reserve("contentdb-release")  # one by one, because the highest id is the newest release
    release = Release(
        package.pk,
        release_sk(number),
        id=number,
        package_id=package.id,
        name=wanted.name,
        title=wanted.title,
        release_notes=wanted.release_notes,
        state="PROCESSING",
        file=file.name if file else None,
        blob=file.blob if file else None,
        commit_hash=wanted.commit,
        created_at=datetime.now(UTC),
    )
    writes = Transaction()
    release.task_id = tasks.begin(writes)
    writes.create(release)
    for claim in _claims(release, automatic=wanted.automatic):
        if wanted.named:
            writes.create(claim, _taken(claim.sk.partition("#")[0]))
        else:
            writes.put(claim)  # the API's own examples repeat the same title without a name
    if file:
        files.add(writes, file)
    if wanted.slot:
        uploads.use(writes, wanted.slot)
    job = {"package": int(package.id), "release": number, "ref": wanted.ref, "by": vars(caller.actor)}
    jobs.enqueue(writes, CHECK, job)
    writes.put(history.audit_entry(package, "release.create", caller, release=number))
    writes.commit()
    return release


def _check_rate(parts: Parts) -> None:
    limit = datetime.now(UTC) - _PERIOD
    if sum(release.created_at > limit for release in parts.releases.values()) >= _RATE_LIMIT:
        raise TooMany(
            "You've created too many releases for this package in the last 5 minutes, please wait before trying again",
            retry_after=int(_PERIOD.total_seconds()),
        )


def _check_names(parts: Parts, wanted: NewRelease) -> None:
    """Raise Invalid for a used name, with ContentDB's text; the transaction guarantees uniqueness."""
    others = [release for release in parts.releases.values() if release.state != "FAILED"]
    if wanted.named and any(release.name == wanted.name for release in others):
        raise _taken("name")
    if wanted.named and any(release.title == wanted.title for release in others):
        raise _taken("title")
    if settings.current().contentdb_strict_names and not wanted.automatic and not _STRICT_NAME.fullmatch(wanted.name):
        raise Forbidden("Release name must be in the form 1.2.3, v1.2.3, or 2025-02-01")


def _check_source(package: Package, wanted: NewRelease) -> None:
    if wanted.commit is not None and not _COMMIT.fullmatch(wanted.commit):
        raise Invalid("Invalid commit hash; it must be a 40 character long base16 string")
    if wanted.filename is None:
        if not package.repo:
            raise Invalid("The package has no repository: set its repo first")
    elif not wanted.filename.lower().endswith(".zip"):
        raise Invalid("Please upload a zip file")
    elif not wanted.content:
        raise Invalid("Expected file")
    elif len(wanted.content) > settings.current().contentdb_max_upload:
        raise Invalid(f"The zip file is larger than {settings.current().contentdb_max_upload} bytes")


def _claims(release: Release, *, automatic: bool) -> Iterator[ReleaseName]:
    """The claims of a release's name and title; an automatic release of a known commit claims that too."""
    pk = f"release-names#{int(release.package_id)}"
    yield ReleaseName(pk, f"name#{release.name}", release_id=release.id)
    yield ReleaseName(pk, f"title#{release.title}", release_id=release.id)
    if automatic and release.commit_hash:
        yield ReleaseName(pk, f"commit#{release.commit_hash}", release_id=release.id)


def _taken(field: str) -> Forbidden:
    return Forbidden(f"A release with this {field} already exists")
