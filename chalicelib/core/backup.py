"""Everything of an installation in one file, and back: the way from one machine to AWS, and the other way.

The file is a tar, version 1 of our format (docs/operating.md, "What is in the file"):

    moonbase.json                        {"format": 1, "created_at": ...}
    tables/<service>/<n>-<sha256>.jsonl  items in DynamoDB's JSON, one in a line
    blobs/<key>                          bytes; the key ends with their SHA-256
    end.json                             {"items": ..., "secrets": ..., "blobs": ...}: what has no end was cut off

Sealed secrets are opened, and sealed anew with a key that lies in a file of its own. Catalogues are made anew from the
entities; of them only the heads are carried, since their numbers go on: ids may be made of them. Neither direction
holds more in memory than some megabytes.
"""

import hashlib
import re
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import IO, BinaryIO, cast

import orjson

from chalicelib import settings
from chalicelib.core import blobs, bulk, change_log, registry
from chalicelib.core.bulk import Raw
from chalicelib.core.carried import Totals, carried, head_of, is_derived, item_of
from chalicelib.core.directories import StoredBlob
from chalicelib.core.errors import Conflict, Invalid, NotFound
from chalicelib.core.storage import Item
from chalicelib.core.tables import Account, CoreItem, now

FORMAT = 1
CHUNK = 4 * 1024 * 1024
_CATALOGUES = f"{change_log.AREA}/"
_STRANGE = "There is something in it that does not belong there."
_TABLE = re.compile(r"tables/([a-z]+)/\d{6}-([0-9a-f]{64})\.jsonl")
_BLOB = re.compile(r"blobs/(.*/([0-9a-f]{64}))")

Progress = Callable[[int], object]  # is told how many bytes more are done


class Damaged(Invalid):
    """The file is no archive, or not as it was written."""


def blob_bytes() -> int:
    """How many bytes `write` will have to carry beside the tables."""
    return sum(stored.size for stored in _carried_blobs())


def write(file: BinaryIO, key_file: str, progress: Progress) -> Totals:
    """Write everything into `file`; secrets are sealed with the key in `key_file`, which is made when it is not there.

    Items come before blobs, and a blob is stored before the item that names it: so what the items name is there,
    unless somebody deleted it meanwhile.
    """
    totals = Totals()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, "moonbase.json", orjson.dumps({"format": FORMAT, "created_at": now().isoformat()}))
        for model in registry.current().models:
            for number, lines in enumerate(_chunks(carried(model, key_file, totals)), 1):
                digest = hashlib.sha256(lines).hexdigest()
                _add(tar, f"tables/{_service(model)}/{number:06d}-{digest}.jsonl", lines)
        for stored in _carried_blobs():
            _add_blob(tar, stored.key, stored.size, totals)
            progress(stored.size)
        _add(tar, "end.json", orjson.dumps({"items": totals.items, "secrets": totals.secrets, "blobs": totals.blobs}))
    return totals


def verify(file: BinaryIO, progress: Progress) -> Totals:
    """Read all of it and change nothing. Raises Damaged, or Invalid when it is of a newer version."""
    totals = Totals()
    end: dict[str, int] = {}
    known = {_service(model) for model in registry.current().models}
    for tar, member in _members(file, progress):
        content = tar.extractfile(member)
        if content is None or end:
            raise Damaged(_STRANGE)
        if member.name == "end.json":
            end = orjson.loads(content.read())
        else:
            _verify_member(member, content, known, totals)
    if (end.get("items"), end.get("blobs")) != (totals.items, totals.blobs):
        raise Damaged("Its end is missing.")
    totals.secrets = end["secrets"]
    return totals


def _verify_member(member: tarfile.TarInfo, content: IO[bytes], known: set[str], totals: Totals) -> None:
    if found := _TABLE.fullmatch(member.name):
        if found[1] not in known:
            raise Invalid(f"It has a table {found[1]}, which this version does not know.")
        totals.items += _verify(content, found[2], member.name)
    elif found := _BLOB.fullmatch(member.name):
        _verify(content, found[2], member.name)
        totals.blobs += 1
        totals.bytes += member.size
    elif member.name == "moonbase.json":
        _check_format(content.read())
    else:
        raise Damaged(_STRANGE)


def read(file: BinaryIO, key_file: str, progress: Progress, *, replace: bool = False) -> None:
    """Store what `file`, which `verify` has seen, holds; and make the catalogues. Blobs come before what names them.

    Raises Conflict when something is stored here already, unless it is to be replaced.
    """
    models = registry.current().models
    by_service = {_service(model): model for model in models}
    if replace:
        for model in models:
            bulk.delete(model, (item for item in bulk.items(model) if not is_derived(item)))
    elif not is_empty():
        raise Conflict("There is something stored here already.")
    for tar, member in _members(file, progress):
        if found := _BLOB.fullmatch(member.name):
            content = tar.extractfile(member)
            assert content is not None
            blobs.restore(found[1], cast(BinaryIO, content))
    heads: dict[str, int] = {}
    for tar, member in _members(file, progress):
        if found := _TABLE.fullmatch(member.name):
            model, content = by_service[found[1]], tar.extractfile(member)
            assert content is not None
            bulk.put(model, _without_heads((item_of(model, line, key_file) for line in content), heads))
    for catalogue in registry.current().catalogues.values():
        catalogue.forget()
        catalogue.rebuild(after=heads.get(catalogue.name, 0))


def is_empty() -> bool:
    """Whether nobody has used this installation yet."""
    services = (model for model in registry.current().models if model is not CoreItem)
    accounts = Account.by_listing.query("accounts", limit=1)
    return not any(True for _ in accounts) and not any(True for model in services for _ in bulk.items(model, limit=1))


def _without_heads(items: Iterable[Raw], heads: dict[str, int]) -> Iterator[Raw]:
    """All items but the catalogues' heads, whose numbers are noted."""
    for item in items:
        if head := head_of(item):
            heads.update([head])
        else:
            yield item


def _carried_blobs() -> Iterator[StoredBlob]:
    """All but the catalogues', and what has no hash in its key: uploads that nobody has made use of yet."""
    for stored in blobs.listed():
        if _BLOB.fullmatch(f"blobs/{stored.key}") and not stored.key.startswith(_CATALOGUES):
            yield stored


def _chunks(given: Iterable[bytes]) -> Iterator[bytes]:
    """Lines, in pieces whose size is known before they are written."""
    lines = bytearray()
    for line in given:
        lines += line
        if len(lines) > CHUNK:
            yield bytes(lines)
            lines.clear()
    if lines:
        yield bytes(lines)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    _add_from(tar, name, len(content), BytesIO(content))


def _add_blob(tar: tarfile.TarFile, key: str, size: int, totals: Totals) -> None:
    try:
        content = blobs.open(key)
    except NotFound:  # deleted since it was listed
        return
    with content:
        _add_from(tar, f"blobs/{key}", size, content)
    totals.blobs += 1
    totals.bytes += size


def _add_from(tar: tarfile.TarFile, name: str, size: int, content: BinaryIO) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    tar.addfile(member, content)
    tar.members.clear()  # type: ignore[attr-defined]  # it would keep all of them, for a list that nobody asks for


def _members(file: BinaryIO, progress: Progress) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    file.seek(0)
    done = 0
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while member := tar.next():
                if not member.isreg():
                    raise Damaged(_STRANGE)
                yield tar, member
                _forget_members(tar)
                progress(tar.offset - done)
                done = tar.offset
            progress(file.seek(0, 2) - done)  # what a tar is filled up with
    except tarfile.TarError:
        raise Damaged("It is no archive of Moonbase's, or it was cut off.") from None


def _forget_members(tar: tarfile.TarFile) -> None:
    """It would keep what it knows of each, for a list that nobody asks for."""
    tar.members.clear()  # type: ignore[attr-defined]


def _verify(content: IO[bytes], digest: str, name: str) -> int:
    """How many lines a member has; its name tells its hash."""
    hashed, lines = hashlib.sha256(), 0
    try:
        while piece := content.read(CHUNK):
            hashed.update(piece)
            lines += piece.count(b"\n")
    except tarfile.ReadError:
        raise Damaged("It was cut off.") from None
    if hashed.hexdigest() != digest:
        raise Damaged(f"{name} is damaged.")
    return lines


def _check_format(content: bytes) -> None:
    try:
        version = orjson.loads(content)["format"]
    except (ValueError, TypeError, KeyError):
        raise Damaged("It is no archive of Moonbase's.") from None
    if version != FORMAT:
        raise Invalid(f"It has format {version}, and this version reads format {FORMAT}.")


def _service(model: type[Item]) -> str:
    """`core` of `moonbase-core`."""
    return str(model.Meta.table_name).removeprefix(f"{settings.current().tables}-")
