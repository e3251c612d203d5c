"""Who may use LuaDNS' API: Accept, keys, the switch, zones of others, keys for one zone, the rate."""

from typing import Any

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import accounts, credentials
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.luadns.api import LuaDns, basic, key_for, stored

RATE_HEADERS = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]


def refusal(reply: Reply, status: int, title: str, message: str) -> None:
    assert (reply.status, reply.json) == (
        status,
        {"status": title, "request_id": reply.json["request_id"], "message": message},
    )
    assert list(reply.json) == ["status", "request_id", "message"]


def limited(reply: Reply) -> bool:
    return [name for name in RATE_HEADERS if reply.header(name) is not None] == RATE_HEADERS


def test_settings_are_shown_in_full(dns: LuaDns) -> None:
    reply = dns("GET", "/users/me")
    assert reply.body == (
        b'{"email":"alice@example.org","name":"Alice","repo_uri":"","api_enabled":true,"tfa":false,"deploy_key":"",'
        b'"ttl":300,"package":"Free","name_servers":["ns1.localhost.","ns2.localhost."]}\n'
    )
    assert reply.status == 200


@pytest.mark.parametrize("user", ["", "alice@example.org", "ALICE@example.org"])
def test_a_key_comes_with_its_account_s_address_or_none(client: Client, dns: LuaDns, user: str) -> None:
    secret = credentials.create(accounts.named("alice"), "luadns")[1]
    assert LuaDns(client, user, secret)("GET", "/users/me").status == 200


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Basic",
        "Basic !!!",
        "Basic " + "/w==",
        basic("alice@example.org", "nonsense"),
        basic("", ""),
        "Bearer x",
    ],
)
def test_without_a_good_key_there_is_a_challenge_and_nothing_else(
    client: Client, dns: LuaDns, header: str | None
) -> None:
    given = {"Accept": "application/json"} if header is None else {"Accept": "*/*", "Authorization": header}
    reply = client.get("/v1/zones", headers=given)
    refusal(reply, 401, "Unauthorized", "Invalid API Key")
    assert reply.header("www-authenticate") == 'Basic realm="Authorization Required"'
    assert not limited(reply)


@pytest.mark.parametrize("user", ["bob@example.org", "alice", "x"])
def test_a_key_under_another_name_is_unknown(client: Client, alice: Account, bob: Account, user: str) -> None:
    accounts.switch(alice, "luadns_enabled", True)
    dns = LuaDns(client, user, credentials.create(alice, "luadns")[1])
    refusal(dns("GET", "/zones"), 401, "Unauthorized", "Invalid API Key")


def test_another_services_key_and_a_revoked_one_are_unknown(client: Client, alice: Account) -> None:
    accounts.switch(alice, "luadns_enabled", True)
    credential, secret = credentials.create(alice, "luadns")
    credentials.revoke(credential)
    for text in (secret, credentials.create(alice, "luarocks")[1]):
        refusal(LuaDns(client, "", text)("GET", "/zones"), 401, "Unauthorized", "Invalid API Key")


@pytest.mark.parametrize("accept", [None, "text/html", "application/xml, text/*;q=0.5", ""])
def test_whoever_does_not_accept_json_is_told_before_anything_else(
    client: Client, dns: LuaDns, calls: list[str], accept: str | None
) -> None:
    given = {"Authorization": dns.headers["Authorization"], **({} if accept is None else {"Accept": accept})}
    calls.clear()
    reply = client.get("/v1/zones", headers=given)
    refusal(reply, 403, "Forbidden", "Invalid 'Accept' header")
    assert (limited(reply), calls) == (False, [])


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", "text/html, application/json; q=0.9", "Application/JSON", "application/*"]
)
def test_whoever_accepts_json_among_others_gets_it(dns: LuaDns, accept: str) -> None:
    assert dns("GET", "/zones", headers={"Accept": accept}).status == 200


def test_the_api_is_closed_until_it_is_opened_and_after_it_is_closed(client: Client, alice: Account) -> None:
    dns = LuaDns(client, alice.email, credentials.create(alice, "luadns")[1])
    for _ in range(2):
        reply = dns("GET", "/users/me")
        refusal(reply, 403, "Forbidden", "API access is disabled for this account.")
        assert limited(reply)
        accounts.switch(alice, "luadns_enabled", True)
        assert dns("GET", "/users/me").status == 200
        accounts.switch(alice, "luadns_enabled", False)


def test_a_suspended_account_is_refused_and_a_banned_one_only_reads(
    client: Client, alice: Account, dns: LuaDns, zone: int
) -> None:
    mallory = accounts.create("mallory", "m@example.org", rank="BANNED")
    banned = key_for(client, mallory)
    assert banned.get("/zones") == []
    refusal(banned("POST", "/zones", {"name": "m.org"}), 403, "Forbidden", "Your account has been banned")
    accounts.suspend(alice)
    refusal(dns("GET", "/zones"), 403, "Forbidden", "Your account has been suspended.")


def calls_on(zone: int, record: int) -> list[tuple[str, str, Any]]:
    """Every call on a zone, or a record of it."""
    new = {"name": "a", "type": "A", "content": "10.0.0.1"}
    return [
        ("GET", f"/zones/{zone}", None),
        ("PUT", f"/zones/{zone}", {"name": "example.com", "records": []}),
        ("DELETE", f"/zones/{zone}", None),
        ("GET", f"/zones/{zone}/records", None),
        ("POST", f"/zones/{zone}/records", new),
        ("GET", f"/zones/{zone}/records/{record}", None),
        ("PUT", f"/zones/{zone}/records/{record}", new),
        ("DELETE", f"/zones/{zone}/records/{record}", None),
        ("GET", f"/zones/{zone}/ds_records", None),
        ("POST", f"/zones/{zone}/records/create_many", [new]),
        ("PATCH", f"/zones/{zone}/records", [new]),
        ("POST", f"/zones/{zone}/records/delete_many", [{"name": "www"}]),
    ]


def test_another_account_s_zone_is_not_there_whatever_one_does(
    client: Client, dns: LuaDns, zone: int, bob: Account
) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")["id"]
    other = key_for(client, bob)
    before = stored()
    for method, path, body in calls_on(zone, record):
        refusal(other(method, path, body), 404, "Not Found", "Zone not found.")
    assert other.get("/zones") == []
    assert stored() == before


def test_a_key_for_one_zone_knows_no_other(client: Client, alice: Account, dns: LuaDns, zone: int) -> None:
    mine = dns.zone("example.org")
    record = dns.record(zone, "www", "A", "192.0.2.1")["id"]
    narrow = key_for(client, alice, "zone:Example.ORG")
    before = stored()
    for method, path, body in calls_on(zone, record):
        reply = narrow(method, path, body)
        if (method, path) == ("DELETE", f"/zones/{zone}"):
            refusal(reply, 403, "Forbidden", "This key may not do that: its scope is zone:Example.ORG.")
        else:
            refusal(reply, 404, "Not Found", "Zone not found.")
    assert stored() == before
    assert [row["id"] for row in narrow.get("/zones")] == [mine]
    assert narrow.get("/users/me")["name"] == "Alice"


def test_a_key_for_one_zone_changes_its_records_and_neither_makes_nor_deletes_zones(
    client: Client, alice: Account, dns: LuaDns, zone: int
) -> None:
    narrow = key_for(client, alice, "zone:example.com")
    record = narrow.record(zone, "www", "A", "192.0.2.1")["id"]
    assert narrow("DELETE", f"/zones/{zone}/records/{record}").status == 200
    assert narrow("PUT", f"/zones/{zone}", {"name": "example.com"}).status == 200
    message = "This key may not do that: its scope is zone:example.com."
    refusal(narrow("POST", "/zones", {"name": "example.net"}), 403, "Forbidden", message)
    refusal(narrow("DELETE", f"/zones/{zone}"), 403, "Forbidden", message)


def test_a_key_for_reading_reads(client: Client, alice: Account, dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")["id"]
    reader = key_for(client, alice, "read")
    for method, path, body in calls_on(zone, record):
        assert reader(method, path, body).status == (200 if method == "GET" else 403)


def test_requests_are_counted_in_clock_aligned_windows(dns: LuaDns) -> None:
    with time_machine.travel(1_700_000_123, tick=False) as clock, settings.override(luadns_rate=3):
        shown = []
        for path in ("/zones", "/zones/7", "/nowhere", "/users/me"):
            reply = dns("GET", path)
            shown.append([reply.header(name) for name in RATE_HEADERS])
        assert shown == [
            ["3", "3", "1700000400"],
            ["3", "2", "1700000400"],
            [None, None, None],
            ["3", "1", "1700000400"],
        ]
        reply = dns("GET", "/zones")
        refusal(reply, 429, "Too Many Requests", "Too Many Requests")
        assert [reply.header(name) for name in RATE_HEADERS] == ["3", "0", "1700000400"]
        assert reply.header("retry-after") == "277"
        clock.shift(277)
        reply = dns("GET", "/zones")
        assert [reply.header(name) for name in RATE_HEADERS] == ["3", "3", "1700000700"]


def test_every_answer_to_a_known_key_tells_the_rate(dns: LuaDns, zone: int) -> None:
    for method, path, body, status in [
        ("POST", "/zones", {"name": ""}, 400),
        ("POST", "/zones", {"name": "example.com"}, 403),
        ("GET", "/zones/7", None, 404),
        ("GET", f"/zones/{zone}", None, 200),
    ]:
        reply = dns(method, path, body)
        assert (reply.status, limited(reply)) == (status, True)


def test_each_key_has_a_rate_of_its_own(client: Client, alice: Account, dns: LuaDns) -> None:
    other = key_for(client, alice)
    with settings.override(luadns_rate=1):
        assert [api("GET", "/zones").status for api in (dns, dns, other)] == [200, 429, 200]


def test_without_a_rate_nobody_is_counted(dns: LuaDns) -> None:
    with settings.override(luadns_rate=0):
        reply = dns("GET", "/zones")
    assert (reply.status, limited(reply)) == (200, False)


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/nothing", 404, "Resource not found."),
        ("GET", "/v1", 404, "Resource not found."),
        ("GET", "/v1/zones/x", 404, "Zone not found."),
        ("GET", "/v1/zones/99999999999", 404, "Zone not found."),
        ("GET", "/v1/zones/-1", 404, "Zone not found."),
        ("GET", "/v1/zones/1/records/x", 404, "Record not found."),
        ("PATCH", "/v1/zones", 405, "This path does not take this method."),
        ("GET", "/v1/zones/1/records/create_many", 405, "This path does not take this method."),
    ],
)
def test_paths_that_lead_nowhere_are_told_in_the_api_s_words(
    client: Client, dns: LuaDns, method: str, path: str, status: int, message: str
) -> None:
    reply = client.request(method, path, headers=dns.headers)
    refusal(reply, status, {404: "Not Found", 405: "Method Not Allowed"}[status], message)


def test_our_own_mistakes_are_a_500_in_the_same_envelope(dns: LuaDns) -> None:
    with settings.override(luadns_name_servers=None):
        reply = dns("GET", "/users/me")
    refusal(reply, 500, "Internal Server Error", "Something went wrong here.")
