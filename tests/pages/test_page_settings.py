"""Two-factor, password, sessions and audit log, by forms."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account
from tests.client import Client
from tests.pages.window import PASSWORD, BrowserWindow, code_of, fresh, live_keys


def test_two_factor_is_set_up_with_a_code_and_ends_other_sessions(
    alice_window: BrowserWindow, alice: Account, client: Client
) -> None:
    elsewhere = BrowserWindow(client)
    elsewhere.enter(alice)
    alice_window.open("/account/two-factor")
    secret = secret_on(alice_window.submit("begin"))
    assert secret_on(alice_window.submit("confirm", 403, password=PASSWORD, code="000000")) == secret
    assert secret_on(alice_window.submit("confirm", 403, password="wrong", code=code_of(secret))) == secret
    assert fresh(alice).two_factor is None
    text = alice_window.submit("confirm", password=PASSWORD, code=code_of(secret), for_uploads="yes")
    assert len(re.findall(r"<li><code>[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}</code></li>", text)) == 8
    assert fresh(alice).second_factor_for_uploads is True
    elsewhere.open("/account")
    assert elsewhere.path.startswith("/account/log-in")
    alice_window.open("/account")
    assert alice_window.path == "/account"


def secret_on(text: str) -> str:
    found = re.search(r'id="secret">([A-Z2-7]{32})<', text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("secret", ["", "<b>", "lower", "A" * 65])
def test_a_forged_secret_is_not_shown(alice_window: BrowserWindow, secret: str) -> None:
    alice_window.open("/account/two-factor")
    text = alice_window.submit("begin")
    assert secret_on(text)
    text = alice_window.submit("confirm", 403, password=PASSWORD, code="000000", secret=secret)
    assert "<h1>Two-factor</h1>" in text
    assert "Invalid verification code" in text


@pytest.mark.parametrize(
    ("action", "fields", "done"),
    [
        ("for-uploads", {}, "Uploads to LuaRocks need the second factor."),
        ("recovery-codes", {}, "The codes are shown only now."),
        ("disable", {}, "Two-factor is off."),
    ],
)
def test_changes_of_two_factor_need_password_and_code(
    alice_window: BrowserWindow, alice: Account, action: str, fields: dict[str, str], done: str
) -> None:
    alice_window.open("/account/two-factor")
    secret = secret_on(alice_window.submit("begin"))
    with time_machine.travel(datetime.now(UTC) - timedelta(minutes=1)):
        code = code_of(secret)
    alice_window.submit("confirm", password=PASSWORD, code=code)
    alice_window.open("/account/two-factor")
    alice_window.submit(action, 403, password="wrong", code="000000")
    text = alice_window.submit(action, 403, password=PASSWORD, code="000000")
    assert f'id="{action}-code-wrong">Invalid verification code' in text
    assert done in alice_window.submit(action, password=PASSWORD, code=code_of(secret))


def test_a_new_password_ends_other_sessions_and_is_in_the_audit_log(
    alice_window: BrowserWindow, alice: Account, client: Client
) -> None:
    elsewhere = BrowserWindow(client)
    elsewhere.enter(alice)
    alice_window.open("/account/password")
    text = alice_window.submit("password", 403, current_password="wrong", password="a longer walk")
    assert 'id="password-current_password-wrong">This is not your password.' in text
    assert "Your password is changed." in alice_window.submit(
        "password", current_password=PASSWORD, password="a longer walk"
    )
    elsewhere.open("/account")
    assert elsewhere.path.startswith("/account/log-in")
    assert "Alice changed the password of Alice" in alice_window.open("/account/activity")


def test_a_new_address_needs_the_password(alice_window: BrowserWindow, alice: Account) -> None:
    alice_window.open("/account/password")
    alice_window.submit("email", 403, email="new@example.org", password="wrong")
    assert fresh(alice).email == "alice@example.org"
    assert "Your e-mail address is changed." in alice_window.submit("email", email="new@example.org", password=PASSWORD)
    assert fresh(alice).email == "new@example.org"


def test_a_session_can_be_ended_from_another(alice_window: BrowserWindow, alice: Account, client: Client) -> None:
    elsewhere = BrowserWindow(client)
    elsewhere.enter(alice)
    assert alice_window.open("/account/sessions").count(">End<") == 1
    assert "The session has ended." in alice_window.submit("end")
    elsewhere.open("/account")
    assert elsewhere.path.startswith("/account/log-in")
    elsewhere.enter(alice)
    alice_window.open("/account/sessions")
    assert "You are logged out everywhere else." in alice_window.submit("end-others")
    elsewhere.open("/account")
    assert elsewhere.path.startswith("/account/log-in")


def test_a_form_of_an_ended_session_leads_to_the_log_in(alice_window: BrowserWindow, alice: Account) -> None:
    alice_window.open("/account/keys")
    accounts.set_password(fresh(alice), "somewhere else")
    alice_window.submit("create", service="luarocks", may="all")
    assert alice_window.path == "/account/log-in?next=%2Fkeys"
    assert live_keys(alice) == []


def test_the_audit_log_is_paged(alice_window: BrowserWindow, alice: Account) -> None:
    for _ in range(60):
        credentials.create(alice, "luarocks")
    text = alice_window.open("/account/activity")
    assert text.count("<li>\n<h2>") == 50
    following = re.search(r'href="(/account/activity\?before=[^"]*)"', text)
    assert following is not None
    assert alice_window.open(following[1]).count("<li>\n<h2>") < 50
    assert "before is not a cursor of this log." in alice_window.open("/account/activity?before=x", 400)


def test_with_self_service_users_enable_luadns(alice_window: BrowserWindow, alice: Account) -> None:
    assert "an administrator can enable it." in alice_window.open("/account")
    fields = {"action": "luadns", "enabled": "yes", "csrf_token": alice_window.csrf_token()}
    assert alice_window.post("/account", fields).status == 403
    with settings.override(luadns_self_service=True):
        alice_window.open("/account")
        assert "LuaDNS&#39; API is enabled for your account." in alice_window.submit("luadns")
    alice_window.open("/account")
    assert "is disabled for your account." in alice_window.submit("luadns")
