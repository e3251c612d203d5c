"""Files that authors store on this server. Their bytes never change, and their URL contains their SHA-256."""

import hashlib
import posixpath
import re
import secrets
from contextlib import nullcontext
from functools import partial
from urllib.parse import quote

from chalicelib import settings
from chalicelib.core import audit, blobs, bytecode
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.catalogue import Changes
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.errors import Conflict, Invalid, NotFound, TooLarge
from chalicelib.core.identity import accounts
from chalicelib.core.retries import retry
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import now
from chalicelib.hel import auth, counts, history, index, model, quota
from chalicelib.hel.entry import PackageEntry
from chalicelib.hel.tables import StoredFile

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~+@=,-]{1,100}")  # used in a URL without encoding: hpm encodes nothing
_SHA256 = re.compile(r"[0-9a-f]{64}")


class _AlreadyStored(Conflict):
    """The account has stored this file already."""


def largest() -> int:
    """The largest file in bytes: the limit of one response, because hpm follows no redirect from http to https."""
    chosen = settings.current()
    return min(chosen.hel_largest_file, chosen.max_body, chosen.max_answer)


def path_of(file: StoredFile, place: str | None = None) -> str:
    """The download path of a file.

    `place` is the path on a player's machine: a version that has equal bytes at two places needs a URL for each.
    """
    path = f"/hel/files/{file.owner}/{file.sk}/{file.name}"
    return path if place is None else f"{path}?path={quote(place, safe='/')}"


def name_of(name: str | None, place: str | None) -> tuple[str, str | None]:
    """The name and the normalised place of a new file; without a name, it is that of the place. Raises Invalid."""
    normal = model.location_of_path(place)["path"] if place is not None else None
    return name or posixpath.basename(normal or ""), normal


def store(caller: Caller, name: str, content: bytes) -> tuple[StoredFile, bool]:
    """Store a file; return it, and whether it is new. Equal bytes are stored once.

    Raises Invalid, TooLarge, or Forbidden if the quota is exceeded.
    """
    if not _NAME.fullmatch(name):
        raise Invalid("The name of a file has 1 to 100 letters, digits and characters of . _ ~ + @ = , -")
    if len(content) > largest():
        raise TooLarge(f"The file is larger than {largest()} bytes.")
    if bytecode.is_precompiled(content):
        raise Invalid("The file is precompiled Lua; only source text is accepted.")
    sha256 = hashlib.sha256(content).hexdigest()
    file = find(caller.account.username, sha256)
    if file is None:
        quota.check(int(caller.account.id), file_bytes=quota.of_file(len(content)))
        blob = blobs.put(content, f"{index.AREA}/files/{secrets.token_hex(8)}").key
        register = partial(_register, caller, name, sha256, len(content), blob)
        try:
            return retry(register, nullcontext, "Too many uploads at once."), True
        except _AlreadyStored:  # by a concurrent upload of the same file
            blobs.delete(blob)
            file = get(caller.account.username, sha256)
    file.name = name
    return file, False


def find(owner: str, sha256: str) -> StoredFile | None:
    """The stored file, or None."""
    return StoredFile.find(_pk(owner), sha256)


def get(owner: str, sha256: str) -> StoredFile:
    """The stored file; raises NotFound."""
    if file := find(owner, sha256):
        return file
    raise NotFound


def download(owner: str, sha256: str) -> bytes:
    """The bytes of a stored file; counts a download. Raises NotFound."""
    well_formed = accounts.is_username(owner) and _SHA256.fullmatch(sha256)
    count = counts.add(counts.file(owner, sha256)) if well_formed else None
    if count is None or count.blob is None:
        raise NotFound
    return blobs.get(count.blob)


def list_files(caller: Caller) -> list[StoredFile]:
    """The caller's files, oldest first."""
    return list_of(caller.account.username)


def list_of(username: str) -> list[StoredFile]:
    """The files of a user, oldest first."""
    files = StoredFile.query(_pk(username), consistent_read=True)
    return sorted(files, key=lambda file: (file.created_at, file.sk))


def delete(caller: Caller, owner: str, sha256: str) -> None:
    """Delete an own file, or any file as an administrator. Raises Forbidden, NotFound, or Conflict.

    A package of the file's owner that uses the file is a conflict; packages of other users are not checked.
    """
    if caller.account.username.lower() != owner.lower() and not auth.is_admin(caller):
        raise auth.refusal("delete_file")

    def decide(snapshot: Snapshot[PackageEntry], writes: Transaction) -> tuple[Changes[PackageEntry], str]:
        file = get(owner, sha256)
        if package := _package_using(snapshot, owner.lower(), sha256):
            raise Conflict(f"The package {package} uses this file.")
        writes.delete(file, StoredFile.blob == file.blob)
        counts.delete(writes, counts.file(owner, sha256))
        quota.charge(writes, int(file.account_id), file_bytes=-quota.of_file(int(file.size)))
        writes.put(audit.entry_by(caller, "file.delete", path_of(file)))
        history.announce_file(writes, caller, file, "delete")
        return {}, file.blob

    _, blob = index.catalogue.publish(decide)
    blobs.delete(blob)


def _register(caller: Caller, name: str, sha256: str, size: int, blob: str) -> StoredFile:
    """Store the file's item with its owner, size and counter, and charge the owner's quota."""
    account = caller.account
    file = StoredFile(
        _pk(account.username),
        sha256,
        account_id=account.id,
        owner=account.username,
        name=name,
        size=size,
        blob=blob,
        created_at=now(),
    )
    writes = Transaction()
    writes.create(file, _AlreadyStored())
    writes.create(counts.start(counts.file(account.username, sha256), blob), _AlreadyStored())
    quota.charge(writes, int(account.id), file_bytes=quota.of_file(size))
    writes.put(audit.entry_by(caller, "file.store", path_of(file)))
    history.announce_file(writes, caller, file, "publish")
    writes.commit()
    return file


def _package_using(snapshot: Snapshot[PackageEntry], owner: str, sha256: str) -> str | None:
    theirs = index.of_owner(snapshot, owner)
    return next((entry.value.name for entry in theirs if (owner, sha256) in index.hosted_files(entry)), None)


def _pk(owner: str) -> str:
    return f"files#{owner.lower()}"
