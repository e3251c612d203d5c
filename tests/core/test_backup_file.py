"""Export and import of an installation, between one machine and AWS in both directions."""

import hashlib
import io
import json
import os
import tarfile
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest

from chalicelib import settings
from chalicelib.core import aws as services
from chalicelib.core import backup, blobs, bulk, jobs, registry, sealing
from chalicelib.core.backup import Damaged, Totals
from chalicelib.core.errors import Conflict, Invalid
from chalicelib.core.identity import accounts, credentials, two_factor
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import CoreItem, TwoFactor, Window, now
from chalicelib.hel.tables import HelItem
from chalicelib.luarocks import index
from tests.client import Client
from tests.hel.builders import package
from tests.luarocks.builders import rockspec
from tests.servers import rock
from tests.worlds import both_worlds, embedded_only, world

pytestmark = both_worlds

WAYS = [("embedded", "moto"), ("moto", "embedded"), ("embedded", "embedded"), ("moto", "moto")]
SECRET = "JBSWY3DPEHPK3PXP"
ITEM = {"pk": {"S": "counts#0"}, "sk": {"S": "x"}, "kind": {"S": "count"}, "total": {"N": "1"}}


def ignore(_: int) -> None:
    """Ignore the progress."""


def export(directory: Path) -> Path:
    """Export this installation to `x.tar` and its key to `x.key` in the directory; return the path of `x.tar`."""
    with (directory / "x.tar").open("wb") as file:
        backup.write(file, str(directory / "x.key"), ignore)
    return directory / "x.tar"


def load(file: Path, **options: Any) -> Totals:
    """Verify and import a file."""
    with file.open("rb") as source:
        totals = backup.verify(source, str(file.with_suffix(".key")), ignore)
        backup.read(source, str(file.with_suffix(".key")), ignore, **options)
    return totals


def publish() -> tuple[str, str]:
    """Publish in LuaRocks and Hel; return the author's LuaRocks key and the secret of their second factor."""
    client = Client()
    alice = accounts.create("Alice", "alice@example.org", "wonderland")
    key = credentials.create(alice, "luarocks")[1]
    session = credentials.create(alice, credentials.SESSION, ends_after=timedelta(days=1))[1]
    sent = client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x.rockspec", rockspec())})
    version = sent.json["version"]["id"]
    file = ("say-1.0-1.src.rock", rock("say", "1.0-1", b"payload"))
    assert client.post(f"/api/1/{key}/upload_rock/{version}", files={"rock_file": file}).status == 200
    words = " ".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(120))
    large = package("large", description=words)  # 7,799 characters that compress little: its change has a blob
    for document in (package("thing"), large):
        assert client.post("/packages", json=document, headers={"Cookie": f"auth_tkt={session}"}).status == 201
    return key, two_factor.enable(alice).secret


def seen() -> dict[str, Any]:
    """Return the responses of the services."""
    client = Client()
    replies = {path: client.get(path) for path in ("/manifest", "/say-1.0-1.rockspec", "/say-1.0-1.src.rock")}
    packages = client.get("/packages").json["data"]
    return {**{path: (reply.status, reply.body) for path, reply in replies.items()}, "packages": packages}


def stored() -> dict[str, list[Any]]:
    """Return all exported items by table, without secrets, which each installation seals with its own key."""
    return {
        model.Meta.table_name: sorted(
            (
                {name: value for name, value in item.items() if name != "sealed_secret"}
                for item in bulk.items(model)
                if not item["kind"]["S"].startswith(("catalogue-", "counters-"))
            ),
            key=lambda item: (item["pk"]["S"], item["sk"]["S"]),
        )
        for model in registry.current().models
    }


def ids(items: dict[str, list[Any]]) -> set[int]:
    """Return all ids in the LuaRocks table."""
    return {int(item["id"]["N"]) for name, rows in items.items() if "luarocks" in name for item in rows if "id" in item}


def test_the_progress_adds_up_to_the_size_of_the_file(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    with world("embedded", tmp_path / "a"):
        publish()
        file = export(tmp_path)
    verified: list[int] = []
    imported: list[int] = []
    with world("embedded", tmp_path / "b"), file.open("rb") as source:
        backup.verify(source, str(file.with_suffix(".key")), verified.append)
        backup.read(source, str(file.with_suffix(".key")), imported.append)
    assert (sum(verified), sum(imported)) == (file.stat().st_size, 2 * file.stat().st_size)


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_an_import_restores_the_whole_installation(source: str, target: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with world(source, tmp_path / "a"):
        key, secret = publish()
        before, items = seen(), stored()
        heads = sum(catalogue.snapshot().sequence > 0 for catalogue in registry.current().catalogues.values())
        file = export(tmp_path)
    with world(target, tmp_path / "b"):
        totals = load(file)
        assert (seen(), stored()) == (before, items)
        exported = sum(map(len, items.values())) + heads
        assert (totals.items, totals.secrets, totals.blobs) == (exported, 1, 3)
        alice = accounts.log_in("alice", "wonderland")
        two_factor.verify(alice, pyotp.TOTP(secret).now())
        body = {"rockspec_file": ("x.rockspec", rockspec(version="2.0-1"))}
        newer = Client().post(f"/api/1/{key}/upload", files=body).json
        assert (newer["is_new"], newer["version"]["id"] not in ids(items)) == (False, True)


def test_a_secret_can_move_from_the_key_file_to_kms_and_back(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
    with world("embedded", tmp_path / "a"):
        enrol()
        first = export(tmp_path / "a")
    with world("moto", tmp_path / "b"):
        kms = services.client("kms").create_key()["KeyMetadata"]["KeyId"]
        with settings.override(kms_key=kms):
            load(first)
            assert secret_of(1) == SECRET
            second = export(tmp_path / "b")
    with world("embedded", tmp_path / "c"):
        load(second)
        assert secret_of(1) == SECRET


def enrol() -> None:
    """Store an item with a sealed secret."""
    sealed = sealing.seal(SECRET, "account#1")
    TwoFactor("account#1", "two-factor", enrolment="x", sealed_secret=sealed, recovery_hashes=["0"]).save()


def secret_of(account: int) -> str:
    item = TwoFactor.find(f"account#{account}", "two-factor")
    assert item
    return sealing.unseal(item.sealed_secret, item.pk)


@pytest.mark.usefixtures("aws")
class TestSameInstallation:
    def test_secrets_cannot_be_read_without_the_key(self, tmp_path: Path) -> None:
        enrol()
        file = export(tmp_path)
        assert SECRET.encode() not in file.read_bytes()
        assert (tmp_path / "x.key").stat().st_size == 32
        (tmp_path / "x.key").unlink()
        (tmp_path / "x.key").write_bytes(bytes(32))
        sealing._key.cache_clear()
        with pytest.raises(Invalid, match="The key does not open the secret of account#1"):
            load(file, replace=True)

    def test_an_existing_key_is_reused(self, tmp_path: Path) -> None:
        enrol()
        export(tmp_path)
        key = (tmp_path / "x.key").read_bytes()
        export(tmp_path)
        assert (tmp_path / "x.key").read_bytes() == key

    def test_an_export_without_secrets_creates_no_key(self, tmp_path: Path) -> None:
        export(tmp_path)
        assert not (tmp_path / "x.key").exists()

    def test_an_import_into_a_used_installation_is_rejected(self, tmp_path: Path) -> None:
        publish()
        file, before = export(tmp_path), stored()
        with pytest.raises(Conflict, match="There is something stored here already"):
            load(file)
        assert stored() == before

    def test_an_import_with_replace_replaces_all_data(self, tmp_path: Path) -> None:
        publish()
        file, before, shown = export(tmp_path), stored(), seen()
        accounts.create("bob", "bob@example.org")
        key = credentials.create(accounts.named("bob"), "luarocks")[1]
        Client().post(f"/api/1/{key}/upload", files={"rockspec_file": ("x.rockspec", rockspec("other"))})
        load(file, replace=True)
        assert (stored(), seen()) == (before, shown)

    def test_an_import_invalidates_cached_lists(self, tmp_path: Path) -> None:
        publish()
        file = export(tmp_path)
        first = index.catalogue.snapshot().sequence
        load(file, replace=True)
        assert index.catalogue.snapshot().sequence > first

    def test_pending_jobs_are_exported_and_expired_items_are_not(self, tmp_path: Path) -> None:
        writes = Transaction()
        jobs.enqueue(writes, "fold-catalogue", {"name": "hel"})
        writes.commit()
        Window("window#old", "1", used=1, expires_at=now() - timedelta(days=1)).save()
        file = export(tmp_path)
        bulk.delete(CoreItem, bulk.items(CoreItem))
        load(file)
        assert [job.name for job in jobs.pending()] == ["fold-catalogue"]
        assert Window.find("window#old", "1") is None

    def test_unused_uploads_are_not_exported(self, tmp_path: Path) -> None:
        blobs.restore("slots/x1", io.BytesIO(b"unused"))
        used = blobs.put(b"used", "area")
        totals = load(export(tmp_path))
        assert (totals.blobs, totals.bytes) == (1, used.size)

    def test_binary_attributes_are_restored(self, tmp_path: Path) -> None:
        raw: bulk.Raw = {
            "pk": {"S": "raw"},
            "sk": {"S": "raw"},
            "kind": {"S": "count"},
            "total": {"N": "1"},
            "one": {"B": b"\x00\xff"},
            "many": {"BS": [b"\x01", b"\x02"]},
            "deep": {"M": {"list": {"L": [{"B": b"\xfe"}, {"N": "1.5"}, {"NULL": True}]}}},
        }
        bulk.put(HelItem, [raw])
        file = export(tmp_path)
        bulk.delete(HelItem, bulk.items(HelItem))
        load(file)
        (item,) = bulk.items(HelItem)
        item["many"]["BS"].sort()
        assert item == raw

    def test_a_blob_that_is_deleted_during_the_export_is_omitted(self, tmp_path: Path) -> None:
        keys = sorted(blobs.put(content, "area").key for content in (b"a", b"b"))
        with (tmp_path / "x.tar").open("wb") as file:
            backup.write(file, str(tmp_path / "x.key"), lambda _: blobs.delete(keys[1]))
        assert load(tmp_path / "x.tar").blobs == 1


@embedded_only
@pytest.mark.usefixtures("aws")
class TestDamage:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        publish()
        blobs.put(b"x" * 100_000, "area")
        return export(tmp_path)

    def assert_rejected(self, file: Path, kind: type[Exception] = Damaged, match: str = "It|There") -> None:
        before = stored()
        with file.open("rb") as source, pytest.raises(kind, match=match):
            backup.verify(source, str(file.with_suffix(".key")), ignore)
        assert stored() == before

    @pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 1])
    def test_a_truncated_file_is_rejected(self, file: Path, part: float) -> None:
        with tarfile.open(file) as tar:
            end = tar.getmember("end.json").offset
        os.truncate(file, int(end * part))
        self.assert_rejected(file)

    @pytest.mark.parametrize("kind", ["moonbase.json", "tables/", "blobs/", "end.json"])
    def test_a_file_that_ends_within_a_member_is_rejected(self, file: Path, kind: str) -> None:
        with tarfile.open(file) as tar:
            found = next(entry for entry in tar.getmembers() if entry.name.startswith(kind))
        os.truncate(file, found.offset_data + found.size // 2)
        self.assert_rejected(file)

    @pytest.mark.parametrize("member", ["tables/", "blobs/"])
    def test_a_changed_byte_is_detected(self, file: Path, member: str) -> None:
        with tarfile.open(file) as tar:
            found = next(entry for entry in tar.getmembers() if entry.name.startswith(member))
        content = bytearray(file.read_bytes())
        content[found.offset_data + found.size // 2] ^= 1
        file.write_bytes(content)
        self.assert_rejected(file, match="is damaged|is not an item")

    @pytest.mark.parametrize("content", [b"", b"no tar at all" * 1000, bytes(20_000)])
    def test_a_file_that_is_not_an_archive_is_rejected(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "x.tar").write_bytes(content)
        self.assert_rejected(tmp_path / "x.tar")

    @pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "blobs/../../evil", "tables/core/1.jsonl", "more"])
    def test_an_unknown_member_is_rejected(self, file: Path, name: str) -> None:
        self.assert_rejected(rewritten(file, {name: b"x"}, first=True))

    def test_a_symbolic_link_is_rejected(self, file: Path) -> None:
        with tarfile.open(file, "w") as tar:
            link = tarfile.TarInfo("blobs/link")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)
        self.assert_rejected(file)

    def test_the_error_of_a_newer_format_contains_its_number(self, file: Path) -> None:
        newer = json.dumps({"format": 2}).encode()
        self.assert_rejected(rewritten(file, {"moonbase.json": newer}), Invalid, "It has format 2")

    def test_a_file_without_its_beginning_is_rejected(self, file: Path) -> None:
        self.assert_rejected(rewritten(file, {"moonbase.json": None}), match="It is not a backup of Moonbase.")

    @pytest.mark.parametrize("end", [b"", b"{}", b"[]", b"nonsense", b'{"items": 1, "secrets": 0, "blobs": 0}'])
    def test_an_end_with_other_totals_is_rejected(self, file: Path, end: bytes) -> None:
        self.assert_rejected(rewritten(file, {"end.json": end}), match="its end does not match its content")

    @pytest.mark.parametrize("key", ["luarocks/../../x", "/etc/x", "luarocks//x", "../x", "luarocks/.hidden/x", "x"])
    def test_a_blob_outside_of_the_directory_is_rejected(self, file: Path, key: str) -> None:
        digest = hashlib.sha256(b"x").hexdigest()
        self.assert_rejected(rewritten(file, {f"blobs/{key.replace('x', digest)}": b"x"}, first=True))

    @pytest.mark.parametrize(
        "line",
        [
            b"nonsense",
            b"[]",
            b'{"pk": "counts#0"}',
            json.dumps({**ITEM, "sk": {"S": ""}}).encode(),
            json.dumps({**ITEM, "sk": {"N": "1"}}).encode(),
            json.dumps({**ITEM, "kind": {"S": "snail"}}).encode(),
            json.dumps({**ITEM, "total": {"S": "many"}}).encode(),
            json.dumps({**ITEM, "total": {"N": "many"}}).encode(),
            json.dumps({**ITEM, "body": {"B": "no base64"}}).encode(),
        ],
    )
    def test_a_line_that_is_no_item_of_its_table_is_rejected(self, file: Path, line: bytes) -> None:
        name = f"tables/hel/000009-{hashlib.sha256(line).hexdigest()}.jsonl"
        self.assert_rejected(rewritten(file, {name: line}, first=True), match=f"{name}, line 1: it is not an item")

    def test_another_key_is_rejected(self, file: Path) -> None:
        file.with_suffix(".key").write_bytes(bytes(32))
        sealing._key.cache_clear()
        self.assert_rejected(file, Invalid, "The key does not open the secret of account#1")

    def test_a_missing_key_is_rejected(self, file: Path) -> None:
        file.with_suffix(".key").unlink()
        sealing._key.cache_clear()
        self.assert_rejected(file, FileNotFoundError, "there is no key file")
        assert not file.with_suffix(".key").exists()

    def test_the_error_of_an_unknown_table_contains_its_name(self, file: Path) -> None:
        strange = {f"tables/snail/000001-{'0' * 64}.jsonl": b""}
        self.assert_rejected(rewritten(file, strange, first=True), Invalid, "a table snail")


def rewritten(file: Path, members: dict[str, bytes | None], *, first: bool = False) -> Path:
    """The archive with these members instead of others (None: without), or right after moonbase.json."""
    with tarfile.open(file) as tar:
        old = {entry.name: tar.extractfile(entry).read() for entry in tar.getmembers()}  # type: ignore[union-attr]
    head = {"moonbase.json": old["moonbase.json"]} if first else {}
    with tarfile.open(file, "w") as tar:
        for name, content in ({**head, **members, **old} if first else {**old, **members}).items():
            if content is None:
                continue
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file


@embedded_only
@pytest.mark.usefixtures("aws")
class TestMemory:
    def peak(self, action: Callable[[], object]) -> int:
        """Run an action; return its peak memory in bytes."""
        tracemalloc.start()
        try:
            action()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def test_export_and_import_need_less_than_fifty_megabytes(self, tmp_path: Path) -> None:
        for number in range(5):
            blobs.put(bytes([number]) * 20_000_000, "area")
        line = {"kind": {"S": "count"}, "total": {"N": "1"}, "body": {"S": "x" * 100_000}, "sk": {"S": "x"}}
        bulk.put(HelItem, ({**line, "pk": {"S": str(number)}} for number in range(300)))
        files: list[Path] = []
        assert self.peak(lambda: files.append(export(tmp_path))) < 50_000_000
        assert files[0].stat().st_size > 130_000_000
        bulk.delete(HelItem, ({"pk": {"S": str(number)}, "sk": {"S": "x"}} for number in range(300)))
        assert self.peak(lambda: load(files[0])) < 50_000_000
