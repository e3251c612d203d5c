"""The job for a new release: fetches it, reads its content, and approves it or stores the error."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from chalicelib import settings
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.media import files
from chalicelib.contentdb.packages import edits, registry
from chalicelib.contentdb.releases import archive, content, game_support, publishing
from chalicelib.contentdb.releases.content import Content
from chalicelib.contentdb.store import history, index, reference, tasks, versions, waiting
from chalicelib.contentdb.store.parts import Parts, load_parts
from chalicelib.contentdb.store.tables import Package, PublicFile, Release
from chalicelib.core import blobs
from chalicelib.core.caller import Actor
from chalicelib.core.errors import Busy, CoreError, Invalid, NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.outbound import git, ssh_keys
from chalicelib.core.outbound.git import GitCaps
from chalicelib.core.published import EventFile
from chalicelib.core.storage import Transaction

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Fetched:
    """The bytes of a release, and its data from Git."""

    content: bytes
    commit: str | None
    notes: str | None


def check(job: dict[str, Any]) -> None:
    """Check a release in state PROCESSING; the release and its task get the result."""
    try:
        parts = load_parts(job["package"])
        release = publishing.get(parts, job["release"])
    except NotFound:  # deleted meanwhile
        return
    if release.state != "PROCESSING":
        return
    tasks.start(release.task_id)
    try:
        _approve(parts, release, job)
    except Busy:
        raise  # a retry may succeed
    except CoreError as error:
        _fail(parts.package, release, error.message)
    except Exception:  # a bug of ours must not leave the release in PROCESSING
        _log.exception("release %d cannot be checked", int(release.id))
        _fail(parts.package, release, "Unknown server error")


def _approve(parts: Parts, release: Release, job: dict[str, Any]) -> None:
    package = parts.package
    actor = _actor(job)
    fetched = _fetch(parts, release, job["ref"], actor.account_id)
    root = archive.open_zip(fetched.content)
    languages = reference.of(index.catalogue.snapshot()).languages
    found = content.read(root, package.type, package.name, languages, approved=package.state == "APPROVED")
    file = files.store(fetched.content, "zip") if not release.blob else None
    try:
        index.publish(package.author, package.name, _decision(release, found, fetched, file, actor))
    except BaseException:
        files.drop([file.blob] if file else [])
        raise


def _fetch(parts: Parts, release: Release, ref: str | None, account_id: int) -> _Fetched:
    """The uploaded file, or a commit of the package's repository as a zip, with the SSH key of an account."""
    if release.blob:
        return _Fetched(blobs.get(release.blob), release.commit_hash, release.release_notes)
    before = [other.commit_hash for other in publishing.newest_first(parts) if other.state == "APPROVED"]
    previous = before[0] if before and not release.release_notes else None
    caps = GitCaps(written=archive.LARGEST, zipped=settings.current().contentdb_max_upload)
    owner = ssh_keys.of_account(account_id)
    fetched = git.fetch(parts.package.repo or "", caps, ref, parts.package.name, previous, owner)
    notes = "\n".join(f"- {subject}" for subject in fetched.subjects)
    return _Fetched(fetched.content, fetched.commit, release.release_notes or notes or None)


def _decision(
    release: Release, found: Content, fetched: _Fetched, file: PublicFile | None, actor: Actor
) -> Callable[[Parts, Transaction, ContentDbSnapshot], None]:
    """The decision that approves the release, and updates the package from its newest release."""

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> None:
        package, before = parts.package, parts.package.key
        approved = publishing.get(parts, int(release.id))
        unchanged = Release.state == "PROCESSING"
        changes: dict[str, Any] = {
            "state": "APPROVED",
            "size": len(fetched.content),
            "commit_hash": fetched.commit,
            "release_notes": fetched.notes,
            "warnings": found.warnings or None,
            "min_version": _version(snapshot, found.min_version),
            "max_version": _version(snapshot, found.max_version),
        }
        if file:
            changes |= {"file": file.name, "blob": file.blob}
            files.add(writes, file)
        newest = max((number for number, other in parts.releases.items() if other.state == "APPROVED"), default=0)
        if approved.id > newest:
            _update_package(package, found, writes, snapshot, actor.account_id)
        writes.update(approved, approved.assign(**changes), unchanged)
        if parts.update_check and fetched.commit:  # the package is up to date
            current = parts.update_check.assign(outdated_at=None, last_commit=fetched.commit)
            writes.update(parts.update_check, current)
        tasks.succeed(writes, str(release.task_id), f"/uploads/{approved.file}")
        published = EventFile(str(approved.file), hashlib.sha256(fetched.content).hexdigest(), len(fetched.content))
        history.announce(
            writes, package, actor, "release", "publish", approved.name, files=[published], former_name=before
        )

    return decide


def _actor(job: dict[str, Any]) -> Actor:
    """The creator of the release. A job that older code enqueued has only the account's id."""
    if "by" in job:
        return Actor(**job["by"])
    account = accounts.get(job["account"])
    return Actor(int(account.id), account.username)


def _update_package(
    package: Package, found: Content, writes: Transaction, snapshot: ContentDbSnapshot, account_id: int
) -> None:
    """Update the package from a release's content. Raises Invalid."""
    fields: dict[str, Any] = {
        "provides": found.provides,
        "depends": found.depends,
        "optional_depends": found.optional_depends,
        "translations": found.translations or None,
    }
    changed = _cdb_fields(package, found, snapshot, account_id)
    before, remembered = package.key, waiting.changes_of(package, changed)
    for name, value in changed.items():
        setattr(package, name, value)
    fields["supports_all_games"], rows = game_support.resolve(package, found, snapshot)
    fields["game_support"] = rows or None
    registry.rename(package, before, writes)
    writes.update(package, package.assign(**{**changed, **fields, **remembered}))


def _cdb_fields(package: Package, found: Content, snapshot: ContentDbSnapshot, account_id: int) -> edits.Fields:
    """The changes by the release's `.cdb.json`, as if its creator had sent it by PUT. Raises Invalid.

    A changed type must fit the content.
    """
    if found.cdb is None:
        return {}
    try:
        data = orjson.loads(found.cdb)
        if not isinstance(data, dict):
            raise Invalid("Expected a JSON object")
        fields = edits.decide(accounts.get(account_id), package, data, snapshot)
        content.check_kind(found.kind, fields.get("type", package.type))
        return fields
    except orjson.JSONDecodeError as error:
        raise Invalid(f"Whilst applying .cdb.json: {error}") from None
    except CoreError as error:
        raise Invalid(f"Whilst applying .cdb.json: {error.message}") from None


def _fail(package: Package, release: Release, message: str) -> None:
    """Store the release as FAILED, without its file, and free its name for another attempt."""

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> list[str]:
        failed = publishing.get(parts, int(release.id))
        dropped = publishing.free_names_and_file(writes, failed)
        writes.update(
            failed, failed.assign(state="FAILED", file=None, blob=None, error=message), Release.state == "PROCESSING"
        )
        tasks.fail(writes, str(release.task_id), message)
        return dropped

    try:
        _, dropped = index.publish(package.author, package.name, decide)
    except NotFound:  # deleted meanwhile, together with its file
        return
    files.drop(dropped)


def _version(snapshot: ContentDbSnapshot, name: str | None) -> int | None:
    return versions.find_id(snapshot, name) if name else None
