"""The addresses to which Moonbase connects: public ones, allowed networks, and the hosts of the operator."""

import ipaddress
import socket
from typing import Any

import pytest

from chalicelib import settings
from chalicelib.core.outbound.addresses import AddressRules, ForbiddenAddress, address_rules, is_public
from chalicelib.core.outbound.fetch import Caps, OutboundFailed, fetch
from tests.web_server import response, web_server

CAPS = Caps(size=1000, seconds=5.0)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "192.0.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1"),
        *("192.0.0.8", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1"),
        *("203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
        *(
            "::",
            "::1",
            "::7f00:1",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
        ),
        *("2001:20::1", "3fff::1", "5f00::1", "64:ff9b:1::7f00:1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1"),
        *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:80ff:fffe"),
    ],
)
def test_all_other_addresses_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0", "0", "127.1", "2130706433"),
        *(
            "0x7f000001",
            "0177.0.0.1",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "[::]",
            "LOCALHOST",
        ),
        *("127.0.0.1.", "localhost."),
    ],
)
def test_every_spelling_of_a_private_address_is_refused(host: str) -> None:
    with pytest.raises((ForbiddenAddress, OutboundFailed)):
        fetch(f"http://{host}:9/", CAPS)


def test_the_settings_allow_networks() -> None:
    with web_server(lambda *_: response(body=b"hello")) as server:
        with settings.override(outbound_networks=("127.0.0.1/32",)):
            assert fetch(server.url, CAPS).body == b"hello"
        with settings.override(outbound_networks=("10.0.0.0/8", "127.0.0.2/31")), pytest.raises(ForbiddenAddress):
            fetch(server.url, CAPS)


def test_the_operator_s_own_url_may_be_private_at_its_port_only() -> None:
    with web_server(lambda *_: response(body=b"inner")) as inner:
        away = response("302 Found", Location=f"{inner.url}/secret")
        with web_server(lambda request, _: away if request.path == "/away" else response(body=b"own")) as own:
            assert fetch(own.url, CAPS, trusted=True).body == b"own"
            with pytest.raises(ForbiddenAddress, match=r"^127\.0\.0\.1 is not a public address\.$"):
                fetch(f"{own.url}/away", CAPS, trusted=True)
    assert inner.received == []


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254", "0.0.0.0"]
)
def test_no_trusted_host_is_a_metadata_service(address: str) -> None:
    rules = AddressRules(trusted=frozenset({("luarocks.org", 443)}))
    rules.check("LuaRocks.org", 443, ipaddress.ip_address("10.0.0.1"))
    with pytest.raises(ForbiddenAddress):
        rules.check("luarocks.org", 443, ipaddress.ip_address(address))
    with pytest.raises(ForbiddenAddress):
        rules.check("luarocks.org", 80, ipaddress.ip_address("10.0.0.1"))


def test_a_name_that_changes_its_address_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is resolved once for a connection: the checked address is the one that is connected."""
    asked: list[str] = []
    connected: list[Any] = []
    answers = [("203.0.114.1", 80), ("127.0.0.1", 80)]

    def rebinding(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", answers[min(len(asked), len(answers)) - 1])]

    def refuse(self: socket.socket, address: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(OutboundFailed):
        fetch("http://rebinding.example/", CAPS)
    assert (asked, connected) == (["rebinding.example"], [("203.0.114.1", 80)])
    with pytest.raises(ForbiddenAddress):
        fetch("http://rebinding.example/", CAPS)
    assert connected == [("203.0.114.1", 80)]


def test_each_address_of_a_name_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("203.0.114.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: (_ for _ in ()).throw(ConnectionRefusedError))
    with pytest.raises(ForbiddenAddress):
        fetch("http://both.example/", CAPS)


@pytest.mark.parametrize("network", ["10.0.0.1/8", "local", "127.0.0.1/33"])
def test_an_invalid_network_in_the_settings_is_an_error(network: str) -> None:
    with pytest.raises(ValueError, match="MOONBASE_OUTBOUND_NETWORKS"):
        settings.Settings.from_environment({"MOONBASE_OUTBOUND_NETWORKS": network})


def test_without_settings_no_network_is_allowed() -> None:
    assert address_rules() == AddressRules()
