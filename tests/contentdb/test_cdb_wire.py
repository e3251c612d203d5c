"""The wire format of all ContentDB responses, and its authentication."""

import gzip
import json

import pytest

from chalicelib import settings
from chalicelib.core import blobs
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import NO_SUCH_PAGE, NOT_JSON, change, draft, member, published, refusal, token
from tests.worlds import moto_only

CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
    "access-control-allow-headers": "Content-Type, Authorization",
}


def test_json_is_sorted_compact_and_ascii_and_ends_with_a_line_break(client: Client, alice: Account) -> None:
    published("Alice/lamps", title="Lämps", short_description="Light.")
    assert client.get("/api/packages/").body == (
        b'[{"author":"Alice","name":"lamps","release":1,"short_description":"Light.","thumbnail":null,'
        b'"title":"L\\u00e4mps","type":"mod"}]\n'
    )


@pytest.mark.parametrize("path", ["/api/packages", "/api/packages/", "//api//packages//"])
def test_slashes_do_not_matter(client: Client, path: str) -> None:
    assert (client.get(path).status, client.get(path).body) == (200, b"[]\n")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/packages/", 200),
        ("GET", "/api/packages/no/such/", 404),
        ("GET", "/api/packages/?limit=x", 400),
        ("PUT", "/api/packages/no/such/", 404),
        ("GET", "/api/nothing/", 404),
        ("PATCH", "/api/packages/", 405),
        ("OPTIONS", "/api/packages/a/b/", 204),
    ],
)
def test_every_response_has_cors_headers(client: Client, method: str, path: str, status: int) -> None:
    path, _, query = path.partition("?")
    reply = client.request(method, path, query=query)
    assert (reply.status, {name: reply.header(name) for name in CORS}) == (status, CORS)


@pytest.mark.parametrize("path", ["/api/nothing", "/api/nothing/", "/api/", "/api/packages/a/b/c/d/e/"])
def test_an_unknown_path_below_api_has_its_own_error(client: Client, path: str) -> None:
    reply = client.get(path)
    assert (reply.status, reply.json) == (404, refusal("Endpoint or method not found"))


def test_an_unsupported_method_is_405_in_the_envelope(client: Client) -> None:
    reply = client.post("/api/packages/")
    assert (reply.status, reply.json) == (
        405,
        {
            "success": False,
            "code": 405,
            "name": "Method Not Allowed",
            "description": "This path does not take this method.",
        },
    )
    assert reply.header("allow") == "GET, HEAD, OPTIONS"


def test_an_unknown_package_is_404_in_flasks_format(client: Client) -> None:
    reply = client.get("/api/packages/nobody/nothing/")
    assert (reply.status, reply.json) == (404, NO_SUCH_PAGE)


@pytest.mark.parametrize(
    ("path", "seconds"),
    [
        ("/api/packages/", 300),
        ("/api/dependencies/", 300),
        ("/api/updates/", 300),
        ("/api/packages/Alice/lamps/dependencies/", 300),
        ("/api/tags/", 3600),
        ("/api/content_warnings/", 3600),
        ("/api/licenses/", 3600),
        ("/api/cdb_schema/", 3600),
    ],
)
def test_responses_have_a_maximum_age(client: Client, alice: Account, path: str, seconds: int) -> None:
    published("Alice/lamps")
    assert client.get(path).header("cache-control") == f"max-age={seconds}"


@pytest.mark.parametrize("path", ["/api/packages/", "/api/packages/Alice/lamps/"])
def test_texts_vary_by_language(client: Client, alice: Account, path: str) -> None:
    published("Alice/lamps")
    assert "Accept-Language" in client.get(path).headers["vary"]


@pytest.mark.parametrize("path", ["/api/packages/", "/api/packages/Alice/lamps/", "/api/licenses/", "/api/whoami/"])
def test_an_unchanged_resource_is_304(client: Client, alice: Account, path: str) -> None:
    published("Alice/lamps")
    etag = client.get(path).header("etag")
    assert etag is not None
    again = client.get(path, headers={"If-None-Match": etag})
    assert (again.status, again.body, again.header("etag")) == (304, b"", etag)


def test_a_change_changes_the_etag(client: Client, alice: Account) -> None:
    published("Alice/lamps")
    etag = client.get("/api/packages/").header("etag")
    published("Alice/doors")
    assert client.get("/api/packages/", headers={"If-None-Match": etag or ""}).status == 200


@pytest.mark.parametrize("path", ["/api/packages/", "/api/licenses/"])
def test_large_responses_are_compressed_for_clients_that_accept_gzip(client: Client, alice: Account, path: str) -> None:
    for number in range(12):
        published(f"Alice/lamps{number}")
    plain, packed = client.get(path), client.get(path, headers={"Accept-Encoding": "gzip, deflate"})
    assert (plain.header("content-encoding"), packed.header("content-encoding")) == (None, "gzip")
    assert gzip.decompress(packed.body) == plain.body
    assert "Accept-Encoding" in plain.headers["vary"]
    etag = packed.header("etag") or ""
    assert etag != plain.header("etag")
    assert client.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": etag}).status == 304


def test_small_responses_are_not_compressed(client: Client) -> None:
    reply = client.get("/api/packages/", headers={"Accept-Encoding": "gzip"})
    assert (reply.header("content-encoding"), reply.body) == (None, b"[]\n")


def test_head_is_get_without_the_body(client: Client, alice: Account) -> None:
    published("Alice/lamps")
    got, head = client.get("/api/packages/"), client.head("/api/packages/")
    assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(got.body)))
    assert head.header("etag") == got.header("etag")


def test_whoami_returns_the_owner_of_a_token(client: Client, alice: Account, bearer: dict[str, str]) -> None:
    reply = client.get("/api/whoami/", headers=bearer)
    assert (reply.status, reply.json) == (200, {"is_authenticated": True, "username": "Alice"})


def test_whoami_without_a_token_is_not_authenticated(client: Client) -> None:
    reply = client.get("/api/whoami/")
    assert (reply.status, reply.json) == (200, {"is_authenticated": False, "username": None})


@pytest.mark.parametrize(
    ("header", "status", "error"),
    [
        ("Basic YTpi", 403, "Unsupported authentication method"),
        ("abc", 403, "Unsupported authentication method"),
        ("Bearer", 400, "API token is too short"),
        ("Bearer 123456789", 400, "API token is too short"),
        ("Bearer 1234567890", 403, "Unknown API token"),
        ("bearer 1234567890", 403, "Unknown API token"),
    ],
)
def test_each_kind_of_invalid_token_has_its_own_error(client: Client, header: str, status: int, error: str) -> None:
    reply = client.get("/api/whoami/", headers={"Authorization": header})
    assert (reply.status, reply.json) == (status, refusal(error))


def test_the_authentication_scheme_is_case_insensitive(client: Client, bearer: dict[str, str]) -> None:
    headers = {"Authorization": bearer["Authorization"].replace("Bearer", "bEARER")}
    assert client.get("/api/whoami/", headers=headers).json["username"] == "Alice"


def test_a_key_of_another_service_is_unknown(client: Client, key: str) -> None:
    reply = client.get("/api/whoami/", headers={"Authorization": f"Bearer {key}"})
    assert (reply.status, reply.json) == (403, refusal("Unknown API token"))


@pytest.mark.parametrize(("rank", "error"), [("BANNED", "Your account has been banned")])
def test_a_token_of_a_banned_account_is_rejected(client: Client, rank: str, error: str) -> None:
    reply = client.get("/api/whoami/", headers=token(member("mallory", rank)))
    assert (reply.status, reply.json) == (403, refusal(error))


def test_a_token_of_a_suspended_account_is_rejected(client: Client, alice: Account, bearer: dict[str, str]) -> None:
    accounts.suspend(alice)
    reply = client.get("/api/whoami/", headers=bearer)
    assert (reply.status, reply.json) == (403, refusal("Your account has been suspended"))


def test_a_token_can_delete_itself(client: Client, alice: Account, bearer: dict[str, str]) -> None:
    reply = client.request("DELETE", "/api/delete-token/", headers=bearer)
    assert (reply.status, reply.json) == (200, {"success": True})
    assert client.get("/api/whoami/", headers=bearer).json == refusal("Unknown API token")
    assert [credential.revoked_at is not None for credential in credentials.list_credentials(alice)] == [True]


def test_deleting_a_token_without_sending_one_is_404(client: Client) -> None:
    reply = client.request("DELETE", "/api/delete-token/")
    assert (reply.status, reply.json) == (404, refusal("Token not found"))


def test_writing_needs_a_token(client: Client, alice: Account) -> None:
    draft("Alice/lamps")
    reply = client.request("PUT", "/api/packages/Alice/lamps/", json={"title": "x"})
    assert (reply.status, reply.json) == (401, refusal("Authentication needed"))


def test_the_package_is_checked_before_the_token(client: Client) -> None:
    reply = client.request("PUT", "/api/packages/a/b/", json={}, headers={"Authorization": "Bearer 1234567890"})
    assert (reply.status, reply.json) == (404, NO_SUCH_PAGE)


def test_a_token_for_another_package_has_no_access(client: Client, alice: Account) -> None:
    draft("Alice/lamps")
    headers = token(alice, scope="package:Alice/doors")
    reply = client.request("PUT", "/api/packages/Alice/lamps/", json={"title": "x"}, headers=headers)
    assert (reply.status, reply.json) == (403, refusal("API token does not have access to the package"))


def test_a_token_for_this_package_has_access(client: Client, alice: Account) -> None:
    draft("Alice/lamps")
    headers = token(alice, scope="package:Alice/lamps")
    assert client.request("PUT", "/api/packages/Alice/lamps/", json={"title": "x"}, headers=headers).status == 200


def test_a_read_token_cannot_write(client: Client, alice: Account) -> None:
    draft("Alice/lamps")
    headers = token(alice, scope="read")
    reply = client.request("PUT", "/api/packages/Alice/lamps/", json={"title": "x"}, headers=headers)
    assert (reply.status, client.get("/api/packages/Alice/lamps/").json["title"]) == (403, "Lamps")
    assert client.get("/api/whoami/", headers=headers).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"title=x", b"\xff"])
def test_a_body_that_is_not_json_is_rejected(client: Client, bearer: dict[str, str], body: bytes) -> None:
    draft("Alice/lamps")
    reply = client.request("PUT", "/api/packages/Alice/lamps/", body=body, headers=bearer)
    assert (reply.status, reply.json) == (400, NOT_JSON)


@pytest.mark.parametrize("data", [[], [1], "text", 5, True])
def test_json_that_is_not_an_object_is_rejected(client: Client, bearer: dict[str, str], data: object) -> None:
    draft("Alice/lamps")
    body = json.dumps(data).encode()
    reply = client.request("PUT", "/api/packages/Alice/lamps/", body=body, headers=bearer)
    assert (reply.status, reply.json) == (400, refusal("Expected the body to be a JSON object"))


def test_an_alias_redirects_to_the_package_and_keeps_the_query(client: Client, alice: Account) -> None:
    published("Alice/lamps")
    from chalicelib.contentdb.packages import registry

    registry.set_aliases("Alice", "lamps", ["bob/lights"])
    reply = client.get("/api/packages/bob/lights/dependencies/", query="only_hard=1&x=%26")
    assert (reply.status, reply.header("location")) == (
        302,
        "http://moonbase.test/api/packages/Alice/lamps/dependencies/?only_hard=1&x=%26",
    )


def test_a_game_is_found_without_its_suffix(client: Client, alice: Account) -> None:
    published("Alice/moon_game", type="GAME")
    reply = client.get("/api/packages/Alice/moon/")
    assert (reply.status, reply.header("location")) == (302, "http://moonbase.test/api/packages/Alice/moon_game/")
    published("Alice/sun_game", type="MOD")
    assert client.get("/api/packages/Alice/sun/").status == 404


def test_names_are_case_sensitive(client: Client, alice: Account) -> None:
    published("Alice/lamps")
    assert client.get("/api/packages/alice/lamps/").status == 404


@pytest.mark.parametrize("author", ["reference%23tags", "collection%23ContentDB", "..", "%00", "x" * 3000])
def test_paths_cannot_read_items_that_are_not_packages(client: Client, alice: Account, author: str) -> None:
    assert client.get(f"/api/packages/{author}/featured/").status == 404


def test_urls_have_the_host_of_the_request(client: Client, alice: Account) -> None:
    from tests.contentdb.builders import screenshot

    published("Alice/lamps")
    screenshot("Alice/lamps")
    change("Alice/lamps", title="Lamps")
    for sent, host in (("one.test", "one.test"), ("[::1]:8000", "[::1]:8000"), ('two".test', "localhost")):
        shown = client.get("/api/packages/", headers={"Host": sent}).json[0]["thumbnail"]
        assert shown == f"http://{host}/thumbnails/1/0123456789.png"


@moto_only
def test_a_response_over_the_size_limit_is_compressed_or_redirected_to_s3(client: Client, alice: Account) -> None:
    for number in range(12):
        published(f"Alice/lamps_{number}")
    whole = client.get("/api/updates/").body
    with settings.override(max_answer=len(whole) - 1):
        assert client.get("/api/updates/", headers={"Accept-Encoding": "gzip"}).body == whole
        reply = client.get("/api/updates/")
    assert (reply.status, (reply.header("location") or "").startswith("https://moonbase-test.s3.")) == (302, True)
    [copy] = blobs.list_blobs("contentdb/answers/")
    assert blobs.get(copy.key) == whole
    with settings.override(max_answer=len(gzip.compress(whole)) - 20):
        assert client.get("/api/updates/", headers={"Accept-Encoding": "gzip"}).status == 302
