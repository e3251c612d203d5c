"""Rules for every path: the envelope, statuses that Hel does not have, HEAD, OPTIONS and CORS."""

import json

import pytest

from chalicelib import settings
from chalicelib.core.tables import CoreItem
from tests.client import Client
from tests.hel.builders import Create, refusal, success

EXPOSED = "Content-Type,Date,Content-Length,Authorization,X-Request-ID"


def test_a_success_is_compact_json_in_hels_order(client: Client) -> None:
    reply = client.get("/profile")
    expected = '{"success":true,"title":"OK","data":{},"code":200,"version":"3.4.0","logged_in":false}'
    assert (reply.body.decode(), reply.header("content-type")) == (expected, "application/json")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/hel/a/b/c/d", "/hel/a/b/c/d"),
        ("/hel//a%20b%2Fc/%C3%A9/x/", "/hel/a b/c/é/x"),
        ("/profile/x", "/profile/x"),
        ("/auth/x", "/auth/x"),
        ("/users/a/b", "/users/a/b"),
    ],
)
def test_an_unknown_path_is_the_message(client: Client, session: dict[str, str], path: str, message: str) -> None:
    reply = client.get(path)
    assert (reply.status, reply.json) == (404, refusal(404, message))
    assert client.get(path, headers=session).json == refusal(404, message, logged_in=True)


def test_a_wrong_method_is_not_found(client: Client, session: dict[str, str]) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        reply = client.request(method, "/packages", headers=session)
        assert (reply.status, reply.json) == (404, refusal(404, "", logged_in=True))


def test_an_internal_error_is_in_the_envelope(client: Client) -> None:
    CoreItem.delete_table()
    reply = client.get("/packages", headers={"Cookie": "auth_tkt=x"})
    assert (reply.status, reply.json) == (
        500,
        {
            "success": False,
            "title": "Internal Server Error",
            "message": "Something went wrong here.",
            "explanation": "The server has made a mistake.",
            "code": 500,
            "version": "3.4.0",
            "logged_in": False,
        },
    )


def test_head_is_get_without_the_body(client: Client, create: Create) -> None:
    create()
    for path in ("/packages", "/profile", "/auth", "/hel/a/b/c/d"):
        head, get = client.head(path), client.get(path)
        assert (head.status, head.body) == (get.status, b"")
        assert head.header("content-length") == str(len(get.body))
        assert head.header("content-type") == "application/json"


def test_options_returns_the_methods(client: Client) -> None:
    reply = client.request("OPTIONS", "/packages")
    assert (reply.status, reply.body, reply.header("allow")) == (204, b"", "GET, HEAD, OPTIONS, POST")


def test_a_preflight_succeeds_on_any_path(client: Client) -> None:
    preflight = {
        "Origin": "https://web.example",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "content-type,x-spam",
    }
    for path in ("/packages", "/auth", "/hel/a/b/c/d"):
        reply = client.request("OPTIONS", path, headers=preflight)
        assert (reply.status, reply.body) == (200, b"")
        cors = {name: values for name, values in reply.headers.items() if name.startswith(("access-", "vary"))}
        assert cors == {
            "access-control-allow-methods": ["OPTIONS,HEAD,GET,POST,PUT,DELETE,PATCH"],
            "access-control-allow-headers": ["content-type,x-spam"],
            "access-control-allow-origin": ["*"],
            "access-control-expose-headers": [EXPOSED],
            "vary": ["Origin"],
        }


def cors_of(client: Client, path: str, origin: str | None) -> dict[str, list[str]]:
    reply = client.get(path, headers={"Origin": origin} if origin else {})
    return {name: values for name, values in reply.headers.items() if name.startswith(("access-", "vary"))}


@pytest.mark.parametrize("path", ["/packages", "/hel/a/b/c/d", "/auth"])
def test_only_a_configured_origin_can_use_the_cookie(client: Client, path: str) -> None:
    with settings.override(hel_origins=("https://web.example",)):
        assert cors_of(client, path, "https://web.example") == {
            "access-control-allow-origin": ["https://web.example"],
            "access-control-allow-credentials": ["true"],
            "access-control-expose-headers": [EXPOSED],
            "vary": ["Origin"],
        }
        for origin in ("https://evil.example", "https://web.example.evil", "http://web.example", "null"):
            assert cors_of(client, path, origin) == {
                "access-control-allow-origin": ["*"],
                "access-control-expose-headers": [EXPOSED],
                "vary": ["Origin"],
            }
        assert cors_of(client, path, None) == {"access-control-allow-origin": ["*"], "vary": ["Origin"]}


def test_a_body_in_another_charset_is_read_as_utf_8(client: Client) -> None:
    body = json.dumps({"action": "register", "nickname": "", "email": "é", "password": "x"}, ensure_ascii=False)
    reply = client.post("/auth", body=body.encode(), headers={"Content-Type": "application/json; charset=latin-1"})
    assert reply.json == refusal(400, "Nickname isn't specified.")


def test_an_unreadable_cookie_is_ignored(client: Client) -> None:
    for cookie in ("", "auth_tkt", "auth_tkt=", "auth_tkt=é", "auth_tkt=" + "x" * 5000, "=;=;;"):
        reply = client.get("/profile", headers={"Cookie": cookie})
        assert (reply.status, reply.json) == (200, success({}))
