"""Backup and restore of a whole installation as one file, for example to move it between one machine and AWS.

The file is a tar, version 1 of our format (docs/operating.md, "What is in the file"):

    moonbase.json                        {"format": 1, "created_at": ...}
    tables/<service>/<n>-<sha256>.jsonl  items in DynamoDB's JSON, one per line
    blobs/<key>                          bytes; the key ends with their SHA-256
    end.json                             {"items": ..., "secrets": ..., "blobs": ...}; without it the file is truncated

Sealed secrets are unsealed and sealed again with a key from a separate file. Catalogues are rebuilt from the entities.
The file has only their heads, because the sequence numbers must continue: ids can be derived from them. Both directions
need a few megabytes of memory.
"""

import hashlib
import re
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import IO, BinaryIO, cast

import orjson

from chalicelib import settings
from chalicelib.core import blobs, bulk, bytecode, registry
from chalicelib.core.backup_items import Malformed, Totals, exported_lines, head_of, is_derived, parse_item
from chalicelib.core.bulk import Raw
from chalicelib.core.catalogues import change_log, counters
from chalicelib.core.directories import StoredBlob
from chalicelib.core.errors import Conflict, Invalid, NotFound
from chalicelib.core.storage import Item
from chalicelib.core.tables import Account, CoreItem, now

FORMAT = 1
CHUNK = 4 * 1024 * 1024
LARGEST_HEADER = 64 * 1024  # bytes of moonbase.json and end.json
_DERIVED = (f"{change_log.AREA}/", f"{counters.AREA}/")
_UNEXPECTED = "It contains an unexpected member."
_TABLE = re.compile(r"tables/([a-z]+)/\d{6}-([0-9a-f]{64})\.jsonl")
_BLOB = re.compile(r"blobs/((?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)+([0-9a-f]{64}))")

Progress = Callable[[int], object]  # called with the number of bytes processed since the last call


class Damaged(Invalid):
    """The file is not a backup, or its content is damaged."""


def blob_bytes() -> int:
    """The total size of the blobs that `write` exports, in bytes."""
    return sum(stored.size for stored in _exported_blobs())


def write(file: BinaryIO, key_file: str, progress: Progress) -> Totals:
    """Write all data to `file`, with secrets sealed by the key in `key_file`, which is created if it does not exist.

    Items are exported before blobs. A blob is stored before an item refers to it, so the file has all blobs of its
    items, except blobs that were deleted during the export.
    """
    totals = Totals()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, "moonbase.json", orjson.dumps({"format": FORMAT, "created_at": now().isoformat()}))
        for model in registry.current().models:
            for number, lines in enumerate(_chunks(exported_lines(model, key_file, totals)), 1):
                digest = hashlib.sha256(lines).hexdigest()
                _add(tar, f"tables/{_service(model)}/{number:06d}-{digest}.jsonl", lines)
        for stored in _exported_blobs():
            _add_blob(tar, stored.key, stored.size, totals)
            progress(stored.size)
        _add(tar, "end.json", orjson.dumps({"items": totals.items, "secrets": totals.secrets, "blobs": totals.blobs}))
    return totals


@contextmanager
def _damage_reported() -> Iterator[None]:
    """Raise Damaged if a tar file cannot be read in the block, such as one that ends within a member."""
    try:
        yield
    except tarfile.TarError:
        raise Damaged("It is not a backup of Moonbase, or it is truncated.") from None


@_damage_reported()
def verify(file: BinaryIO, key_file: str, progress: Progress) -> Totals:
    """Check a whole backup and return its totals: names, order, digests, every item, and that the key is right.

    Raises Damaged; Invalid for a wrong key, a backup by a newer version, or precompiled Lua; FileNotFoundError if a
    secret needs the key and there is no such file.
    """
    totals = Totals()
    begun = ended = False
    for tar, member in _members(file, progress):
        content = tar.extractfile(member)
        if content is None or ended or begun == (member.name == "moonbase.json"):
            raise Damaged(_UNEXPECTED if begun else "It is not a backup of Moonbase.")
        if member.name == "moonbase.json":
            _check_format(content.read(LARGEST_HEADER))
            begun = True
        elif member.name == "end.json":
            _check_end(content.read(LARGEST_HEADER), totals)
            ended = True
        elif found := _TABLE.fullmatch(member.name):
            _verify_items(member, content, found[1], key_file, totals)
            _verify_digest(content, found[2], member.name)
        elif found := _BLOB.fullmatch(member.name):
            _verify_digest(content, found[2], member.name)
            _refuse_bytecode(content, found[1])
            totals.blobs += 1
            totals.bytes += member.size
        else:
            raise Damaged(_UNEXPECTED)
    if not ended:
        raise Damaged("It is truncated: its end is missing.")
    return totals


def _verify_items(member: tarfile.TarInfo, content: IO[bytes], service: str, key_file: str, totals: Totals) -> None:
    """Parse every item of a table's member, and count it."""
    model = _models().get(service)
    if model is None:
        raise Invalid(f"It has a table {service}, which is unknown to this version.")
    for number, line in enumerate(content, 1):
        try:
            item = parse_item(model, line, key_file)
        except Malformed as error:
            raise Damaged(f"{member.name}, line {number}: {error.message}") from None
        totals.items += 1
        totals.secrets += len(registry.current().tables[model].sealed & item.keys())


def _check_end(content: bytes, totals: Totals) -> None:
    """Raise Damaged unless the end of the backup names these totals."""
    end = {"items": totals.items, "secrets": totals.secrets, "blobs": totals.blobs}
    try:
        given = orjson.loads(content)
    except ValueError:
        given = None
    if given != end:
        raise Damaged("It is truncated: its end does not match its content.")


@_damage_reported()
def read(file: BinaryIO, key_file: str, progress: Progress, *, replace: bool = False) -> None:
    """Restore `file`, which `verify` has accepted, and rebuild the catalogues. Blobs are stored before items.

    Raises Conflict if the installation has data, unless `replace` is set.
    """
    by_service = _models()
    if replace:
        for model in by_service.values():
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
            bulk.put(model, _without_heads((parse_item(model, line, key_file) for line in content), heads))
    for catalogue in registry.current().catalogues.values():
        catalogue.drop_cache()
        catalogue.rebuild(after=heads.get(catalogue.name, 0))
    for each in registry.current().counters.values():
        each.drop_cache()
        each.rebuild()


def is_empty() -> bool:
    """Whether the installation has no accounts and no data of services."""
    services = (model for model in registry.current().models if model is not CoreItem)
    accounts = Account.by_listing.query("accounts", limit=1)
    return not any(True for _ in accounts) and not any(True for model in services for _ in bulk.items(model, limit=1))


def _without_heads(items: Iterable[Raw], heads: dict[str, int]) -> Iterator[Raw]:
    """All items except the heads of catalogues, whose numbers are added to `heads`."""
    for item in items:
        if head := head_of(item):
            heads.update([head])
        else:
            yield item


def _exported_blobs() -> Iterator[StoredBlob]:
    """All blobs except those of catalogues and counters, and unused uploads, whose keys have no hash."""
    for stored in blobs.list_blobs():
        if _BLOB.fullmatch(f"blobs/{stored.key}") and not stored.key.startswith(_DERIVED):
            yield stored


def _chunks(given: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines into chunks, because a tar member's size must be known before it is written."""
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
    _forget_members(tar)


def _members(file: BinaryIO, progress: Progress) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    file.seek(0)
    done = 0
    with tarfile.open(fileobj=file, mode="r:") as tar:
        while member := tar.next():
            if not member.isreg():
                raise Damaged(_UNEXPECTED)
            yield tar, member
            _forget_members(tar)
            progress(tar.offset - done)
            done = tar.offset
        progress(file.seek(0, 2) - done)  # the padding at the end


def _refuse_bytecode(content: IO[bytes], key: str) -> None:
    """Raise Invalid for a blob with precompiled Lua, as uploads do. Blobs that are no archives of ours pass."""
    area = key.partition("/")[0]
    nested = any(area in table.areas and table.nested_archives for table in registry.current().tables.values())
    content.seek(0)
    with suppress(bytecode.Unsearchable):
        if (path := bytecode.find(content, nested=nested)) is not None:
            raise Invalid(f"The blob {key} contains precompiled Lua{f' ({path})' if path else ''}.")


def _forget_members(tar: tarfile.TarFile) -> None:
    """Clear the list of members that TarFile keeps, which would grow with the file."""
    tar.members.clear()  # type: ignore[attr-defined]


def _verify_digest(content: IO[bytes], digest: str, name: str) -> None:
    """Raise Damaged if a member's content does not have the SHA-256 `digest`."""
    hashed = hashlib.sha256()
    content.seek(0)
    while piece := content.read(CHUNK):
        hashed.update(piece)
    if hashed.hexdigest() != digest:
        raise Damaged(f"{name} is damaged.")


def _check_format(content: bytes) -> None:
    try:
        version = orjson.loads(content)["format"]
    except (ValueError, TypeError, KeyError):
        raise Damaged("It is not a backup of Moonbase.") from None
    if version != FORMAT:
        raise Invalid(f"It has format {version}, but this version reads format {FORMAT}.")


def _models() -> dict[str, type[Item]]:
    """The model of every table, by service."""
    return {_service(model): model for model in registry.current().models}


def _service(model: type[Item]) -> str:
    """The service of a table: `core` for `moonbase-core`."""
    return str(model.Meta.table_name).removeprefix(f"{settings.current().tables}-")
