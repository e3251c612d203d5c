"""Requests that another site makes a browser send change nothing; other requests need nothing more."""

import inspect
from typing import Any

import pytest

from chalicelib.account import auth, csrf
from chalicelib.account.service import operations
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account
from tests.account.person import LogIn, Person, nothing_stored, refused
from tests.client import Client
from tests.worlds import embedded_only

MISSING = "Send the session's CSRF token, as the header X-CSRF-Token or the form's field csrf_token."
WRONG = "The CSRF token is not this session's: load the page again."
FOREIGN = "This request was made by another site."
NEW_KEY = {"service": "luarocks"}
WRITES = [operation for operation in operations if operation.method not in csrf.SAFE_METHODS]
BY_SESSION = [operation for operation in WRITES if operation.credential is not auth.VISITOR]


def name(operation: Any) -> str:
    return f"{operation.method} {operation.path}"


@embedded_only
@pytest.mark.parametrize("operation", BY_SESSION, ids=name)
def test_every_write_by_cookie_needs_the_token(root: Person, operation: Any) -> None:
    path = operation.path.removeprefix("/account/api").replace("{id}", "1").replace("{username}", "root")
    with nothing_stored():
        reply = root.send(operation.method, path, json={}, headers={"X-CSRF-Token": None})
        refused(reply, 403, MISSING)
        refused(root.send(operation.method, path, json={}, headers={"X-CSRF-Token": "x" * 64}), 403, WRONG)


def test_only_the_ways_into_an_account_are_writes_without_a_session() -> None:
    assert len(BY_SESSION) > 15
    assert {operation.path for operation in WRITES} - {operation.path for operation in BY_SESSION} == {
        "/account/api/register",
        "/account/api/log-in",
        "/account/api/password-link",
        "/account/api/email/confirmation",
    } - {operation.path for operation in BY_SESSION}


@embedded_only
@pytest.mark.parametrize("token", ["", " ", "x", "\0", "é" * 64, "0" * 64, "x" * 60_000])
def test_a_forged_token_is_rejected(alice_client: Person, token: str) -> None:
    alice_client.get("/me")
    with nothing_stored():
        reply = alice_client.post("/keys", NEW_KEY, headers={"X-CSRF-Token": token})
    refused(reply, 403, WRONG if token else MISSING)


def test_another_sessions_token_is_rejected(
    alice_client: Person, logged_in: LogIn, alice: Account, bob: Account
) -> None:
    for other in (logged_in(alice), logged_in(bob)):
        with nothing_stored():
            reply = alice_client.post("/keys", NEW_KEY, headers={"X-CSRF-Token": other.headers["X-CSRF-Token"]})
        refused(reply, 403, WRONG)


def test_the_sessions_secret_is_not_a_token(alice_client: Person) -> None:
    reply = alice_client.post("/keys", NEW_KEY, headers={"X-CSRF-Token": str(alice_client.secret)})
    refused(reply, 403, WRONG)


def test_the_token_is_accepted_as_a_form_field(client: Client, alice_client: Person) -> None:
    cookie = {"Cookie": alice_client.headers["Cookie"]}
    form = {"csrf_token": alice_client.headers["X-CSRF-Token"]}
    assert client.post("/account/api/log-out", headers=cookie, form={"csrf_token": "x"}).status == 403
    assert client.post("/account/api/log-out", headers=cookie, form=form, files={}).status == 204


def test_a_bearer_token_needs_no_csrf_token(logged_in: LogIn, alice: Account) -> None:
    script = logged_in(alice, by_cookie=False)
    assert script.post("/keys", NEW_KEY).status == 201


def test_a_bearer_token_takes_precedence_over_a_cookie(alice_client: Person, logged_in: LogIn, bob: Account) -> None:
    bearer = {"Authorization": f"Bearer {logged_in(bob).secret}", "X-CSRF-Token": None}
    assert alice_client.get("/me", headers=bearer).json["username"] == "bob"
    assert alice_client.post("/keys", NEW_KEY, headers=bearer).status == 201
    refused(
        alice_client.post("/keys", NEW_KEY, headers={**bearer, "Authorization": "Bearer nonsense"}),
        401,
        "Your session has ended: log in again.",
    )


def test_reading_needs_no_token(alice_client: Person) -> None:
    assert alice_client.get("/keys", headers={"X-CSRF-Token": None, "Sec-Fetch-Site": "cross-site"}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://moonbase.test"},
        {"Origin": "https://evil.test"},
        {"Origin": "http://moonbase.test.evil.test"},
        {"Origin": "http://moonbase.test:8000"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
@pytest.mark.parametrize("path", ["/register", "/log-in", "/keys"])
def test_another_sites_requests_are_rejected_even_with_a_token(
    alice_client: Person, path: str, headers: dict[str, str]
) -> None:
    bodies = {
        "/register": {"username": "carol", "email": "carol@example.org", "password": "looking glass"},
        "/log-in": {"username": "alice", "password": "wonderland"},
        "/keys": NEW_KEY,
    }
    with nothing_stored():
        reply = alice_client.post(path, bodies[path], headers=headers)
    refused(reply, 403, FOREIGN)
    assert reply.header("set-cookie") is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://moonbase.test"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://moonbase.test"},
        {"Origin": "https://MOONBASE.test"},
    ],
)
def test_requests_of_this_site_and_of_programs_are_accepted(
    alice_client: Person, alice: Account, headers: dict[str, str]
) -> None:
    assert alice_client.post("/log-in", {"username": "alice", "password": "wonderland"}, headers=headers).status == 200
    assert alice_client.post("/keys", NEW_KEY, headers=headers).status == 201


def test_the_token_does_not_contain_the_secret(alice: Account) -> None:
    secret = credentials.create(alice, credentials.SESSION)[1]
    token = csrf.token_for(secret)
    assert (len(token), secret in token, token == credentials.hash_of(secret)) == (64, False, False)


def test_no_key_file_is_read(alice_client: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.core.sealing._key", lambda file: pytest.fail("there is none on AWS"))
    assert alice_client.post("/keys", NEW_KEY).status == 201


def test_the_token_of_a_page_needs_only_the_request() -> None:
    assert [*inspect.signature(csrf.token_of).parameters] == ["request"]
