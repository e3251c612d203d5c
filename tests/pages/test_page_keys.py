"""Keys and tokens, by forms."""

import re
from datetime import timedelta

import pytest

from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account
from tests.client import Client
from tests.pages.window import HOSTILE, SHOWN, BrowserWindow, live_keys


def test_a_key_is_shown_once_and_nowhere_else(alice_window: BrowserWindow, alice: Account, client: Client) -> None:
    alice_window.open("/account/keys")
    text = alice_window.submit("create", service="luarocks", comment="laptop", may="all")
    found = re.search(r'id="key">([A-Za-z0-9]{40})<', text)
    assert found is not None
    assert client.get(f"/api/1/{found[1]}/status").status == 200
    assert found[1] not in "".join(map(str, alice_window.reply.headers.values()))
    assert found[1] not in alice_window.path + alice_window.open("/account/keys")
    assert alice_window.reply.header("cache-control") == "no-store"


@pytest.mark.parametrize(
    ("service", "fields", "scope"),
    [
        ("luarocks", {"may": "all"}, None),
        ("luarocks", {"may": "read"}, "read"),
        ("luarocks", {"may": "one", "name": " say "}, "module:say"),
        ("contentdb", {"may": "one", "name": "alice/lamps"}, "package:alice/lamps"),
        ("hel", {"may": "one", "name": "thing"}, "package:thing"),
        ("luadns", {"may": "one", "name": "example.com"}, "zone:example.com"),
    ],
)
def test_a_key_has_the_chosen_scope_and_expiry(
    alice_window: BrowserWindow, alice: Account, service: str, fields: dict[str, str], scope: str | None
) -> None:
    alice_window.open("/account/keys")
    alice_window.submit("create", service=service, expires_in_days="30", **fields)
    key = next(key for key in credentials.list_credentials(alice) if key.service == service)
    assert key.scope == scope
    assert timedelta(days=29) < key.ends_at - key.created_at <= timedelta(days=30)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"may": "one", "name": ""}, "Enter the name of the module."),
        ({"may": "one", "name": "a b"}, "The scope of a key for luarocks is read or module:NAME."),
        ({"may": "anything"}, "Choose the access of the key."),
        ({"may": ""}, "Choose the access of the key."),
        ({"service": "mail", "may": "all"}, "service must be one of: luarocks, contentdb, luadns, hel."),
        ({"may": "all", "expires_in_days": "0"}, "expires_in_days must be from 1 to 36500."),
        ({"may": "all", "comment": "x" * 256}, "A comment has at most 255 characters."),
    ],
)
def test_an_invalid_key_is_rejected(
    alice_window: BrowserWindow, alice: Account, fields: dict[str, str], message: str
) -> None:
    alice_window.open("/account/keys")
    assert message in alice_window.submit("create", 400, **{"service": "luarocks", **fields})
    assert live_keys(alice) == []


def test_html_in_a_comment_is_text(alice_window: BrowserWindow) -> None:
    alice_window.open("/account/keys")
    alice_window.submit("create", comment=HOSTILE)
    text = alice_window.open("/account/keys")
    assert SHOWN in text
    assert "<script" not in text


def test_a_revoked_key_is_listed_as_revoked(alice_window: BrowserWindow, alice: Account) -> None:
    alice_window.open("/account/keys")
    alice_window.submit("create", comment="laptop")
    alice_window.open("/account/keys")
    text = alice_window.submit("revoke")
    assert live_keys(alice) == []
    assert "You have no keys." in text
    assert "Expired and revoked keys (1)" in text


def test_the_key_of_another_account_cannot_be_revoked(alice_window: BrowserWindow, bob: Account) -> None:
    key, _ = credentials.create(bob, "luarocks")
    reply = alice_window.post(
        "/account/keys", {"action": "revoke", "id": str(int(key.id)), "csrf_token": alice_window.csrf_token()}
    )
    assert reply.status == 404
    assert live_keys(bob) == ["luarocks"]
