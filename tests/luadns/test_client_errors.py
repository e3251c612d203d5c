"""A 400 as each client decodes it: strictly, as the structs of luadns-go and the code of the gem do."""

import json
from typing import Any

import pytest

from tests.client import Reply
from tests.luadns.api import LuaDns
from tests.worlds import embedded_only

pytestmark = embedded_only

# User-Agents as the clients send them, whose 400 must be an array.
GO = ("Go-http-client/1.1", "Go-http-client/2.0", "luadns-go/0.0.3", "luadns-go/0.0.3 caddy")
RUBY = ("luadns-ruby/0.1", "luadns-ruby/0.2")
OTHERS = ("", "python-requests/2.32.5", "goacme-lego/5", "DDNS-Updater quentin.mcgaw@gmail.com", "acme.sh/3.1.1")
ENTRY = {"fieldNames": list, "classification": str, "message": str}
BAD = {
    "missing name": ("POST", "/zones", {"name": ""}),
    "no object": ("POST", "/zones", []),
    "no JSON": ("POST", "/zones", None),
    "wrong type": ("POST", "/zones/{zone}/records", {"name": "a", "type": "A", "content": 7}),
    "bad content": ("POST", "/zones/{zone}/records", {"name": "a", "type": "A", "content": "x"}),
    "managed": ("POST", "/zones/{zone}/records", {"name": "", "type": "NS", "content": "ns1.localhost."}),
    "one of many": ("POST", "/zones/{zone}/records/create_many", [{"name": "a", "type": "A", "content": "x"}]),
    "no list": ("PATCH", "/zones/{zone}/records", {}),
    "zone file": ("POST", "/zones/{zone}/import", None),
    "bad page": ("GET", "/zones?limit=x", None),
}


def send(dns: LuaDns, zone: int, case: str, **headers: str) -> Reply:
    method, path, body = BAD[case]
    path, _, query = path.format(zone=zone).partition("?")
    raw = None if body is not None else b"www A 192.0.2.256\n" if "import" in path else b"{"
    return dns(method, path, body, headers, query=query, body=raw if method != "GET" else b"")


def decode_go(body: bytes) -> list[str]:
    """Decode as `[]struct{FieldNames []string; Classification, Message string}`: null and unknown keys are allowed."""
    entries = json.loads(body)
    assert isinstance(entries, list)
    for entry in entries:
        assert isinstance(entry, dict)
        for name, kind in ENTRY.items():
            assert entry.get(name) is None or isinstance(entry[name], kind)
        assert all(isinstance(field, str) for field in entry.get("fieldNames") or [])
    return [entry.get("message") or "" for entry in entries]


def decode_ruby(body: bytes) -> list[str]:
    """Decode as the gem does: 0.1 joins `fieldNames` of every entry, which must be there; 0.2 those of two classes."""
    texts = []
    for entry in json.loads(body):
        fields: Any = entry["fieldNames"]
        assert isinstance(fields, list)
        texts.append(f"{', '.join(fields)} {entry['message']}".strip())
    return texts


@pytest.fixture
def zone(dns: LuaDns) -> int:
    return dns.zone()


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("agent", [*GO, *RUBY, *OTHERS])
def test_a_400_is_an_array_that_the_official_clients_decode(dns: LuaDns, zone: int, agent: str, case: str) -> None:
    reply = send(dns, zone, case, **{"User-Agent": agent})
    assert (reply.status, reply.header("Content-Type")) == (400, "application/json")
    assert all(decode_go(reply.body))
    assert len(decode_ruby(reply.body)) == len(decode_go(reply.body))


def test_the_fields_and_classes_are_those_of_the_real_server(dns: LuaDns, zone: int) -> None:
    assert send(dns, zone, "bad content", **{"User-Agent": GO[2]}).body == (
        b'[{"fieldNames":["content"],"message":"invalid IPv4 address"}]\n'
    )
    assert send(dns, zone, "missing name", **{"User-Agent": RUBY[1]}).json == [
        {"fieldNames": ["name"], "classification": "RequiredError", "message": "Required"},
        {"fieldNames": ["name"], "classification": "ValidationError", "message": "invalid name"},
    ]
    assert decode_ruby(send(dns, zone, "bad content", **{"User-Agent": RUBY[0]}).body) == [
        "content invalid IPv4 address"
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": "libcloud/3.9.1 (Luadns) "},
        {"User-Agent": "curl/7.88.1"},
        {"User-Agent": GO[2], "Accept": "application/json; errors=object"},
    ],
)
@pytest.mark.parametrize("case", BAD)
def test_clients_that_want_the_documented_object_get_it(
    dns: LuaDns, zone: int, case: str, headers: dict[str, str]
) -> None:
    reply = send(dns, zone, case, **headers)
    assert (reply.status, list(reply.json)) == (400, ["status", "request_id", "message", "errors"])


@pytest.mark.parametrize("agent", [*GO, *RUBY])
def test_other_errors_are_objects_for_everyone(dns: LuaDns, agent: str) -> None:
    reply = dns("GET", "/zones/99", headers={"User-Agent": agent})
    assert (reply.status, reply.json["message"]) == (404, "Zone not found.")
