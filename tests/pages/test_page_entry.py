"""Registration, log-in and log-out, by forms."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core.identity import accounts, invitations, two_factor
from chalicelib.core.tables import Account
from tests.client import BROWSER, Client
from tests.pages.window import HOSTILE, PASSWORD, SHOWN, BrowserWindow, code_of
from tests.worlds import both_worlds

NEW = {"username": "carol", "email": "carol@example.org", "password": "a long walk"}


@both_worlds
def test_a_visitor_registers_and_logs_in(window: BrowserWindow) -> None:
    with settings.override(registration="open"):
        window.open("/account/register")
        text = window.submit("register", **NEW)
    assert window.path == "/account/log-in?done=registered"
    assert "Your account has been created: log in." in text
    text = window.submit("password", username="carol", password="a long walk")
    assert "<h1>carol</h1>" in text


def test_a_rejected_form_is_shown_again_without_its_secrets(window: BrowserWindow) -> None:
    with settings.override(registration="open"):
        window.open("/account/register")
        text = window.submit("register", 400, username=HOSTILE, email="a@b.c", password="not shown again")
    assert "A username has 2 to 25 letters, digits, underscores or hyphens." in text
    assert f'value="{SHOWN}"' in text
    assert 'value="a@b.c"' in text
    assert "<script" not in text
    assert "not shown again" not in text
    assert list(accounts.list_accounts()) == []


@pytest.mark.parametrize(
    ("field", "value", "status", "message"),
    [
        ("username", "Alice", 409, "This username is taken."),
        ("email", "ALICE@example.org", 409, "This e-mail address is in use."),
        ("email", "no-address", 400, "This is not an e-mail address."),
        ("password", "short", 400, "A password has at least 8 characters."),
        ("password", "", 400, "password is missing."),
        ("invitation", "none such", 403, "There is no such invitation."),
    ],
)
def test_an_error_is_next_to_its_field(
    window: BrowserWindow, alice: Account, field: str, value: str, status: int, message: str
) -> None:
    with settings.override(registration="open"):
        window.open("/account/register")
        text = window.submit("register", status, **{**NEW, field: value})
    assert f'<p class="wrong" id="register-{field}-wrong">{message}</p>' in text
    described = re.search(rf'<input id="register-{field}"[^>]*>', text)
    assert described is not None
    assert f'register-{field}-wrong"' in described[0]
    assert 'aria-invalid="true"' in described[0]
    assert accounts.find("carol") is None


def test_an_invitation_creates_one_account_before_it_expires(window: BrowserWindow) -> None:
    _, secret = invitations.create(ends_after=timedelta(days=1))
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        window.open("/account/register")
        assert "This invitation has expired." in window.submit("register", 403, **NEW, invitation=secret)
    window.open("/account/register")
    window.submit("register", **NEW, invitation=secret)
    window.open("/account/register")
    other = {**NEW, "username": "dora", "email": "dora@example.org"}
    assert "This invitation has been used already." in window.submit("register", 403, **other, invitation=secret)


def test_closed_registration_shows_no_form(window: BrowserWindow) -> None:
    with settings.override(registration="closed"):
        text = window.open("/account/register")
        assert "Registration is closed here" in text
        assert "<form" not in text
        assert window.post("/account/register", {"action": "register", **NEW}).status == 403


def test_a_wrong_password_and_an_unknown_user_get_the_same_page(window: BrowserWindow, alice: Account) -> None:
    texts = []
    for name in ("alice", "unknown"):
        window.open("/account/log-in")
        texts.append(window.submit("password", 401, username=name, password="wrong").replace(name, "NAME"))
    assert texts[0] == texts[1]
    assert "Wrong username or password." in texts[0]


@pytest.mark.parametrize(
    "return_path", ["https://evil.example", "//evil.example", "/\\evil", "/log-in", "/keys/../x", ""]
)
def test_log_in_never_redirects_to_another_site(window: BrowserWindow, alice: Account, return_path: str) -> None:
    window.open("/account/log-in")
    window.submit("password", username="alice", password=PASSWORD, next=return_path)
    assert window.path == "/account"


def test_log_in_returns_to_the_page_that_required_a_session(window: BrowserWindow, alice: Account) -> None:
    window.open("/account/keys")
    assert window.path == "/account/log-in?next=%2Fkeys"
    window.submit("password", username="alice", password=PASSWORD)
    assert window.path == "/account/keys"
    window.open("/account/log-in?next=/sessions")
    assert window.path == "/account/sessions"


def test_a_session_is_new_at_every_log_in_and_hidden_from_scripts(window: BrowserWindow, alice: Account) -> None:
    window.cookies = {"moonbase_session": "chosen by an attacker"}
    window.open("/account/log-in")
    token = {"action": "password", "username": "alice", "password": PASSWORD}
    cookie = str(window.post("/account/log-in", token).header("set-cookie"))
    assert re.fullmatch(r"moonbase_session=[A-Za-z0-9]{40}; Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax", cookie)
    with settings.override(base_url="https://moonbase.test"):
        secure = window.post("/account/log-in", token).header("set-cookie")
    assert str(secure).startswith("__Host-moonbase_session=")
    assert str(secure).endswith("; Secure")


@both_worlds
def test_the_second_step_accepts_each_code_once(window: BrowserWindow, alice: Account) -> None:
    secret = two_factor.enable(alice).secret
    code = code_of(secret)
    window.open("/account/log-in?next=/keys")
    assert "<h1>Log in: the second step</h1>" in window.submit("password", username="alice", password=PASSWORD)
    assert "Invalid verification code" in window.submit("code", 401, code="000000")
    window.submit("code", code=code)
    assert window.path == "/account/keys"
    window.cookies = {}
    window.open("/account/log-in")
    window.submit("password", username="alice", password=PASSWORD)
    assert "Invalid verification code" in window.submit("code", 401, code=code)
    assert window.cookies == {}


def test_an_invalid_ticket_leads_back_to_the_first_step(window: BrowserWindow, alice: Account) -> None:
    two_factor.enable(alice)
    window.open("/account/log-in")
    window.submit("password", username="alice", password=PASSWORD)
    text = window.submit("code", 401, code="123456", ticket="forged")
    assert "Log in with your password again" in text
    assert "<h1>Log in</h1>" in text


@both_worlds
def test_log_out_ends_the_session(alice_window: BrowserWindow) -> None:
    before = dict(alice_window.cookies)
    assert "You are logged out." in alice_window.leave()
    alice_window.cookies = before
    alice_window.open("/account")
    assert alice_window.path == "/account/log-in?next="


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/settings", "/account/keys"),
        ("/settings/api-keys", "/account/keys"),
        ("/settings/sessions", "/account/sessions"),
        ("/settings/unknown", "/account"),
    ],
)
def test_the_settings_link_of_luarocks_redirects_to_the_account(client: Client, path: str, target: str) -> None:
    reply = client.get(path)
    assert (reply.status, reply.header("location")) == (303, f"http://moonbase.test{target}")


def test_a_wrong_method_is_a_page_for_browsers(client: Client) -> None:
    reply = client.get("/account/log-out", headers=BROWSER)
    assert (reply.status, reply.header("content-type")) == (405, "text/html; charset=utf-8")
    assert client.get("/account/api/nothing", headers=BROWSER).json == {"message": "There is nothing at this path."}


def test_the_number_of_calls_of_each_page(alice_window: BrowserWindow, calls: list[str]) -> None:
    for path, cost in (("", 2), ("/keys", 3), ("/two-factor", 3), ("/password", 2), ("/sessions", 3)):
        calls.clear()
        alice_window.open(f"/account{path}")
        assert len(calls) <= cost, (path, calls)
