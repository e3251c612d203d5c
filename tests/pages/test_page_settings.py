"""Two-factor, password, sessions and audit log, by forms."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import accounts, credentials
from chalicelib.core.tables import Account
from tests.client import Client
from tests.pages.window import PASSWORD, BrowserWindow, code_of, fresh, live_keys


def test_two_factor_is_set_up_with_a_code_and_ends_other_sessions(
    alices: BrowserWindow, alice: Account, client: Client
) -> None:
    elsewhere = BrowserWindow(client)
    elsewhere.enter(alice)
    alices.open("/account/two-factor")
    secret = secret_on(alices.submit("begin"))
    assert secret_on(alices.submit("confirm", 403, password=PASSWORD, code="000000")) == secret
    assert secret_on(alices.submit("confirm", 403, password="wrong", code=code_of(secret))) == secret
    assert fresh(alice).two_factor is None
    text = alices.submit("confirm", password=PASSWORD, code=code_of(secret), for_uploads="yes")
    assert len(re.findall(r"<li><code>[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}</code></li>", text)) == 8
    assert fresh(alice).second_factor_for_uploads is True
    elsewhere.open("/account")
    assert elsewhere.path.startswith("/account/log-in")
    alices.open("/account")
    assert alices.path == "/account"


def secret_on(text: str) -> str:
    found = re.search(r'id="secret">([A-Z2-7]{32})<', text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("secret", ["", "<b>", "lower", "A" * 65])
def test_a_forged_secret_is_not_shown(alices: BrowserWindow, secret: str) -> None:
    alices.open("/account/two-factor")
    text = alices.submit("begin")
    assert secret_on(text)
    text = alices.submit("confirm", 403, password=PASSWORD, code="000000", secret=secret)
    assert "<h1>Two-factor</h1>" in text
    assert "Invalid verification code" in text


@pytest.mark.parametrize(
    ("action", "fields", "done"),
    [
        ("for-uploads", {}, "Uploads to LuaRocks need the second factor."),
        ("recovery-codes", {}, "This is the only time that they are shown."),
        ("disable", {}, "Two-factor is off."),
    ],
)
def test_changes_of_two_factor_need_password_and_code(
    alices: BrowserWindow, alice: Account, action: str, fields: dict[str, str], done: str
) -> None:
    alices.open("/account/two-factor")
    secret = secret_on(alices.submit("begin"))
    with time_machine.travel(datetime.now(UTC) - timedelta(minutes=1)):
        code = code_of(secret)
    alices.submit("confirm", password=PASSWORD, code=code)
    alices.open("/account/two-factor")
    alices.submit(action, 403, password="wrong", code="000000")
    text = alices.submit(action, 403, password=PASSWORD, code="000000")
    assert f'id="{action}-code-wrong">Invalid verification code' in text
    assert done in alices.submit(action, password=PASSWORD, code=code_of(secret))


def test_a_new_password_ends_other_sessions_and_is_in_the_audit_log(
    alices: BrowserWindow, alice: Account, client: Client
) -> None:
    elsewhere = BrowserWindow(client)
    elsewhere.enter(alice)
    alices.open("/account/password")
    text = alices.submit("password", 403, current_password="wrong", password="a longer walk")
    assert 'id="password-current_password-wrong">This is not your password.' in text
    assert "Your password is changed." in alices.submit("password", current_password=PASSWORD, password="a longer walk")
    elsewhere.open("/account")
    assert elsewhere.path.startswith("/account/log-in")
    assert "account.password" in alices.open("/account/activity")


def test_changing_the_address_needs_the_password(alices: BrowserWindow, alice: Account) -> None:
    alices.open("/account/password")
    alices.submit("email", 403, email="new@example.org", password="wrong")
    assert fresh(alice).email == "alice@example.org"
    assert "Your e-mail address is changed." in alices.submit("email", email="new@example.org", password=PASSWORD)
    assert fresh(alice).email == "new@example.org"


def test_a_session_is_ended_from_another(alices: BrowserWindow, alice: Account, client: Client) -> None:
    elsewhere = BrowserWindow(client)
    elsewhere.enter(alice)
    assert alices.open("/account/sessions").count(">End<") == 1
    assert "The session has ended." in alices.submit("end")
    elsewhere.open("/account")
    assert elsewhere.path.startswith("/account/log-in")
    elsewhere.enter(alice)
    alices.open("/account/sessions")
    assert "You are logged out everywhere else." in alices.submit("end-others")
    elsewhere.open("/account")
    assert elsewhere.path.startswith("/account/log-in")


def test_a_form_of_an_ended_session_leads_to_the_log_in(alices: BrowserWindow, alice: Account) -> None:
    alices.open("/account/keys")
    accounts.set_password(fresh(alice), "somewhere else")
    alices.submit("create", service="luarocks", may="all")
    assert alices.path == "/account/log-in?next=%2Fkeys"
    assert live_keys(alice) == []


def test_the_audit_log_is_paged(alices: BrowserWindow, alice: Account) -> None:
    for _ in range(60):
        credentials.create(alice, "luarocks")
    text = alices.open("/account/activity")
    assert text.count("<li>\n<h2>") == 50
    following = re.search(r'href="(/account/activity\?before=[^"]*)"', text)
    assert following is not None
    assert alices.open(following[1]).count("<li>\n<h2>") < 50
    assert "before is no cursor of this log." in alices.open("/account/activity?before=x", 400)


def test_users_enable_luadns_where_that_is_allowed(alices: BrowserWindow, alice: Account) -> None:
    assert "an administrator opens it." in alices.open("/account")
    fields = {"action": "luadns", "enabled": "yes", "csrf_token": alices.csrf_token()}
    assert alices.post("/account", fields).status == 403
    with settings.override(luadns_self_service=True):
        alices.open("/account")
        assert "LuaDNS&#39; API is open to your account." in alices.submit("luadns")
    alices.open("/account")
    assert "is closed to your account." in alices.submit("luadns")
