"""Bad and interrupted uploads: a clear error in bounded time, and nothing is stored."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib import settings
from chalicelib.luarocks import index
from chalicelib.luarocks.tables import LuaRocksItem
from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rock, rockspec

LETTERS = "invalid characters, only alphanumeric, period, underscore, and hyphen allowed"
NAMES = {
    "package": {
        "nil": "Invalid rockspec (missing package)",
        "''": "Invalid rockspec (blank package)",
        "'caf\u00e9'": "Invalid rockspec (invalid package name, ascii only)",
        "('a'):rep(300)": f"Invalid rockspec (package name contains {LETTERS})",
        "'a/b'": f"Invalid rockspec (package name contains {LETTERS})",
        "'a..b'": "package name has invalid characters",
    },
    "version": {
        "nil": "Invalid rockspec (missing version)",
        "''": "Invalid rockspec (blank version)",
        "'1\u00e9-1'": "Invalid rockspec (invalid version name, ascii only)",
        "('1'):rep(300)": f"Invalid rockspec (version name contains {LETTERS})",
        "'1\\\\2'": f"Invalid rockspec (version name contains {LETTERS})",
        "'1..2'": "version name has invalid characters",
    },
}
HOSTILE = {
    "endless loop": "while true do end",
    "endless call": "x = ('a'):rep(200000):find('.-.-.-b')",
    "long string": "x = ('a'):rep(1e9)",
    "recursion": "local function f() return 1 + f() end f()",
    "recursion in C": "local function f() return ('a'):gsub('a', f) end f()",
}


def stored() -> int:
    return len(list(LuaRocksItem.scan()))


def refused(reply: Reply, error: str, status: int = 400) -> None:
    assert (reply.status, reply.json, stored()) == (status, {"errors": [error]}, 0)
    assert index.catalogue.snapshot().entries == {}


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [(field, value, error) for field, found in NAMES.items() for value, error in found.items()],
)
def test_a_bad_name_is_refused_with_upstreams_texts(upload: Upload, field: str, value: str, error: str) -> None:
    fields = {"package": "'say'", "version": "'1.0-1'", field: value}
    refused(upload(f"package = {fields['package']} version = {fields['version']}".encode()), error)


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_rockspec_is_refused_within_the_time_limit(upload: Upload, source: str) -> None:
    start = time.monotonic()
    refused(upload(f"package = 'say' version = '1.0-1' {source}".encode()), "Failed to eval rockspec")
    assert time.monotonic() - start < 20


def test_bytecode_is_refused(upload: Upload) -> None:
    refused(upload(b"\x1bLuaQ\x00\x01\x04\x08\x04\x08\x00"), "Failed to parse rockspec")


def test_concurrent_uploads_of_a_new_module_all_succeed(client: Client, upload: Upload) -> None:
    contents = [rockspec(version=f"{number}.0-1") for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(upload, contents))
    assert [reply.status for reply in replies] == [200] * 6
    assert sum(reply.json["is_new"] for reply in replies) == 1
    assert len({reply.json["version"]["id"] for reply in replies}) == 6
    assert len(client.get("/manifest.json").json["repository"]["say"]) == 6


def test_nothing_is_published_if_files_cannot_be_stored(client: Client, upload: Upload, upload_rock: Upload) -> None:
    with settings.override(blobs="file:/proc/nowhere"):
        refused(upload(), "Failed to upload rockspec", 503)
    assert upload().json["is_new"] is True
    before = stored()
    with settings.override(blobs="file:/proc/nowhere"):
        reply = upload_rock(1, "say-1.0-1.src.rock")
    assert (reply.status, reply.json) == (503, {"errors": ["Failed to upload rock"]})
    assert reply.header("retry-after") == "5"
    assert (stored(), client.get("/say-1.0-1.src.rock").status) == (before, 404)


@pytest.mark.parametrize(
    ("who", "version_id", "files", "error"),
    [
        ("unknown", "1", {}, "Invalid key"),
        ("alice", "x", {}, "version_id must be an integer"),
        ("alice", "9", {}, "Invalid version ID"),
        ("bob", "1", {}, "Don't have permission to edit"),
        ("alice", "1", {}, "Missing file"),
        ("alice", "1", {"rock_file": ("", rock())}, "Missing file"),
        ("alice", "1", {"rock_file": ("x.rock", b"")}, "Missing file"),
        ("alice", "1", {"rock_file": ("x.rock", rock())}, "Filename must be in format `say-VERSION.ARCH.rock`"),
        ("alice", "1", {"rock_file": ("say-1 0.src.rock", rock())}, f"Version contains {LETTERS}"),
        ("alice", "1", {"rock_file": ("say-1.0-1.s c.rock", rock())}, f"Arch contains {LETTERS}"),
        ("alice", "1", {"rock_file": ("say-2.0-1.src.rock", rock())}, "Rock doesn't match version 1.0-1"),
        ("alice", "1", {"rock_file": ("say-1.0-1.src.rock", b"x")}, "The rock is not a zip file, or is truncated"),
    ],
)
def test_a_bad_rock_is_refused_in_upstreams_order(
    client: Client,
    upload: Upload,
    key: str,
    bob_key: str,
    who: str,
    version_id: str,
    files: dict[str, tuple[str, bytes]],
    error: str,
) -> None:
    upload()
    keys = {"alice": key, "bob": bob_key, "unknown": "unknown"}
    reply = client.post(f"/api/1/{keys[who]}/upload_rock/{version_id}", files=files or {"other": ("a", b"b")})
    assert reply.json == {"errors": [error]}
    assert 400 <= reply.status < 405
