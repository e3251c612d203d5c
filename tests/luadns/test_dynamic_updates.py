"""Dynamic updates by Debian's nsupdate and by messages: prerequisites, scopes, and what is refused."""

import socket
import subprocess
from collections.abc import Iterator

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import pytest
from dns.rcode import Rcode
from dns.update import UpdateMessage

from tests.luadns.served import Served, served
from tests.servers import moonbase

Key = dict[str, str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOONBASE_LUADNS_RATE", "0")
        patch.setenv("MOONBASE_LUADNS_RESPONSE_RATE", "0")
        with served(tmp_path_factory.mktemp("updates") / "data", "--workers", "1") as running:
            yield running


@pytest.fixture
def zone(server: Served, request: pytest.FixtureRequest) -> str:
    """A zone of its own for each test."""
    name = f"z{abs(hash(request.node.name)) % 10**8}.test"
    server.zone(name, ("www", "A", "192.0.2.1"), ("www", "TXT", "hello"), ("c", "CNAME", "www.example."))
    return name


def make_key(server: Served, zone: str, scope: str = "update") -> Key:
    scope = scope if ":" in scope else f"{scope}:{zone}"
    key: Key = server.call("POST", "/tsig_keys", {"name": f"k{abs(hash(scope))}.{zone}", "scope": scope})
    return key


def message(zone: str, key: Key | None) -> UpdateMessage:
    tsig = dns.tsig.Key(f"{key['name']}.", key["secret"], f"{key['algorithm']}.") if key else None
    return UpdateMessage(zone, keyring=tsig)


def send(server: Served, update: UpdateMessage) -> Rcode:
    answer = dns.query.tcp(update, "127.0.0.1", port=server.dns_port, timeout=20)
    assert answer.had_tsig == update.had_tsig
    return answer.rcode()


def rows(server: Served, zone: str) -> set[tuple[str, str, str, int]]:
    zone_id = server.call("GET", f"/zones?query={zone}")[0]["id"]
    listed = server.call("GET", f"/zones/{zone_id}/records")
    return {
        (row["name"].removesuffix(f"{zone}."), row["type"], row["content"], row["ttl"])
        for row in listed
        if row["type"] not in ("SOA", "NS")
    }


@pytest.mark.parametrize("options", [[], ["-v"]])
def test_nsupdate_adds_replaces_and_deletes(server: Served, zone: str, options: list[str]) -> None:
    key = make_key(server, zone)
    script = f"""server 127.0.0.1 {server.dns_port}
zone {zone}
prereq yxdomain www.{zone}
update add new.{zone} 60 A 192.0.2.7
update add new.{zone} 60 TXT "two words"
update delete www.{zone} A
update add www.{zone} 90 A 192.0.2.9
update delete c.{zone}
send
"""
    command = ["nsupdate", *options, "-y", f"{key['algorithm']}:{key['name']}:{key['secret']}"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(server, zone) == {
        ("new.", "A", "192.0.2.7", 60),
        ("new.", "TXT", "two words", 60),
        ("www.", "A", "192.0.2.9", 90),
        ("www.", "TXT", "hello", 300),
    }
    assert server.dig(f"new.{zone}", "A", "+short") == "192.0.2.7\n"
    zone_id = server.call("GET", f"/zones?query={zone}")[0]["id"]
    newest = server.call("GET", f"/zones/{zone_id}/history")[0]
    assert (newest["action"], newest["removed_count"], newest["added_count"]) == ("zone.dynamic-update", 2, 3)


def test_one_record_of_a_set_is_deleted_and_an_equal_one_gets_the_ttl(server: Served, zone: str) -> None:
    key = make_key(server, zone)
    update = message(zone, key)
    update.add("www", 300, "A", "192.0.2.2")
    update.delete("www", "A", "192.0.2.1")
    update.add("www", 77, "TXT", "hello")
    update.delete("nowhere", "A")
    assert send(server, update) == Rcode.NOERROR
    assert rows(server, zone) == {
        ("www.", "A", "192.0.2.2", 300),
        ("www.", "TXT", "hello", 77),
        ("c.", "CNAME", "www.example.", 300),
    }


def test_a_record_that_the_same_message_adds_and_deletes_is_not_there(server: Served, zone: str) -> None:
    before = rows(server, zone)
    update = message(zone, make_key(server, zone))
    update.add("x", 300, "A", "192.0.2.2")
    update.delete("x", "A")
    update.replace("www", 60, "A", "192.0.2.5")
    update.replace("www", 300, "A", "192.0.2.1")
    assert send(server, update) == Rcode.NOERROR
    assert rows(server, zone) == before


def test_managed_records_and_conflicts_with_a_cname_are_ignored(server: Served, zone: str) -> None:
    before = sorted(server.dig(zone, "NS", "+short"))
    update = message(zone, make_key(server, zone))
    update.delete("@")
    update.add("@", 60, "SOA", "a. b. 1 2 3 4 5")
    update.add("www", 60, "CNAME", "a.example.")
    update.add("c", 60, "A", "192.0.2.1")
    update.add("c", 60, "CNAME", "other.example.")
    assert send(server, update) == Rcode.NOERROR
    assert sorted(server.dig(zone, "NS", "+short")) == before
    assert ("c.", "CNAME", "other.example.", 60) in rows(server, zone)
    assert len(rows(server, zone)) == 3


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("present", ("nowhere",), Rcode.NXDOMAIN),
        ("present", ("www", "MX"), Rcode.NXRRSET),
        ("present", ("www", "A", "192.0.2.2"), Rcode.NXRRSET),
        ("absent", ("www",), Rcode.YXDOMAIN),
        ("absent", ("www", "A"), Rcode.YXRRSET),
    ],
)
def test_nothing_changes_if_a_prerequisite_does_not_hold(
    server: Served, zone: str, method: str, arguments: tuple[str, ...], code: Rcode
) -> None:
    before = rows(server, zone)
    update = message(zone, make_key(server, zone))
    getattr(update, method)(*arguments)
    update.add("new", 60, "A", "192.0.2.1")
    assert send(server, update) == code
    assert rows(server, zone) == before


def test_the_prerequisites_that_hold(server: Served, zone: str) -> None:
    update = message(zone, make_key(server, zone))
    update.present("www")
    update.present("www", "A")
    update.present("www", "A", "192.0.2.1")
    update.absent("nowhere")
    update.absent("www", "MX")
    update.add("new", 60, "A", "192.0.2.1")
    assert send(server, update) == Rcode.NOERROR
    assert ("new.", "A", "192.0.2.1", 60) in rows(server, zone)


@pytest.mark.parametrize(
    ("name", "type_", "code"),
    [
        ("_acme-challenge.www", "TXT", Rcode.NOERROR),
        ("_acme-challenge.a.b.www", "TXT", Rcode.NOERROR),
        ("_acme-challenge", "TXT", Rcode.REFUSED),
        ("_acme-challenge.xwww", "TXT", Rcode.REFUSED),
        ("www", "TXT", Rcode.REFUSED),
        ("_acme-challenge.www", "A", Rcode.REFUSED),
    ],
)
def test_an_acme_key_changes_only_challenges_at_and_below_its_name(
    server: Served, zone: str, name: str, type_: str, code: Rcode
) -> None:
    key = make_key(server, zone, f"acme:www.{zone}")
    before, content = rows(server, zone), "192.0.2.1" if type_ == "A" else "token"
    update = message(zone, key)
    update.add(name, 60, type_, content)
    assert send(server, update) == code
    wanted = {(f"{name}.", type_, content, 60)} if code == Rcode.NOERROR else set()
    assert rows(server, zone) == before | wanted


def test_what_is_refused_changes_nothing(server: Served, zone: str) -> None:
    server.zone(f"other-{zone}")
    keys = [None, make_key(server, zone, "transfer"), make_key(server, f"other-{zone}")]
    before = rows(server, zone)
    for key in keys:
        update = message(zone, key)
        update.add("new", 60, "A", "192.0.2.1")
        assert send(server, update) == Rcode.REFUSED
    update = message(zone, make_key(server, zone))
    update.add("*", 60, "NS", "ns.example.")
    assert send(server, update) == Rcode.REFUSED
    update = message("elsewhere.example", keys[2])
    update.add("new", 60, "A", "192.0.2.1")
    assert send(server, update) == Rcode.NOTAUTH
    update = message(zone, keys[2])
    update.add("new.example.", 60, "A", "192.0.2.1")
    assert send(server, update) == Rcode.NOTZONE
    assert rows(server, zone) == before


def test_an_account_without_the_api_cannot_update(server: Served, zone: str) -> None:
    key, before = make_key(server, zone), rows(server, zone)
    moonbase(server.server.data, "luadns", "disable", "alice")
    try:
        update = message(zone, key)
        update.add("new", 60, "A", "192.0.2.1")
        assert send(server, update) == Rcode.REFUSED
    finally:
        moonbase(server.server.data, "luadns", "enable", "alice")
    assert rows(server, zone) == before


def test_a_malformed_update_is_formerr(server: Served) -> None:
    wire = bytes((0, 1, 5 << 3, 0)) + bytes((0, 1, 0, 0, 0, 1, 0, 0)) + b"\xff" * 20
    answer = dns.message.from_wire(_exchange(server, wire))
    assert answer.rcode() == Rcode.FORMERR


def _exchange(server: Served, wire: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(wire, ("127.0.0.1", server.dns_port))
        return client.recv(4096)
