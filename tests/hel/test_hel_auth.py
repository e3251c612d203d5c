"""Registration, log-in and log-out: every text, in order, and sessions."""

from typing import Any

import pyotp
import pytest
import time_machine

from chalicelib import settings
from chalicelib.core.identity import accounts, credentials, invitations, sessions, two_factor
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.hel.builders import refusal, success

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def log_in(client: Client, nickname: object = "Alice", password: object = "wonderland", **more: Any) -> Reply:
    return client.post("/auth", json={"action": "log-in", "nickname": nickname, "password": password, **more})


def register(client: Client, **fields: object) -> Reply:
    data = {
        "action": "register",
        "nickname": "carol",
        "email": "carol@example.org",
        "password": "looking glass",
        **fields,
    }
    return client.post("/auth", json=data)


def cookie_of(reply: Reply) -> dict[str, str]:
    """The header with which a browser returns the cookie."""
    return {"Cookie": str(reply.header("set-cookie")).split(";")[0]}


def nickname(client: Client, headers: dict[str, str]) -> str | None:
    found: dict[str, str] = client.get("/profile", headers=headers).json["data"]
    return found.get("nickname")


def assert_refused(reply: Reply, message: str) -> None:
    assert (reply.status, reply.json) == (400, refusal(400, message))
    assert reply.header("set-cookie") is None


def test_log_in_creates_a_session(client: Client, alice: Account) -> None:
    reply = log_in(client)
    assert (reply.status, reply.json) == (200, success("Logged in successfully."))
    assert nickname(client, cookie_of(reply)) == "Alice"


def test_the_cookie_is_httponly_and_samesite(client: Client, alice: Account) -> None:
    secret, *attributes = str(log_in(client).header("set-cookie")).split("; ")
    assert secret.startswith("auth_tkt=")
    assert len(secret) == len("auth_tkt=") + 40
    assert attributes == ["Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Lax"]


def test_the_cookie_is_secure_over_https(client: Client, alice: Account) -> None:
    with settings.override(base_url="https://moonbase.test"):
        assert str(log_in(client).header("set-cookie")).endswith("; HttpOnly; SameSite=Lax; Secure")


def test_every_log_in_creates_a_session(client: Client, alice: Account) -> None:
    first, second = cookie_of(log_in(client)), cookie_of(log_in(client))
    assert first != second
    assert nickname(client, first) == nickname(client, second) == "Alice"


def test_a_session_expires_after_thirty_days(client: Client, alice: Account) -> None:
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        headers = cookie_of(log_in(client))
        clock.move_to("2026-01-30T23:59:59Z")
        assert nickname(client, headers) == "Alice"
        clock.move_to("2026-01-31T00:00:00Z")
        assert nickname(client, headers) is None


def test_nickname_and_password_are_stripped(client: Client, alice: Account) -> None:
    assert log_in(client, " alice\n", "\twonderland ").status == 200


def test_a_wrong_password_and_an_unknown_user_get_the_same_error(client: Client, alice: Account) -> None:
    for who, password in [
        ("Alice", "x"),
        ("unknown", "wonderland"),
        ("no body", "x"),
        ("x" * 5000, "x"),
        ("Alice", "é"),
    ]:
        assert_refused(log_in(client, who, password), "Incorrect nickname and/or password.")


def test_missing_fields_at_log_in_are_reported_in_order(client: Client) -> None:
    for who, password, message in [
        ("", "", "Nickname isn't specified."),
        (" ", "x", "Nickname isn't specified."),
        ("Alice", " ", "Password isn't specified."),
    ]:
        assert_refused(log_in(client, who, password), message)


@pytest.mark.parametrize("action", ["log-in", "register"])
def test_a_field_that_is_not_a_text_is_a_bad_request(client: Client, action: str) -> None:
    whole = {"action": action, "nickname": "carol", "email": "carol@example.org", "password": "looking glass"}
    fields = ("nickname", "password") if action == "log-in" else ("nickname", "email", "password")
    for field in fields:
        for value in [None, 5, True, [], {}, ["carol"]]:
            assert_refused(client.post("/auth", json={**whole, field: value}), "Bad request.")
        assert_refused(client.post("/auth", json={**whole, field: None}), "Bad request.")
        del (partial := dict(whole))[field]
        assert_refused(client.post("/auth", json=partial), "Bad request.")
    assert accounts.find("carol") is None


def test_a_body_without_an_action_is_a_bad_request(client: Client) -> None:
    for body in [b"", b"{", b"5", b"null", b"[]", b"{}", b'"log-in"', b'{"action": null}', b'{"action": ["log-in"]}']:
        assert_refused(client.post("/auth", body=body), "Bad request.")


def test_an_unknown_action_is_a_bad_request(client: Client, session: dict[str, str]) -> None:
    reply = client.post("/auth", json={"action": "jump"})
    assert (reply.status, reply.json) == (400, refusal(400, "Bad request."))
    reply = client.post("/auth", json={"action": "jump"}, headers=session)
    assert (reply.status, reply.json) == (400, refusal(400, "Bad request.", logged_in=True))


def test_auth_accepts_any_method(client: Client) -> None:
    for method in METHODS:
        assert_refused(client.request(method, "/auth"), "Bad request.")
        assert_refused(client.request(method, "/auth", json={"action": "log-in"}), "Bad request.")


def test_a_body_of_more_than_64_kilobytes_is_rejected(client: Client) -> None:
    reply = log_in(client, password="x" * 70_000)
    assert (reply.status, reply.json["message"]) == (413, "The request is larger than 65536 bytes.")


def test_log_out_revokes_the_session(client: Client, alice: Account) -> None:
    headers = cookie_of(log_in(client))
    reply = client.post("/auth", json={"action": "log-out"}, headers=headers)
    assert (reply.status, reply.json) == (200, success("Logged out successfully.", logged_in=True))
    assert reply.header("set-cookie") == "auth_tkt=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    assert nickname(client, headers) is None
    assert_refused(client.post("/auth", json={"action": "log-out"}, headers=headers), "Bad request.")


def test_log_out_keeps_other_sessions(client: Client, alice: Account) -> None:
    here, there = cookie_of(log_in(client)), cookie_of(log_in(client))
    client.post("/auth", json={"action": "log-out"}, headers=here)
    assert nickname(client, there) == "Alice"


def test_log_out_needs_a_session(client: Client) -> None:
    assert_refused(client.post("/auth", json={"action": "log-out"}), "Bad request.")


def test_log_in_and_registration_with_a_session_change_nothing(client: Client, session: dict[str, str]) -> None:
    for action in ("log-in", "register"):
        reply = client.post("/auth", json={"action": action}, headers=session)
        assert (reply.status, reply.json) == (200, success("You're already logged in.", logged_in=True))
        assert reply.header("set-cookie") is None


def test_a_key_of_another_service_is_not_a_session(client: Client, alice: Account) -> None:
    _, key = credentials.create(alice, "luarocks")
    assert nickname(client, {"Cookie": f"auth_tkt={key}"}) is None


def test_a_suspended_account_cannot_log_in_or_use_its_sessions(client: Client, alice: Account) -> None:
    headers = cookie_of(log_in(client))
    accounts.suspend(alice)
    reply = log_in(client)
    assert (reply.status, reply.json) == (403, refusal(403, "Your account has been suspended."))
    assert reply.header("set-cookie") is None
    assert nickname(client, headers) is None
    accounts.restore(alice)
    assert nickname(client, headers) == "Alice"


def test_a_banned_account_can_log_in(client: Client, alice: Account) -> None:
    alice.update(actions=[Account.rank.set("BANNED")])
    assert nickname(client, cookie_of(log_in(client))) == "Alice"


def test_log_in_with_a_second_factor_needs_a_code(client: Client, alice: Account) -> None:
    enrolment = two_factor.enable(alice)
    message = 'This account uses two-factor authentication: also send its current code as "code".'
    assert_refused(log_in(client), message)
    assert_refused(log_in(client, code=" "), message)
    assert_refused(log_in(client, code=123456), "Bad request.")
    assert_refused(log_in(client, code="abcdef"), "Incorrect verification code.")
    reply = log_in(client, code=pyotp.TOTP(enrolment.secret).now())
    assert (reply.status, reply.json) == (200, success("Logged in successfully."))


def test_a_recovery_code_is_valid_once(client: Client, alice: Account) -> None:
    code = two_factor.enable(alice).recovery_codes[0]
    assert log_in(client, code=code).status == 200
    assert_refused(log_in(client, code=code), "Incorrect verification code.")


def test_a_wrong_password_does_not_reveal_a_second_factor(client: Client, alice: Account) -> None:
    two_factor.enable(alice)
    assert_refused(log_in(client, password="x", code="123456"), "Incorrect nickname and/or password.")


def test_failed_codes_are_limited(client: Client, alice: Account) -> None:
    two_factor.enable(alice)
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False):
        for _ in range(5):
            assert_refused(log_in(client, code="abcdef"), "Incorrect verification code.")
        reply = log_in(client, code="abcdef")
    assert (reply.status, reply.json["message"]) == (429, "Too many failed attempts, try again later")


def test_failed_log_ins_are_limited_for_five_minutes(
    client: Client, alice: Account, bob: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 3)
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        headers = {"Cookie": "auth_tkt=" + credentials.create(alice, credentials.SESSION)[1]}
        for who in ("Alice", "alice", "ALICE"):
            assert_refused(log_in(client, who, "x"), "Incorrect nickname and/or password.")
        reply = log_in(client)
        assert (reply.status, reply.header("retry-after")) == (429, "300")
        assert reply.json == {
            "success": False,
            "title": "Too Many Requests",
            "message": "Too many attempts to log in, try again later.",
            "explanation": "There were too many requests; try again later.",
            "code": 429,
            "version": "3.4.0",
            "logged_in": False,
        }
        assert log_in(client, "bob", "builder").status == 200
        assert nickname(client, headers) == "Alice"
        clock.move_to("2026-01-01T00:05:00Z")
        assert log_in(client).status == 200


def test_log_in_resets_the_count_of_failed_attempts(
    client: Client, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 2)
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False):
        for _ in range(3):
            log_in(client, password="x")
            assert log_in(client).status == 200


def test_registration_creates_an_account_and_no_session(client: Client) -> None:
    reply = register(client, nickname=" carol ", email=" carol@example.org ", password=" looking glass ")
    assert (reply.status, reply.json) == (200, success("Account created successfully!"))
    assert reply.header("set-cookie") is None
    account = accounts.log_in("carol", "looking glass")
    assert (account.username, account.email, account.rank) == ("carol", "carol@example.org", "MEMBER")


def test_a_registered_user_can_log_in(client: Client) -> None:
    register(client)
    assert nickname(client, cookie_of(log_in(client, "carol", "looking glass"))) == "carol"


def test_registration_errors_are_reported_in_order(client: Client, alice: Account) -> None:
    used = {"nickname": "ALICE", "email": "Alice@Example.org"}
    for fields, message in [
        ({"nickname": "", "email": "", "password": ""}, "Nickname isn't specified."),
        ({"nickname": "a b", "email": " ", "password": ""}, "Email address isn't specified."),
        ({**used, "password": " "}, "Password isn't specified."),
        (used, "This nickname is already in use."),
        ({"email": "alice@example.org"}, "This email address is already in use."),
        ({"nickname": "a b"}, "The nickname contains illegal characters."),
        ({"nickname": "é"}, "The nickname contains illegal characters."),
        ({"nickname": "x"}, "A nickname has 2 to 25 characters."),
        ({"nickname": "x" * 26}, "A nickname has 2 to 25 characters."),
        ({"email": "nowhere"}, "This is not an e-mail address."),
        ({"password": "x" * 1025}, "A password has at most 1024 characters."),
        ({"password": "1234567"}, "A password has at least 8 characters."),
        ({"password": "Carol@example.org"}, "A password is neither your username nor your e-mail address."),
    ]:
        assert_refused(register(client, **fields), message)
    assert [account.username for account in accounts.list_accounts()] == ["Alice"]


def test_the_profile_accepts_any_method(client: Client, session: dict[str, str]) -> None:
    for method in METHODS:
        reply = client.request(method, "/profile")
        assert (reply.status, reply.json) == (200, success({}))
        reply = client.request(method, "/profile", headers=session)
        assert (reply.status, reply.json) == (200, success({"nickname": "Alice"}, logged_in=True))


def test_log_in_ignores_a_planted_cookie(client: Client, alice: Account, bob: Account) -> None:
    theirs = cookie_of(log_in(client, "bob", "builder"))
    client.post("/auth", json={"action": "log-out"}, headers=theirs)
    for planted in ({"Cookie": "auth_tkt=chosen"}, theirs):
        entered = {"action": "log-in", "nickname": "Alice", "password": "wonderland"}
        reply = client.post("/auth", json=entered, headers=planted)
        assert reply.status == 200
        assert cookie_of(reply) != planted
        assert nickname(client, planted) is None


def test_a_forged_cookie_is_ignored(client: Client, alice: Account) -> None:
    good = cookie_of(log_in(client))["Cookie"]
    name, secret = good.split("=")
    ticket = "0" * 128 + "5f5e0ff0Alice!userid_type:b64unicode"
    for forged in (
        secret[:-1],
        secret + "x",
        secret.swapcase(),
        secret[::-1],
        ticket,
        "Alice",
        "1",
        "*",
        "credential#1",
    ):
        assert nickname(client, {"Cookie": f"{name}={forged}"}) is None
    assert nickname(client, {"Cookie": f'spam=1; {name}="{secret}"'}) == "Alice"


def test_log_out_does_not_revoke_a_key(client: Client, key: dict[str, str]) -> None:
    assert_refused(client.post("/auth", json={"action": "log-out"}, headers=key), "Bad request.")
    assert nickname(client, key) == "Alice"


def test_registrations_per_address_are_limited(client: Client, alice: Account) -> None:
    with settings.override(registration_rate=2), time_machine.travel("2026-01-01T00:00:00Z", tick=False) as clock:
        assert_refused(register(client, nickname=""), "Nickname isn't specified.")
        assert_refused(register(client, nickname="alice"), "This nickname is already in use.")
        assert register(client).status == 200
        reply = register(client, nickname="dave", email="dave@example.org")
        assert (reply.status, reply.header("retry-after")) == (429, "3600")
        assert reply.json["message"] == "Too many registrations from this address, try again later."
        assert accounts.find("dave") is None
        clock.move_to("2026-01-01T01:00:00Z")
        assert register(client, nickname="dave", email="dave@example.org").status == 200


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("closed", "Registration is closed here: ask the administrator for an account."),
        ("invitation", "Registration is by invitation here: ask the administrator for one."),
    ],
)
def test_registration_follows_the_setting(client: Client, mode: str, message: str) -> None:
    with settings.override(registration=mode):
        reply = register(client)
    assert (reply.status, reply.json) == (403, refusal(403, message))
    assert accounts.find("carol") is None


def test_an_invitation_creates_one_account(client: Client) -> None:
    _, secret = invitations.create()
    with settings.override(registration="invitation"):
        assert register(client, invitation=secret).status == 200
        reply = register(client, nickname="dave", email="dave@example.org", invitation=secret)
    assert (reply.status, reply.json) == (403, refusal(403, "This invitation has been used already."))
    assert [account.username for account in accounts.list_accounts()] == ["carol"]


def test_log_ins_per_address_are_limited(client: Client, alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS_OF_ADDRESS", 2)
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False):
        for who in ("unknown", "missing"):
            assert_refused(log_in(client, who, "x"), "Incorrect nickname and/or password.")
        assert log_in(client).status == 429
