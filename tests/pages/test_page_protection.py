"""Attacks on the forms and addresses of the account's pages."""

import pytest

from chalicelib.account.pages import base
from chalicelib.core.tables import Account
from tests.client import Client
from tests.pages.window import HOSTILE, PASSWORD, SHOWN, BrowserWindow, live_keys

FIELDS = (
    *("username", "email", "password", "current_password", "code", "secret", "name", "comment"),
    *("rank", "expires_in_days", "enabled", "suspended", "invitation"),
)


def test_a_form_without_the_sessions_token_changes_nothing(alice_window: BrowserWindow, alice: Account) -> None:
    for token in ({}, {"csrf_token": "0" * 64}):
        fields = {"action": "create", "service": "luarocks", "may": "all", **token}
        reply = alice_window.post("/account/keys", fields)
        assert (reply.status, reply.header("content-type")) == (403, "text/html; charset=utf-8")
    assert live_keys(alice) == []


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_cannot_log_a_browser_in(window: BrowserWindow, alice: Account, headers: dict[str, str]) -> None:
    reply = window.post("/account/log-in", {"action": "password", "username": "alice", "password": PASSWORD}, **headers)
    assert (reply.status, reply.header("set-cookie")) == (403, None)


def test_a_field_of_a_megabyte_is_rejected(alice_window: BrowserWindow, alice: Account) -> None:
    fields = {"action": "create", "comment": "x" * 1_000_000, "csrf_token": alice_window.csrf_token()}
    reply = alice_window.post("/account/keys", fields)
    assert (reply.status, reply.header("content-type")) == (413, "text/html; charset=utf-8")
    assert live_keys(alice) == []


def test_an_unknown_form_is_rejected(alice_window: BrowserWindow) -> None:
    reply = alice_window.post("/account/keys", {"action": "destroy", "csrf_token": alice_window.csrf_token()})
    assert reply.status == 400
    assert b"There is no such form on this page." in reply.body


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("", "luadns"),
        ("/keys", "create"),
        ("/two-factor", "confirm"),
        ("/password", "password"),
        ("/password", "email"),
        ("/people", "find"),
        ("/people/Root", "change"),
        ("/invitations", "create"),
    ],
)
def test_markup_in_any_field_is_rejected_or_escaped(admin_window: BrowserWindow, path: str, action: str) -> None:
    fields = dict.fromkeys(FIELDS, HOSTILE)
    sent = {**fields, "action": action, "csrf_token": admin_window.csrf_token(), "may": "one", "service": "luarocks"}
    reply = admin_window.post(f"/account{path}", sent)
    assert 400 <= reply.status < 500
    assert b"<script" not in reply.body


def test_markup_in_a_user_agent_is_escaped(window: BrowserWindow, alice: Account) -> None:
    entered = {"action": "password", "username": "alice", "password": PASSWORD}
    cookie = str(window.post("/account/log-in", entered, **{"User-Agent": HOSTILE}).header("set-cookie"))
    window.cookies = {"moonbase_session": cookie.partition(";")[0].partition("=")[2]}
    for path in ("sessions", "activity"):
        text = window.open(f"/account/{path}")
        assert SHOWN in text
        assert "<script" not in text


# The last four are for people who cannot log in, or who follow a link of a mail.
WITHOUT_SESSION = {
    *("/log-in", "/register"),
    *("/forgotten-password", "/new-password/{token}", "/confirm/{token}", "/unsubscribe/{token}"),
}


def test_the_address_selects_only_messages_from_the_fixed_list(alice_window: BrowserWindow) -> None:
    assert "The key is revoked." in alice_window.open("/account/keys?done=key-revoked")
    assert 'role="status"' not in alice_window.open("/account/keys?done=Send+us+your+password")


@pytest.mark.parametrize("path", sorted(set(base._pages) - WITHOUT_SESSION))
def test_every_page_needs_a_session_and_programs_get_401(window: BrowserWindow, client: Client, path: str) -> None:
    path = f"/account{path}".replace("{username}", "alice")
    window.open(path)
    assert window.path.startswith("/account/log-in?next=")
    reply = client.get(path)
    assert (reply.status, reply.json) == (401, {"message": "Log in first."})


@pytest.mark.parametrize("path", ["", "/keys", "/two-factor", "/password", "/sessions", "/activity"])
def test_every_page_is_uncached_and_loads_nothing(alice_window: BrowserWindow, path: str) -> None:
    text = alice_window.open(f"/account{path}")
    reply = alice_window.reply
    assert (reply.header("cache-control"), reply.header("x-content-type-options")) == ("no-store", "nosniff")
    assert str(reply.header("content-security-policy")).startswith("default-src 'none'; style-src 'sha256-")
    assert "<script" not in text
    assert " style=" not in text
