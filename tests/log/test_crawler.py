"""The log as a verifier sees it that shares no code with the server, see crawler.py."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest
import time_machine

from chalicelib.contentdb.packages import states
from chalicelib.core.identity import credentials
from chalicelib.core.published import EventFile
from chalicelib.core.tables import Account
from chalicelib.core.transparency import erasing, keys, log
from tests.client import Client
from tests.contentdb import builders as contentdb
from tests.contentdb.files import MOD, released, zipped
from tests.log.builders import change_entry, damage_signature, fork, publish, run_jobs, sign_with_another_key
from tests.log.crawler import CrawledLog, LogFault, crawl
from tests.luarocks.builders import rockspec

FILE = {"service": "hel", "kind": "file"}
CONTENT = rockspec("say", "1.0-1")
SAY = "luarocks", "alice/say", "say-1.0-1.rockspec"


@pytest.fixture
def filled(client: Client) -> bytes:
    """A log of 260 entries; the checkpoint of its first 100 is returned."""
    publish(*(f"alice/{number}.lua" for number in range(100)), **FILE)
    older = client.get("/log/checkpoint").body
    publish(*(f"alice/{number}.lua" for number in range(100, 260)), **FILE)
    return older


def public_key() -> str:
    return keys.verifier(keys.stored()[0]).text


def crawled(client: Client, older: bytes | None = None, *, key: str | None = None, **more: str) -> CrawledLog:
    def get(path: str) -> bytes:
        path, _, query = path.partition("?")
        reply = client.get(path, query=query)
        if reply.status != 200:
            raise LogFault(f"{path}: {reply.status}")
        return reply.body

    return crawl(get, key or public_key(), older, **more)


def uploaded(client: Client, key: str, content: bytes = CONTENT) -> None:
    reply = client.post(f"/api/1/{key}/upload", files={"rockspec_file": (SAY[2], content)})
    assert reply.status == 200, reply.body


def test_a_log_of_600_entries_with_real_uploads_is_accepted(client: Client, alice: Account, key: str) -> None:
    publish(*(f"alice/{number}.lua" for number in range(300)), **FILE)
    older = client.get("/log/checkpoint").body
    uploaded(client, key)
    header = {"Authorization": "Bearer " + credentials.create(alice, "hel")[1]}
    assert client.post("/hel/files", query={"name": "a.lua"}, body=b"return 1", headers=header).status == 201
    contentdb.published("Alice/mymod")
    content = zipped(MOD)
    released(client, "Alice/mymod", contentdb.token(alice), content)
    run_jobs()
    publish(*(f'Ärger \x7f"\\/\t{number}' for number in range(600 - len(list(log.every())))), **FILE)
    found = crawled(client, older)
    assert found.head.size == 600
    assert found.has_file(*SAY, sha256(CONTENT).hexdigest())
    assert found.has_file("hel", "Alice/a.lua", "a.lua", sha256(b"return 1").hexdigest())
    name = client.get("/api/packages/Alice/mymod/releases/").json[0]["url"].rpartition("/")[2]
    assert found.has_file("contentdb", "Alice/mymod", name, sha256(content).hexdigest())
    assert not found.has_file("luarocks", "bob/say", SAY[2], sha256(CONTENT).hexdigest())


def test_files_of_a_draft_are_logged_by_name_when_it_is_approved(client: Client, alice: Account) -> None:
    contentdb.draft("Alice/mymod")
    content = zipped(MOD)
    released(client, "Alice/mymod", contentdb.token(alice), content)
    run_jobs()
    digest = sha256(content).hexdigest()
    before = crawled(client)
    assert [file for entry in before.entries for file in entry["files"]] == [{"sha256": digest, "size": len(content)}]
    states.apply("approve", "Alice", "mymod")
    run_jobs()
    release = client.get("/api/packages/Alice/mymod/releases/").json[0]
    found = crawled(client)
    assert found.has_file("contentdb", "Alice/mymod", release["url"].rpartition("/")[2], digest)
    assert release["log"] == len(found.entries) - 1


def test_a_list_of_files_that_does_not_fit_is_read_from_the_proof(client: Client) -> None:
    files = [EventFile(f"file-{number}", f"{number:064x}", number) for number in range(1000)]
    publish("alice/big", **FILE, files=files)
    assert crawled(client).has_file("hel", "alice/big", "file-999", f"{999:064x}")
    entry = log.entry(0)
    entry.update(entry.assign(files=bytes(entry.files).replace(b"file-999", b"file-998")))
    with pytest.raises(LogFault, match="a list of files is not the one that its entry names"):
        crawled(client)


def test_a_file_is_found_after_a_rename(client: Client) -> None:
    file = EventFile("a.lua", "ab" * 32, 300)
    publish("alice/a", **FILE, files=[file])
    publish("bob/a", **FILE | {"action": "transfer"}, former_name="alice/a")
    assert crawled(client).has_file("hel", "bob/a", "a.lua", "ab" * 32)
    assert not crawled(client).has_file("hel", "bob/a", "b.lua", "ab" * 32)


def test_a_changed_entry_is_found(client: Client, filled: bytes) -> None:
    change_entry(17, b"alice/17", b"alice/71")
    with pytest.raises(LogFault, match="the entries do not have the root of the checkpoint"):
        crawled(client)


def test_a_removed_entry_is_found(client: Client, filled: bytes) -> None:
    log.entry(100).delete()
    with pytest.raises(LogFault, match="/log/tile/entries/000: 404"):
        crawled(client)


def test_a_forked_tree_is_found_with_an_older_checkpoint(client: Client, filled: bytes) -> None:
    newest = client.get("/log/checkpoint").body
    fork(b"alice/259", b"alice/952")
    assert crawled(client, filled).head.size == 260
    with pytest.raises(LogFault, match="the log does not extend the older checkpoint"):
        crawled(client, newest)


def test_a_rewritten_file_is_found(client: Client, key: str) -> None:
    uploaded(client, key)
    run_jobs()
    served = client.get("/manifests/alice/" + SAY[2]).body
    found = crawled(client)
    assert found.has_file(*SAY, sha256(served).hexdigest())
    assert not found.has_file(*SAY, sha256(served + b"-- rewritten").hexdigest())


def test_a_wrong_key_is_found(client: Client, filled: bytes) -> None:
    pinned = public_key()
    sign_with_another_key()
    with pytest.raises(LogFault, match="the key has not signed the checkpoint"):
        crawled(client, key=pinned)


def test_a_damaged_signature_is_found(client: Client, filled: bytes) -> None:
    damage_signature()
    with pytest.raises(LogFault, match="the signature of the checkpoint is wrong"):
        crawled(client)


def test_a_log_with_a_new_origin_is_verified_with_the_old_key(client: Client) -> None:
    publish("alice/a", **FILE)
    older, pinned = client.get("/log/checkpoint").body, public_key()
    with time_machine.travel(datetime(2100, 1, 1, tzinfo=UTC)):
        keys.rotate("rocks.example.org/log")
    publish("alice/b", **FILE)
    with pytest.raises(LogFault, match=r"the checkpoint is of another log, rocks\.example\.org/log"):
        crawled(client, older, key=pinned)
    assert crawled(client, older, key=pinned, origin="rocks.example.org/log").head.size == 2


def test_an_erased_actor_is_accepted(client: Client, filled: bytes) -> None:
    before = crawled(client, filled)
    assert erasing.erase("alice") == 260
    assert crawled(client, filled) == before
