"""dyndns2 at /nic/update: by requests, and by Debian's ddclient."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.luadns.api import LuaDns, basic, key_for, stored
from tests.luadns.served import EMAIL, Served, served


def nic(dns: LuaDns, query: str, **headers: str) -> Reply:
    sent = {"Authorization": dns.headers["Authorization"], "User-Agent": "inadyn/2.10.0", **headers}
    return dns.client.request("GET", "/nic/update", query=query, headers=sent)


@pytest.fixture
def home(dns: LuaDns, zone: int) -> int:
    """A zone with hosts."""
    dns.record(zone, "home", "A", "192.0.2.1", ttl=60)
    dns.record(zone, "home", "AAAA", "2001:db8::1", ttl=60)
    dns.record(zone, "two", "A", "192.0.2.1")
    dns.record(zone, "two", "A", "192.0.2.2")
    return zone


def test_each_host_has_a_line_in_the_order_sent(dns: LuaDns, home: int) -> None:
    hosts = "home.example.com,no.example.com,HOME.example.com.,two.example.com,short,elsewhere.example.net"
    reply = nic(dns, f"system=dyndns&hostname={hosts}&myip=198.51.100.7")
    lines = ["good 198.51.100.7", "nohost", "nochg 198.51.100.7", "good 198.51.100.7", "notfqdn", "nohost"]
    assert (reply.status, reply.body.decode()) == (200, "".join(f"{line}\n" for line in lines))
    assert str(reply.header("content-type")).startswith("text/plain")
    assert dns.own(home) == [
        ("home.example.com.", "A", "198.51.100.7"),
        ("two.example.com.", "A", "198.51.100.7"),
        ("home.example.com.", "AAAA", "2001:db8::1"),
    ]
    assert [row["ttl"] for row in dns.get(f"/zones/{home}/records")[3:]] == [60, 300, 60]


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("myip=192.0.2.1", "nochg 192.0.2.1"),
        ("myip=2001:DB8::2", "good 2001:db8::2"),
        ("myip=192.0.2.1,2001:db8::2", "good 192.0.2.1,2001:db8::2"),
        ("myip=192.0.2.9&myipv6=2001:db8::1", "good 192.0.2.9,2001:db8::1"),
        ("myip=x", "dnserr"),
    ],
)
def test_addresses_of_both_families(dns: LuaDns, home: int, query: str, line: str) -> None:
    reply = nic(dns, f"hostname=home.example.com&{query}")
    assert (reply.status, reply.body.decode()) == (200, f"{line}\n")


def test_without_an_address_it_is_the_client_s(dns: LuaDns, home: int) -> None:
    assert nic(dns, "hostname=home.example.com").body == b"good 203.0.113.7\n"


@pytest.mark.parametrize(
    ("query", "line"),
    [("", "notfqdn"), ("hostname=" + ",".join(["a.example.com"] * 21) + "&myip=192.0.2.1", "numhost")],
)
def test_a_wrong_request_has_one_line_and_changes_nothing(dns: LuaDns, home: int, query: str, line: str) -> None:
    before = stored()
    reply = nic(dns, query)
    assert (reply.status, reply.body.decode()) == (200, f"{line}\n")
    assert stored() == before


def test_a_wrong_key_is_badauth(dns: LuaDns, home: int) -> None:
    reply = nic(dns, "hostname=home.example.com&myip=192.0.2.9", Authorization=basic(EMAIL, "x" * 40))
    assert (reply.status, reply.body) == (401, b"badauth\n")
    assert str(reply.header("www-authenticate")).startswith("Basic ")


def test_a_key_of_another_zone_or_account_has_no_such_host(
    client: Client, dns: LuaDns, home: int, alice: Account, bob: Account
) -> None:
    dns.zone("example.org")
    for other in (key_for(client, alice, "zone:example.org"), key_for(client, bob)):
        assert nic(other, "hostname=home.example.com&myip=192.0.2.9").body == b"nohost\n"
    reply = nic(key_for(client, alice, "read"), "hostname=home.example.com&myip=192.0.2.9")
    assert (reply.status, reply.body) == (403, b"911\n")
    assert ("home.example.com.", "A", "192.0.2.1") in dns.own(home)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("dyndns") / "data", "--workers", "1") as running:
        yield running


def test_ddclient_sets_its_hosts(server: Served, tmp_path: Path) -> None:
    server.zone("router.test", ("home", "A", "192.0.2.1"), ("cam", "A", "192.0.2.1"))
    host = server.server.url.removeprefix("http://")
    (tmp_path / "conf").write_text(
        f"ssl=no\nuse=cmd, cmd='echo 198.51.100.9'\nprotocol=dyndns2\nserver={host}\nlogin={EMAIL}\n"
        f"password={server.key}\nhome.router.test,cam.router.test\n"
    )
    (tmp_path / "conf").chmod(0o600)
    command = ["ddclient", "-foreground", "-daemon=0", "-file", "conf", "-cache", "cache", "-verbose", "-pid", "pid"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (
        done.stderr.count("good: IP address set to 198.51.100.9")
        + done.stdout.count("good: IP address set to 198.51.100.9")
        == 2
    ), done.stdout + done.stderr
    for name in ("home", "cam"):
        assert server.dig(f"{name}.router.test", "A", "+short") == "198.51.100.9\n"
