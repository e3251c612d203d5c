"""Access to LuaDNS' API: Accept header, keys, enabled accounts, other accounts' zones, key scopes, the rate limit."""

from typing import Any

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.luadns.api import LuaDns, basic, key_for, stored

RATE_HEADERS = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]


def assert_error(reply: Reply, status: int, title: str, message: str) -> None:
    assert (reply.status, reply.json) == (
        status,
        {"status": title, "request_id": reply.json["request_id"], "message": message},
    )
    assert list(reply.json) == ["status", "request_id", "message"]


def has_rate_headers(reply: Reply) -> bool:
    return [name for name in RATE_HEADERS if reply.header(name) is not None] == RATE_HEADERS


def test_users_me_has_all_settings(dns: LuaDns) -> None:
    reply = dns("GET", "/users/me")
    assert reply.body == (
        b'{"email":"alice@example.org","name":"Alice","repo_uri":"","api_enabled":true,"tfa":false,"deploy_key":"",'
        b'"ttl":300,"package":"Free","name_servers":["ns1.localhost.","ns2.localhost."]}\n'
    )
    assert reply.status == 200


@pytest.mark.parametrize("user", ["", "alice@example.org", "ALICE@example.org"])
def test_the_user_name_is_the_account_s_address_or_empty(client: Client, dns: LuaDns, user: str) -> None:
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
def test_a_missing_or_invalid_key_gets_a_challenge_without_rate_headers(
    client: Client, dns: LuaDns, header: str | None
) -> None:
    headers = {"Accept": "application/json"} if header is None else {"Accept": "*/*", "Authorization": header}
    reply = client.get("/v1/zones", headers=headers)
    assert_error(reply, 401, "Unauthorized", "Invalid API Key")
    assert reply.header("www-authenticate") == 'Basic realm="Authorization Required"'
    assert not has_rate_headers(reply)


@pytest.mark.parametrize("user", ["bob@example.org", "alice", "x"])
def test_a_key_with_another_user_name_is_rejected(client: Client, alice: Account, bob: Account, user: str) -> None:
    accounts.switch(alice, "luadns_enabled", True)
    dns = LuaDns(client, user, credentials.create(alice, "luadns")[1])
    assert_error(dns("GET", "/zones"), 401, "Unauthorized", "Invalid API Key")


def test_revoked_keys_and_keys_of_other_services_are_rejected(client: Client, alice: Account) -> None:
    accounts.switch(alice, "luadns_enabled", True)
    credential, secret = credentials.create(alice, "luadns")
    credentials.revoke(credential)
    for text in (secret, credentials.create(alice, "luarocks")[1]):
        assert_error(LuaDns(client, "", text)("GET", "/zones"), 401, "Unauthorized", "Invalid API Key")


@pytest.mark.parametrize("accept", [None, "text/html", "application/xml, text/*;q=0.5", ""])
def test_the_accept_header_is_checked_before_the_key(
    client: Client, dns: LuaDns, calls: list[str], accept: str | None
) -> None:
    headers = {"Authorization": dns.headers["Authorization"], **({} if accept is None else {"Accept": accept})}
    calls.clear()
    reply = client.get("/v1/zones", headers=headers)
    assert_error(reply, 403, "Forbidden", "Invalid 'Accept' header")
    assert (has_rate_headers(reply), calls) == (False, [])


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", "text/html, application/json; q=0.9", "Application/JSON", "application/*"]
)
def test_accept_may_list_json_among_other_types(dns: LuaDns, accept: str) -> None:
    assert dns("GET", "/zones", headers={"Accept": accept}).status == 200


def test_the_api_is_disabled_for_an_account_until_it_is_enabled(client: Client, alice: Account) -> None:
    dns = LuaDns(client, alice.email, credentials.create(alice, "luadns")[1])
    for _ in range(2):
        reply = dns("GET", "/users/me")
        assert_error(reply, 403, "Forbidden", "API access is disabled for this account.")
        assert has_rate_headers(reply)
        accounts.switch(alice, "luadns_enabled", True)
        assert dns("GET", "/users/me").status == 200
        accounts.switch(alice, "luadns_enabled", False)


def test_a_suspended_account_is_rejected_and_a_banned_account_can_only_read(
    client: Client, alice: Account, dns: LuaDns, zone: int
) -> None:
    mallory = accounts.create("mallory", "m@example.org", rank="BANNED")
    banned = key_for(client, mallory)
    assert banned.get("/zones") == []
    assert_error(banned("POST", "/zones", {"name": "m.org"}), 403, "Forbidden", "Your account has been banned")
    accounts.suspend(alice)
    assert_error(dns("GET", "/zones"), 403, "Forbidden", "Your account has been suspended.")


def requests_on(zone: int, record: int) -> list[tuple[str, str, Any]]:
    """All requests on a zone or on one of its records: method, path and body."""
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


def test_every_request_on_another_account_s_zone_is_a_404(client: Client, dns: LuaDns, zone: int, bob: Account) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")["id"]
    other = key_for(client, bob)
    before = stored()
    for method, path, body in requests_on(zone, record):
        assert_error(other(method, path, body), 404, "Not Found", "Zone not found.")
    assert other.get("/zones") == []
    assert stored() == before


def test_a_key_for_one_zone_cannot_access_others(client: Client, alice: Account, dns: LuaDns, zone: int) -> None:
    mine = dns.zone("example.org")
    record = dns.record(zone, "www", "A", "192.0.2.1")["id"]
    narrow = key_for(client, alice, "zone:Example.ORG")
    before = stored()
    for method, path, body in requests_on(zone, record):
        reply = narrow(method, path, body)
        if (method, path) == ("DELETE", f"/zones/{zone}"):
            assert_error(reply, 403, "Forbidden", "This key may not do that: its scope is zone:Example.ORG.")
        else:
            assert_error(reply, 404, "Not Found", "Zone not found.")
    assert stored() == before
    assert [row["id"] for row in narrow.get("/zones")] == [mine]
    assert narrow.get("/users/me")["name"] == "Alice"


def test_a_key_for_one_zone_changes_its_records_but_cannot_create_or_delete_zones(
    client: Client, alice: Account, dns: LuaDns, zone: int
) -> None:
    narrow = key_for(client, alice, "zone:example.com")
    record = narrow.record(zone, "www", "A", "192.0.2.1")["id"]
    assert narrow("DELETE", f"/zones/{zone}/records/{record}").status == 200
    assert narrow("PUT", f"/zones/{zone}", {"name": "example.com"}).status == 200
    message = "This key may not do that: its scope is zone:example.com."
    assert_error(narrow("POST", "/zones", {"name": "example.net"}), 403, "Forbidden", message)
    assert_error(narrow("DELETE", f"/zones/{zone}"), 403, "Forbidden", message)


def test_a_read_key_can_only_read(client: Client, alice: Account, dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")["id"]
    reader = key_for(client, alice, "read")
    for method, path, body in requests_on(zone, record):
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
        assert_error(reply, 429, "Too Many Requests", "Too Many Requests")
        assert [reply.header(name) for name in RATE_HEADERS] == ["3", "0", "1700000400"]
        assert reply.header("retry-after") == "277"
        clock.shift(277)
        reply = dns("GET", "/zones")
        assert [reply.header(name) for name in RATE_HEADERS] == ["3", "3", "1700000700"]


def test_every_response_to_a_valid_key_has_rate_headers(dns: LuaDns, zone: int) -> None:
    for method, path, body, status in [
        ("POST", "/zones", {"name": ""}, 400),
        ("POST", "/zones", {"name": "example.com"}, 403),
        ("GET", "/zones/7", None, 404),
        ("GET", f"/zones/{zone}", None, 200),
    ]:
        reply = dns(method, path, body)
        assert (reply.status, has_rate_headers(reply)) == (status, True)


def test_each_key_has_its_own_rate_limit(client: Client, alice: Account, dns: LuaDns) -> None:
    other = key_for(client, alice)
    with settings.override(luadns_rate=1):
        assert [api("GET", "/zones").status for api in (dns, dns, other)] == [200, 429, 200]


def test_without_a_rate_limit_there_are_no_rate_headers(dns: LuaDns) -> None:
    with settings.override(luadns_rate=0):
        reply = dns("GET", "/zones")
    assert (reply.status, has_rate_headers(reply)) == (200, False)


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
def test_unknown_paths_get_the_api_s_error_texts(
    client: Client, dns: LuaDns, method: str, path: str, status: int, message: str
) -> None:
    reply = client.request(method, path, headers=dns.headers)
    assert_error(reply, status, {404: "Not Found", 405: "Method Not Allowed"}[status], message)


def test_an_internal_error_is_a_500_in_the_same_envelope(dns: LuaDns) -> None:
    with settings.override(luadns_name_servers=None):
        reply = dns("GET", "/users/me")
    assert_error(reply, 500, "Internal Server Error", "Something went wrong here.")
