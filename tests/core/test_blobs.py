"""Blobs in a bucket or a directory: atomic writes, reads, lists and links."""

import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib import settings
from chalicelib.core import blobs
from chalicelib.core.blobs import Blob
from chalicelib.core.errors import Busy, Full, NotFound
from tests.worlds import both_worlds, embedded_only, moto_only

CONTENT = b"\x00\xff bytes \r\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]


def directory() -> Path:
    return Path(settings.current().blobs.removeprefix("file:"))


def files() -> list[str]:
    return sorted(str(path.relative_to(directory())) for path in directory().rglob("*") if path.is_file())


def disposition(filename: str) -> str:
    """The Content-Disposition of the response to a link."""
    url = blobs.link("area/x", method="GET", filename=filename, content_type="a/b")
    assert url is not None
    return parse_qs(urlsplit(url).query)["response-content-disposition"][0]


def test_a_blob_has_key_size_and_hash() -> None:
    assert blobs.put(CONTENT, "area") == Blob(f"area/{DIGEST[:2]}/{DIGEST}", len(CONTENT), DIGEST)


@pytest.mark.parametrize("content", [CONTENT, b"", bytes(range(256)) * 8192])
def test_content_is_returned_unchanged(content: bytes) -> None:
    assert blobs.get(blobs.put(content, "area").key) == content


def test_the_same_content_twice_is_one_blob() -> None:
    assert blobs.put(CONTENT, "area") == blobs.put(CONTENT, "area")
    assert blobs.get(blobs.key_of("area", DIGEST)) == CONTENT


def test_the_same_content_in_two_areas_is_two_blobs() -> None:
    first, second = blobs.put(CONTENT, "one"), blobs.put(CONTENT, "two/below")
    blobs.delete(first.key)
    assert blobs.get(second.key) == CONTENT


def test_a_missing_blob_is_not_found() -> None:
    with pytest.raises(NotFound):
        blobs.get("area/aa/aaaa")


def test_a_deleted_blob_is_not_found() -> None:
    key = blobs.put(CONTENT, "area").key
    blobs.delete(key)
    with pytest.raises(NotFound):
        blobs.get(key)


def test_deleting_a_missing_blob_is_no_error() -> None:
    blobs.delete("area/aa/aaaa")


def test_deleted_content_can_be_put_again() -> None:
    blobs.delete(blobs.put(CONTENT, "area").key)
    assert blobs.get(blobs.put(CONTENT, "area").key) == CONTENT


@embedded_only
def test_a_write_leaves_no_draft() -> None:
    key = blobs.put(CONTENT, "area").key
    assert files() == [key]


@embedded_only
def test_a_failed_write_leaves_no_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(Full):
        blobs.put(CONTENT, "area")
    assert files() == []


@embedded_only
def test_an_unwritable_directory_is_busy() -> None:
    directory().mkdir()
    (directory() / "area").write_bytes(b"a file where a directory should be")
    with pytest.raises(Busy):
        blobs.put(CONTENT, "area")
    assert files() == ["area"]


@embedded_only
def test_concurrent_writers_of_the_same_content_leave_one_complete_file() -> None:
    content = b"x" * 2_000_000
    barrier = threading.Barrier(4)

    def write(_: int) -> bytes:
        barrier.wait()
        return blobs.get(blobs.put(content, "area").key)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(write, range(4))) == [content] * 4
    assert files() == [blobs.key_of("area", hashlib.sha256(content).hexdigest())]


@embedded_only
@pytest.mark.parametrize(
    "key",
    [
        *("../secret", "area/../../secret", "/etc/passwd", "", ".", "..", "area/./x", "area//x", "area/\x00"),
        *("area/.draft-1", "area\\..\\x", "area/x\n", "area", "area/"),
    ],
)
def test_no_key_leads_out_of_the_directory_or_to_a_draft(key: str) -> None:
    directory().mkdir()
    (directory().parent / "secret").write_bytes(b"secret")
    (directory() / "area").mkdir()
    (directory() / "area" / ".draft-1").write_bytes(b"half")
    with pytest.raises(NotFound):
        blobs.get(key)


@embedded_only
@pytest.mark.parametrize("key", ["../secret", "area/../../secret"])
def test_nothing_outside_the_directory_can_be_deleted(key: str) -> None:
    (directory() / "area").mkdir(parents=True)
    (directory().parent / "secret").write_bytes(b"secret")
    with pytest.raises(NotFound):
        blobs.delete(key)
    assert (directory().parent / "secret").exists()


@embedded_only
def test_nothing_outside_the_directory_can_be_written() -> None:
    with pytest.raises(NotFound):
        blobs.put(CONTENT, "../outside")
    assert not (directory().parent / "outside").exists()


@embedded_only
def test_a_link_of_a_directory_is_a_path_on_the_request_s_host() -> None:
    link = blobs.link("area/x", method="GET", filename="x", content_type="a/b") or ""
    assert link.startswith("/.blobs/area/x?method=GET&filename=x&type=a%2Fb&expires=")


@embedded_only
def test_a_link_of_a_directory_is_absolute_if_the_base_url_is_set() -> None:
    with settings.override(base_url="https://rocks.example.org/moon/"):
        link = blobs.link("area/x", method="GET", filename="x", content_type="a/b") or ""
    assert link.startswith("https://rocks.example.org/moon/.blobs/area/x?")


def test_blobs_are_listed_with_size_and_time() -> None:
    before = time.time()
    stored_blobs = [blobs.put(content, area) for area in ("one", "two/below") for content in (b"a", b"bc")]
    found = list(blobs.list_blobs())
    assert {(stored.key, stored.size) for stored in found} == {(blob.key, blob.size) for blob in stored_blobs}
    assert all(before - 2 < stored.written_at < time.time() + 2 for stored in found)
    assert {stored.key for stored in blobs.list_blobs("two/")} == {blob.key for blob in stored_blobs[2:]}


def test_an_empty_store_lists_nothing() -> None:
    assert list(blobs.list_blobs()) == []


def test_a_blob_can_be_read_as_a_stream() -> None:
    with blobs.open(blobs.put(CONTENT, "area").key) as stream:
        assert (stream.read(2), stream.read()) == (CONTENT[:2], CONTENT[2:])


def test_a_stream_of_a_missing_blob_is_not_found() -> None:
    with pytest.raises(NotFound):
        blobs.open("area/aa/aaaa")


def test_a_restored_blob_has_its_former_key() -> None:
    blobs.restore("area/aa/aaaa", BytesIO(CONTENT))
    assert blobs.get("area/aa/aaaa") == CONTENT


def test_delete_older_keeps_newer_blobs() -> None:
    key = blobs.put(CONTENT, "area").key
    assert not blobs.delete_older(key, time.time() - 60)
    assert blobs.get(key) == CONTENT
    assert blobs.delete_older(key, time.time() + 60)
    assert list(blobs.list_blobs()) == []
    assert not blobs.delete_older(key, time.time() + 60)


@embedded_only
def test_storing_a_blob_again_renews_its_time() -> None:
    key = blobs.put(CONTENT, "area").key
    os.utime(directory() / key, (1, 1))
    blobs.put(CONTENT, "area")
    assert not blobs.delete_older(key, time.time() - 60)
    assert files() == [key]


@embedded_only
def test_drafts_of_crashed_writers_are_deleted() -> None:
    key = blobs.put(CONTENT, "area").key
    (directory() / "area" / ".draft-x").write_bytes(b"half")
    assert blobs.drop_drafts(time.time() - 60) == 0
    assert blobs.drop_drafts(time.time() + 60, dry=True) == 1
    assert blobs.drop_drafts(time.time() + 60) == 1
    assert files() == [key]


@moto_only
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_link_of_a_bucket_is_absolute_signed_and_expires(method: str) -> None:
    url = urlsplit(blobs.link("area/x", method=method, filename="say.rock", content_type="a/b", seconds=60) or "")
    assert (url.scheme, url.path) == ("https", "/area/x")
    query = parse_qs(url.query)
    assert query["response-content-type"] == ["a/b"]
    assert query["response-content-disposition"] == ['attachment; filename="say.rock"']
    assert (query["X-Amz-Algorithm"], query["X-Amz-Expires"]) == (["AWS4-HMAC-SHA256"], ["60"])


@moto_only
def test_a_link_of_a_bucket_is_signed_for_its_method() -> None:
    links = [blobs.link("area/x", method=method, filename="x", content_type="a/b") or "" for method in ("GET", "HEAD")]
    signatures = [parse_qs(urlsplit(link).query)["X-Amz-Signature"] for link in links]
    assert signatures[0] != signatures[1]


@moto_only
@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("say-1.0-1.src.rock", 'attachment; filename="say-1.0-1.src.rock"'),
        ("my mod.zip", 'attachment; filename="my mod.zip"'),
        ('a"; x="b', "attachment; filename=\"a_; x=_b\"; filename*=UTF-8''a%22%3B%20x%3D%22b"),
        ("a\r\nSet-Cookie: b", "attachment; filename=\"a__Set-Cookie: b\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b"),
        ("a\\", "attachment; filename=\"a_\"; filename*=UTF-8''a%5C"),
        ("mód.zip", "attachment; filename=\"m_d.zip\"; filename*=UTF-8''m%C3%B3d.zip"),
        ("\0\x7f", "attachment; filename=\"__\"; filename*=UTF-8''%00%7F"),
    ],
)
def test_a_filename_cannot_break_out_of_its_header(filename: str, header: str) -> None:
    assert disposition(filename) == header


@moto_only
def test_a_bucket_error_is_not_a_missing_blob() -> None:
    with settings.override(blobs="s3://no-such-bucket"), pytest.raises(Busy):
        blobs.get("area/x")


@embedded_only
@pytest.mark.parametrize("location", ["", "data", "gs://bucket", "ftp:x"])
def test_an_unknown_kind_of_store_is_an_error(location: str) -> None:
    with settings.override(blobs=location), pytest.raises(ValueError, match="MOONBASE_BLOBS"):
        blobs.get("area/x")
