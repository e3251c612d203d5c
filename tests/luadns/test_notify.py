"""Secondaries and TSIG keys by the API, and NOTIFY messages that are repeated until they are answered."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import pytest
import time_machine
from dns.message import Message
from dns.opcode import Opcode

from chalicelib import settings
from chalicelib.core import activity, job_runner, jobs
from chalicelib.core.activity import ActivityFilter
from chalicelib.core.tables import Account
from chalicelib.luadns import secondaries
from infra.ports import free_port
from tests.client import Client
from tests.luadns.api import LuaDns, assert_invalid, key_for, problem, stored

AUTHORITATIVE = {"luadns_engine": "authoritative", "outbound_networks": ("127.0.0.0/8",)}


@contextmanager
def listener(port: int, received: list[Message]) -> Iterator[None]:
    """A secondary that answers the NOTIFY messages that it receives."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connection.bind(("127.0.0.1", port))
    connection.settimeout(20)

    def serve() -> None:
        while True:
            try:
                wire, peer = connection.recvfrom(4096)
            except OSError:
                return
            if not wire:
                return
            received.append(dns.message.from_wire(wire, keyring=False))
            answer = dns.message.Message(received[-1].id)
            answer.flags, answer.question = dns.flags.QR | dns.flags.AA, received[-1].question
            answer.set_opcode(Opcode.NOTIFY)
            connection.sendto(answer.to_wire(), peer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", port))
        thread.join()
        connection.close()


def test_a_change_notifies_the_secondaries_of_the_zone(dns: LuaDns, zone: int) -> None:
    port, received = free_port(), list[Message]()
    key = dns.make("/tsig_keys", {"name": "t.example.com", "scope": "transfer:example.com"})["name"]
    rows = [{"address": "127.0.0.1", "port": port, "key": key}, {"address": "127.0.0.0/8"}]
    assert dns("PUT", f"/zones/{zone}/secondaries", rows).status == 200
    with settings.override(**AUTHORITATIVE), listener(port, received):
        dns.record(zone, "www", "A", "192.0.2.1")
        job_runner.run_due()
    (message,) = received
    assert (message.opcode(), message.question[0].to_text()) == (Opcode.NOTIFY, "example.com. IN SOA")
    assert str(message.keyname) == "t.example.com."
    assert jobs.pending() == []


def test_a_zone_without_secondaries_has_no_job(dns: LuaDns, zone: int) -> None:
    with settings.override(**AUTHORITATIVE):
        dns.record(zone, "www", "A", "192.0.2.1")
    assert jobs.pending() == []


def test_a_secondary_that_does_not_answer_is_notified_again(dns: LuaDns, zone: int) -> None:
    ports, received = [free_port(), free_port()], list[Message]()
    dns("PUT", f"/zones/{zone}/secondaries", [{"address": "127.0.0.1", "port": port} for port in ports])
    with settings.override(**AUTHORITATIVE):
        with listener(ports[0], received):
            dns.record(zone, "www", "A", "192.0.2.1")
            job_runner.run_due()
        (job,) = jobs.pending()
        assert (len(received), job.payload["waiting"]) == (1, [["127.0.0.1", ports[1]]])
        with listener(ports[1], received), time_machine.travel(time.time() + 5.1):
            job_runner.run_due()
    assert (len(received), jobs.pending(), jobs.dead()) == (2, [], [])


def test_the_repetitions_end(dns: LuaDns, zone: int) -> None:
    dns("PUT", f"/zones/{zone}/secondaries", [{"address": "127.0.0.1", "port": free_port()}])
    with settings.override(**AUTHORITATIVE):
        dns.record(zone, "www", "A", "192.0.2.1")
        attempts = 0
        while jobs.pending():
            with time_machine.travel(time.time() + 4000 * attempts):
                job_runner.run_due()
            attempts += 1
    assert (attempts, jobs.dead()) == (7, [])


def test_no_datagram_goes_to_an_address_of_this_network(dns: LuaDns, zone: int) -> None:
    port, received = free_port(), list[Message]()
    dns("PUT", f"/zones/{zone}/secondaries", [{"address": "127.0.0.1", "port": port}])
    with settings.override(luadns_engine="authoritative", outbound_networks=()), listener(port, received):
        dns.record(zone, "www", "A", "192.0.2.1")
        job_runner.run_due()
    assert received == []


def test_the_operator_s_secondaries_are_notified_of_every_zone(dns: LuaDns, zone: int) -> None:
    from chalicelib.luadns.tables import LuaDnsItem, Zone

    found = next(item for item in LuaDnsItem.scan() if isinstance(item, Zone))
    with settings.override(luadns_transfer_to=("192.0.2.1", "198.51.100.0/24")):
        assert [(each.address, each.port) for each in secondaries.to_notify(found)] == [("192.0.2.1", 53)]


def test_secondaries_are_stored_and_returned(dns: LuaDns, zone: int) -> None:
    path = f"/zones/{zone}/secondaries"
    assert dns.get(path) == []
    rows = [{"address": "192.0.2.1"}, {"address": "2001:DB8::/33", "port": 5353, "notify": False}]
    wanted = [
        {"address": "192.0.2.1", "port": 53, "key": None, "notify": True},
        {"address": "2001:db8::/33", "port": 5353, "key": None, "notify": False},
    ]
    reply = dns("PUT", path, rows)
    assert (reply.status, reply.json) == (200, wanted)
    assert dns.get(path) == wanted
    assert dns("PUT", path, []).json == []


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        ({"address": "ns2.example.net"}, "0.address", "address must be an IP address or a network"),
        ({"address": "192.0.2.1", "port": 0}, "0.port", "port must be between 1 and 65535"),
        ({"address": "192.0.2.1", "key": "no.example"}, "key", "no.example is no TSIG key for transfers of this zone"),
    ],
)
def test_a_wrong_secondary_is_a_400(dns: LuaDns, zone: int, row: dict[str, object], field: str, message: str) -> None:
    before = stored()
    assert_invalid(dns("PUT", f"/zones/{zone}/secondaries", [row]), problem(field, message))
    assert stored() == before


def test_a_key_is_shown_with_its_secret_only_once(dns: LuaDns, zone: int) -> None:
    made = dns.make("/tsig_keys", {"name": "T.Example.com.", "algorithm": "hmac-sha512", "scope": "update:example.com"})
    assert list(made) == ["name", "algorithm", "scope", "created_at", "secret"]
    assert (made["name"], made["algorithm"], len(made["secret"])) == ("t.example.com", "hmac-sha512", 88)
    secret = made.pop("secret")
    assert dns.get("/tsig_keys") == [made]
    assert secret not in str(stored())
    assert dns("DELETE", "/tsig_keys/t.example.com").json == made
    assert dns.get("/tsig_keys") == []
    assert not [item for item in stored() if item["kind"].startswith("tsig")]


def test_the_name_of_a_key_is_unique_among_all_accounts(client: Client, dns: LuaDns, zone: int, bob: Account) -> None:
    dns.make("/tsig_keys", {"name": "t.example.com", "scope": "transfer:example.com"})
    other = key_for(client, bob)
    other.zone("example.org")
    reply = other("POST", "/tsig_keys", {"name": "t.example.com", "scope": "transfer:example.org"})
    assert (reply.status, reply.json["message"]) == (403, "TSIG key 't.example.com' is taken already.")
    assert other("DELETE", "/tsig_keys/t.example.com").status == 404


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"name": "x"}, "name", "the name of a TSIG key is a domain name, such as transfer.example.com"),
        ({"algorithm": "hmac-md5"}, "algorithm", "algorithm must be hmac-sha256 or hmac-sha512"),
        ({"scope": "all"}, "scope", "scope must be transfer:ZONE, update:ZONE or acme:NAME"),
        ({"scope": "transfer:example.org"}, "scope", "the account has no such zone"),
        ({"scope": "acme:www.example.org"}, "scope", "the name is in no zone of the account"),
    ],
)
def test_a_wrong_key_is_a_400(dns: LuaDns, zone: int, change: dict[str, str], field: str, message: str) -> None:
    reply = dns("POST", "/tsig_keys", {"name": "t.example.com", "scope": "transfer:example.com", **change})
    assert_invalid(reply, problem(field, message))


def test_a_key_of_one_zone_cannot_make_tsig_keys(client: Client, dns: LuaDns, zone: int, alice: Account) -> None:
    limited = key_for(client, alice, "zone:example.com")
    reply = limited("POST", "/tsig_keys", {"name": "t.example.com", "scope": "transfer:example.com"})
    assert reply.status == 403
    assert limited("PUT", f"/zones/{zone}/secondaries", []).status == 200
    assert not [item for item in stored() if item["kind"].startswith("tsig")]


def test_the_activity_names_the_tsig_key(dns: LuaDns, zone: int, alice: Account) -> None:
    dns.make("/tsig_keys", {"name": "t.example.com", "scope": "transfer:example.com"})
    dns("DELETE", "/tsig_keys/t.example.com")
    found = activity.everything(ActivityFilter(), int(alice.id))
    texts = [each.text for each in found if "TSIG" in each.text]
    assert texts == [
        f"Alice {done} the TSIG key t.example.com with a key without a comment" for done in ("deleted", "created")
    ]
