"""The transparency log: entries of published events, tiles, checkpoints and proofs by C2SP's specifications."""

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
import time_machine

from chalicelib.core import events
from chalicelib.core.errors import Invalid
from chalicelib.core.published import EventFile
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Account, PublishedEvent
from chalicelib.core.transparency import erasing, keys, log, notes, proofs, tree, verifying
from chalicelib.core.transparency.tables import LogHead, LogOpening
from chalicelib.log import wire
from tests.client import Client
from tests.contentdb.builders import published, token
from tests.contentdb.files import MOD, released, zipped
from tests.log.builders import (
    FILE,
    MOMENT,
    change_entry,
    damage_signature,
    fork,
    publish,
    run_jobs,
    sign_with_another_key,
)
from tests.luarocks.builders import rockspec
from tests.worlds import both_worlds

pytestmark = pytest.mark.usefixtures("aws")
VERIFY = Path(__file__).parents[2] / "moonbase-verify"
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def bodies() -> list[dict[str, Any]]:
    return [json.loads(entry.body) for entry in log.every()]


def faults(since: str | None = None) -> list[str]:
    return [f"{one.subject}: {one.message}" for one in verifying.verify(verifying.Verified(), since)]


@both_worlds
def test_an_entry_says_what_was_published_and_hides_its_actor() -> None:
    with time_machine.travel(MOMENT, tick=False):
        publish("alice/say", version="1.0-1", files=[FILE])
    entry, opening = log.entry(0), LogOpening.find("log-openings", "000000000000")
    assert opening is not None
    actor = b'{"address":"192.0.2.7","credential":9,"key":"CI","name":"Alice"}'
    assert opening.actor.encode() == actor
    assert bytes(entry.body) == (
        b'{"action":"publish","actor":"' + sha256(bytes(opening.salt) + actor).hexdigest().encode() + b'",'
        b'"at":"2026-03-01T12:00:00.123456Z","files":[{"name":"say-1.0-1.rockspec","sha256":"' + b"ab" * 32 + b'",'
        b'"size":300}],"kind":"toy","name":"alice/say","service":"toys","v":1,"version":"1.0-1"}'
    )
    assert len(opening.salt) == 32


def test_an_unlisted_work_has_no_name_in_the_log() -> None:
    publish("alice/draft", files=[FILE], listed=False)
    (body,) = bodies()
    opening = LogOpening.find("log-openings", "000000000000")
    assert opening is not None
    assert opening.work is not None
    assert body.keys() == {"v", "service", "kind", "action", "at", "actor", "work", "files"}
    assert body["files"] == [{"sha256": "ab" * 32, "size": 300}]
    assert body["work"] == sha256(bytes(opening.salt) + opening.work.encode()).hexdigest()
    assert json.loads(opening.work)["name"] == "alice/draft"


def test_many_files_stand_beside_an_entry() -> None:
    files = [EventFile(f"file-{number}", f"{number:064x}", number) for number in range(1000)]
    publish("alice/big", files=files)
    entry = log.entry(0)
    listed = json.dumps(
        [{"name": file.name, "sha256": file.sha256, "size": file.size} for file in files],
        sort_keys=True,
        separators=(",", ":"),
    ).encode()
    assert json.loads(entry.body)["files"] == {"count": 1000, "sha256": sha256(listed).hexdigest()}
    assert bytes(entry.files) == listed
    assert len(entry.body) < 500


@both_worlds
def test_a_checkpoint_is_signed_by_the_log(client: Client) -> None:
    publish("a", "b", "c")
    reply = client.get("/log/checkpoint")
    assert (reply.status, reply.header("content-type")) == (200, "text/plain; charset=utf-8")
    assert reply.header("cache-control") == "public, max-age=2"
    (key,) = keys.stored()
    found = notes.verified(reply.body.decode(), [keys.verifier(key)])
    leaves = [tree.leaf_hash(bytes(entry.body)) for entry in log.every()]
    assert found == notes.Checkpoint("moonbase.localhost/log", 3, tree.root_of(leaves))
    assert client.get("/log").json == {
        "origin": "moonbase.localhost/log",
        "size": 3,
        "keys": [{"key": keys.verifier(key).text, "created_at": key.created_at.isoformat(), "retired_at": None}],
        "checkpoint": "http://moonbase.test/log/checkpoint",
        "tiles": "http://moonbase.test/log/tile/",
    }


def test_before_the_first_event_there_is_no_checkpoint(client: Client) -> None:
    reply = client.get("/log/checkpoint")
    assert (reply.status, reply.json) == (404, {"message": "The log has no entry yet."})
    assert client.get("/log").json["size"] == 0
    assert faults() == []


def test_tiles_and_bundles_have_the_entries(client: Client) -> None:
    publish(*(f"toy-{number}" for number in range(300)))
    stored = [bytes(entry.body) for entry in log.every()]
    leaves = [tree.leaf_hash(body) for body in stored]
    full = client.get("/log/tile/0/000")
    assert full.body == b"".join(leaves[:256])
    assert full.header("cache-control") == "public, max-age=31536000, immutable"
    assert client.get("/log/tile/0/001.p/44").body == b"".join(leaves[256:])
    assert client.get("/log/tile/0/001.p/7").body == b"".join(leaves[256:263])
    assert client.get("/log/tile/1/000.p/1").body == tree.root_of(leaves[:256])
    bundle = b"".join(len(body).to_bytes(2, "big") + body for body in stored[256:])
    assert client.get("/log/tile/entries/001.p/44").body == bundle
    assert len(client.get("/log/tile/entries/000").body) == sum(len(body) + 2 for body in stored[:256])


@pytest.mark.parametrize(
    "path",
    [
        "0/001", "0/000.p/256", "0/000.p/0", "0/000.p/41", "0/000.p/04", "0/0", "0/x000/000", "00/000", "-1/000",
        "99/000", "entry/000", "entries/000.p/41", "0/000.p", "0/999/999",
        "0/x001", "0/x999/x999/x999/999", "0/%30%30%30.p/x",
    ],
)  # fmt: skip
def test_a_tile_that_does_not_exist_is_not_found(client: Client, path: str) -> None:
    publish(*(f"toy-{number}" for number in range(40)))
    assert client.get(f"/log/tile/{path}").status == 404


def test_positions_are_grouped_by_three_digits() -> None:
    assert [wire.path_of(number) for number in (0, 7, 999, 1000, 1_234_067)] == [
        "000", "007", "999", "x001/000", "x001/x234/067",
    ]  # fmt: skip


@both_worlds
def test_proofs_as_text_and_as_json(client: Client) -> None:
    publish("a", "b", "c", files=[FILE])
    reply = client.get("/log/proof", query="index=1")
    leaves = [tree.leaf_hash(bytes(entry.body)) for entry in log.every()]
    hashes = [base64.b64encode(each).decode() for each in (leaves[0], leaves[2])]
    body = bytes(log.entry(1).body)
    assert reply.header("content-type") == "text/plain; charset=utf-8"
    assert reply.body.decode() == (
        f"c2sp.org/tlog-proof@v1\nextra {base64.b64encode(body).decode()}\nindex 1\n{hashes[0]}\n{hashes[1]}\n\n"
        + log.checkpoint()
    )
    assert client.get("/log/proof", query="index=1&format=json").json == {
        "index": 1,
        "entry": json.loads(body),
        "body": base64.b64encode(body).decode(),
        "proof": hashes,
        "checkpoint": log.checkpoint(),
    }
    found = client.get("/log/proof", query="old=2").json
    assert found == {"proof": [base64.b64encode(leaves[2]).decode()], "checkpoint": log.checkpoint()}


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("", 400, "index must be a whole number."),
        ("index=x", 400, "index must be a whole number."),
        ("index=3", 404, "The log has no entry 3."),
        ("index=9999999999999", 400, "index must be a whole number."),
        ("old=0", 400, "The log has 3 entries: old must be from 1 to 3."),
        ("old=4", 400, "The log has 3 entries: old must be from 1 to 3."),
    ],
)
def test_a_wrong_proof_request_is_refused(client: Client, query: str, status: int, message: str) -> None:
    publish("a", "b", "c")
    reply = client.get("/log/proof", query=query)
    assert (reply.status, reply.json["message"]) == (status, message)


@both_worlds
def test_the_entries_of_a_work(client: Client) -> None:
    publish("alice/say", files=[FILE], version="1.0-1")
    publish("alice/other", "plain")
    publish("alice/say", action="delete")
    found = client.get("/log/entries/toys/alice/say").json
    assert [(row["index"], row["action"], row["files"]) for row in found] == [
        (0, "publish", [{"name": FILE.name, "sha256": FILE.sha256, "size": 300}]),
        (3, "delete", []),
    ]
    assert [row["index"] for row in client.get("/log/entries/toys/plain").json] == [2]
    assert client.get("/log/entries/toys/alice/none").status == 404


def test_the_indices_of_files_follow_a_rename() -> None:
    publish("alice/say", files=[FILE], version="1.0-1")
    publish("alice/talk", action="change", former_name="alice/say")
    assert proofs.indices_of_files("toys", "alice/talk") == {(FILE.name, FILE.sha256): 0}


def test_a_batch_reads_the_head_the_keys_and_the_last_tile(calls: list[str]) -> None:
    publish("first")
    (event,) = events.numbered()
    calls.clear()
    log.FOLLOWER.follow([msgspec.structs.replace(event, number=2)], Transaction())
    assert calls == ["GetItem", "GetItem", "Query"]


def test_two_processes_cannot_sign_different_trees() -> None:
    publish("a")
    (event,) = events.numbered()
    first = log.checkpoint()
    writes = Transaction()
    log.FOLLOWER.follow([msgspec.structs.replace(event, number=2)], writes)
    publish("b")
    with pytest.raises(Contended, match="Another request is changing the same data"):
        writes.commit()
    assert faults(first) == []
    assert len(bodies()) == 2


def test_rotated_keys_sign_together_until_the_old_one_is_retired(client: Client) -> None:
    publish("a")
    (old,) = keys.stored()
    with time_machine.travel(LATER):
        new = keys.rotate("rocks.example.org/log")
    publish("b")
    note = log.checkpoint()
    assert note.startswith("rocks.example.org/log\n2\n")
    assert notes.verified(note, [keys.verifier(old)]) == notes.verified(note, [keys.verifier(new)])
    assert [key.sk for key in keys.retire()] == [old.sk]
    publish("c")
    assert log.checkpoint().count("\u2014") == 1
    assert len(client.get("/log").json["keys"]) == 2
    assert faults() == []


@pytest.mark.parametrize("origin", ["", "a b", "https://x/log", "x+y", "ü", "a\nb"])
def test_an_origin_that_signatures_cannot_name_is_refused(origin: str) -> None:
    with pytest.raises(Invalid, match="The origin must be like"):
        keys.rotate(origin)


@both_worlds
def test_an_erased_actor_leaves_the_log_as_it_was() -> None:
    publish("a", "b")
    before = [bytes(entry.body) for entry in log.every()]
    assert erasing.erase("alice") == 2
    assert erasing.erase("alice") == 0
    assert [bytes(entry.body) for entry in log.every()] == before
    assert [(event.actor, event.address, event.key, event.credential) for event in events.numbered()] == [
        (None, None, None, None)
    ] * 2
    assert list(LogOpening.query("log-openings")) == []
    assert faults() == []


class TestVerification:
    """Each way to change the past is found."""

    @pytest.fixture(autouse=True)
    def _filled(self, aws: None) -> None:
        publish(*(f"toy-{number}" for number in range(260)), files=[FILE])

    def test_a_whole_log_has_no_faults(self) -> None:
        seen = verifying.Verified()
        assert list(verifying.verify(seen, log.checkpoint())) == []
        assert seen.entries == 260

    def test_a_changed_entry(self) -> None:
        change_entry(17, b"toy-17", b"toy-71")
        assert faults() == [
            "checkpoint: the first 260 entries have another root",
            "tile 0/0: does not match the entries",
            "tile 1/0: does not match the entries",
            "entry 17: is about something else than the published event",
        ]

    def test_a_removed_entry(self) -> None:
        log.entry(100).delete()
        assert faults() == ["entry 100: is missing", "entry 100: is missing"]

    def test_a_removed_end(self) -> None:
        log.entry(259).delete()
        assert faults()[0] == "checkpoint: it has 260 entries, of which 259 are stored"

    def test_a_removed_event(self) -> None:
        PublishedEvent("events", f"{3:012d}").delete()
        assert faults() == []  # the log still has its entry
        assert len(bodies()) == 260

    def test_an_event_that_the_log_lacks(self) -> None:
        head = log.find_head()
        assert head is not None
        writes = Transaction()
        with time_machine.travel(MOMENT):
            events.record(writes, None, service="toys", kind="toy", name="late", action="delete")
        writes.commit()
        assert faults() == ["toys late: a published event has no entry in the log"]

    def test_a_forked_tree(self) -> None:
        before = log.checkpoint()
        fork(b"toy-259", b"toy-952")
        assert faults() == []
        assert faults(before) == ["checkpoint: the first 260 entries are not those of the older checkpoint"]

    def test_a_shorter_log(self) -> None:
        before = log.checkpoint()
        (key,) = keys.stored()
        short = notes.Checkpoint(key.name, 200, tree.root_at(200, log.remembering()))
        note = notes.signed(short, [(keys.verifier(key), keys.private(key))])
        LogHead("log-head", "head", size=200, checkpoint=note).save()
        assert "checkpoint: the log has 200 entries and had 260" in faults(before)

    def test_events_that_do_not_continue_the_log_are_refused(self) -> None:
        LogHead("log-head", "head", size=200, checkpoint=log.checkpoint()).save()
        event = next(events.numbered(259))
        with pytest.raises(ValueError, match="The log has 200 entries, and the next event has the number 260"):
            log.FOLLOWER.follow([event], Transaction())

    def test_a_wrong_key(self) -> None:
        sign_with_another_key()
        assert faults() == ["checkpoint: The checkpoint has no signature of a known key of this log."]

    def test_a_damaged_signature(self) -> None:
        damage_signature()
        assert faults() == ["checkpoint: The signature of the checkpoint is wrong."]


def test_each_real_file_is_proved_to_a_client(client: Client, key: str, tmp_path: Path) -> None:
    content = rockspec("say", "1.0-1")
    assert client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("say-1.0-1.rockspec", content)}).status == 200
    run_jobs()
    module = client.get("/api/1/modules/say").json
    index = module["versions"][0]["files"][0]["log"]
    (tmp_path / "say-1.0-1.rockspec").write_bytes(content)
    (tmp_path / "proof").write_bytes(client.get("/log/proof", query=f"index={index}").body)
    (stored,) = keys.stored()

    def run(*more: str, name: str = "say-1.0-1.rockspec") -> tuple[int, str]:
        command = [sys.executable, VERIFY, "--key", keys.verifier(stored).text, "--proof", tmp_path / "proof", *more]
        done = subprocess.run([*command, tmp_path / name], capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).replace(f"{tmp_path}/", "")

    at = json.loads(log.entry(index).body)["at"]
    assert run("--work", "luarocks/alice/say") == (
        0,
        f"say-1.0-1.rockspec: luarocks alice/say 1.0-1, publish at {at}, entry {index}\n",
    )
    assert run("--work", "luarocks/mallory/say") == (
        1,
        f"say-1.0-1.rockspec: entry {index} is about luarocks/alice/say\n",
    )
    (tmp_path / "changed").write_bytes(content + b"-- ")
    assert run(name="changed")[0] == 1


def test_a_served_file_whose_publication_nobody_saw_is_found(client: Client, key: str) -> None:
    content = rockspec("say", "1.0-1")
    assert client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("say-1.0-1.rockspec", content)}).status == 200
    run_jobs()
    assert faults() == []
    from chalicelib.core import blobs
    from chalicelib.luarocks.index import AREA
    from chalicelib.luarocks.tables import LuaRocksItem, Version

    forged = blobs.put(content + b"\n-- forged", AREA)
    for item in LuaRocksItem.scan():
        if isinstance(item, Version):
            item.update(item.assign(sha256=forged.sha256))
    assert faults() == [f"luarocks alice/say say-1.0-1.rockspec: no entry of the log names the content {forged.sha256}"]


def test_a_release_names_its_entry_once_the_log_has_it(client: Client, alice: Account) -> None:
    published("Alice/mymod")
    released(client, "Alice/mymod", token(alice), zipped(MOD))
    run_jobs()
    release = client.get("/api/packages/Alice/mymod/releases/").json[0]
    found = client.get("/log/entries/contentdb/Alice/mymod").json
    assert [row["kind"] for row in found if row["index"] == release["log"]] == ["release"]
