"""The upload API, called with the gateway's events: whole bodies, statuses, and stored items."""

import base64
import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyotp
import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import audit
from chalicelib.core.identity import accounts, credentials, two_factor
from chalicelib.core.tables import Account
from chalicelib.luarocks import index
from chalicelib.luarocks.tables import LuaRocksItem
from chalicelib.web.bodies import SMALL
from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rock, rockspec
from tests.worlds import both_worlds

LETTERS = "invalid characters, only alphanumeric, period, underscore, and hyphen allowed"
MOMENT = "2026-01-02 03:04:05"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel("2026-01-02T03:04:05Z", tick=False) as traveller:
        yield traveller


def module_row(**more: object) -> dict[str, object]:
    return {
        "id": 1,
        "user_id": 1,
        "name": "say",
        "downloads": 0,
        "current_version_id": 1,
        "summary": "Says hello",
        "license": "MIT",
        "homepage": "https://example.org",
        "has_dev_version": False,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        **more,
    }


def version_row(content: bytes = rockspec(), **more: object) -> dict[str, object]:
    return {
        "id": 1,
        "module_id": 1,
        "version_name": "1.0-1",
        "rockspec_fname": "say-1.0-1.rockspec",
        "lua_version": "lua >= 5.1",
        "development": False,
        "archived": False,
        "source_url": "https://example.org/say.tar.gz",
        "downloads": 0,
        "rockspec_downloads": 0,
        "revision": 1,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "created_at": MOMENT,
        "updated_at": MOMENT,
        **more,
    }


def stored() -> list[str]:
    return sorted(f"{item.pk} {item.sk}" for item in LuaRocksItem.scan())


def test_tool_version_needs_no_key(client: Client) -> None:
    reply = client.get("/api/tool_version", query="current=1%2e0%2e0")
    assert (reply.status, reply.json) == (200, {"version": "1.0.0"})


@both_worlds
def test_status_returns_the_account_and_the_keys_age(client: Client, key: str) -> None:
    reply = client.get(f"/api/1/{key}/status")
    assert (reply.status, reply.json) == (200, {"user_id": 1, "created_at": MOMENT})


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@both_worlds
def test_the_key_can_be_sent_in_a_header(client: Client, key: str, scheme: str) -> None:
    reply = client.get("/api/1/bearer/status", headers={"Authorization": f"{scheme} {key}"})
    assert reply.status == 200


def test_the_key_in_the_path_takes_precedence_over_the_header(client: Client, key: str) -> None:
    assert client.get(f"/api/1/{key}/status", headers={"Authorization": "Bearer other"}).status == 200


@pytest.mark.parametrize("value", [None, "Bearer", "Bearer ", "Basic abc", ""])
def test_bearer_without_a_header_is_rejected(client: Client, aws: None, value: str | None) -> None:
    headers = {} if value is None else {"Authorization": value}
    reply = client.get("/api/1/bearer/status", headers=headers)
    assert (reply.status, reply.json) == (401, {"errors": ["Missing or malformed Authorization header"]})


@pytest.mark.parametrize("path", ["status", "check_rockspec?package=a&version=1"])
def test_an_unknown_key_is_refused_with_the_text_that_the_client_recognizes(client: Client, path: str) -> None:
    route, _, query = path.partition("?")
    reply = client.get(f"/api/1/unknown/{route}", query=query)
    assert (reply.status, reply.json) == (401, {"errors": ["Invalid key"]})


def test_a_key_of_another_service_is_unknown(client: Client, alice: Account) -> None:
    _, other = credentials.create(alice, "contentdb")
    assert client.get(f"/api/1/{other}/status").json == {"errors": ["Invalid key"]}


def test_a_revoked_key_is_refused(client: Client, alice: Account) -> None:
    credential, secret = credentials.create(alice, "luarocks")
    credentials.revoke(credential)
    reply = client.get(f"/api/1/{secret}/status")
    assert (reply.status, reply.json) == (403, {"errors": ["The API key you provided has been revoked"]})


def test_an_expired_key_is_refused(client: Client, alice: Account, clock: time_machine.Traveller) -> None:
    _, secret = credentials.create(alice, "luarocks", ends_after=timedelta(days=1))
    clock.shift(timedelta(days=1))
    reply = client.get(f"/api/1/{secret}/status")
    assert (reply.status, reply.json) == (401, {"errors": ["This key has expired."]})


def test_a_suspended_account_is_refused(client: Client, alice: Account, upload: Upload) -> None:
    accounts.suspend(alice)
    reply = upload()
    assert (reply.status, reply.json) == (403, {"errors": ["Your account has been suspended"]})
    assert stored() == []


def test_a_banned_account_can_read_but_not_publish(client: Client, upload: Upload) -> None:
    banned = accounts.create("mallory", "mallory@example.org", rank="BANNED")
    _, secret = credentials.create(banned, "luarocks")
    assert client.get(f"/api/1/{secret}/status").status == 200
    reply = upload(key=secret)
    assert (reply.status, reply.json) == (403, {"errors": ["Your account has been banned"]})
    assert stored() == []


def test_check_rockspec_omits_a_missing_module_or_version_because_clients_take_null_for_one(
    client: Client, key: str, upload: Upload
) -> None:
    def check(version: str, **headers: str) -> object:
        query = {"package": "say", "version": version}
        return client.get(f"/api/1/{key}/check_rockspec", query=query, headers=headers).json

    assert check("1.0-1") == check("1.0-1", Accept="*/*") == check("1.0-1", Accept="text/html, */*;q=0.1") == {}
    upload()
    assert check("9.0-1") == {"module": module_row()}


@pytest.mark.parametrize("by", ["bearer", "Accept"])
def test_check_rockspec_returns_null_to_requests_in_the_form_of_the_api_page(
    client: Client, key: str, upload: Upload, by: str
) -> None:
    headers = {"Authorization": f"Bearer {key}"} if by == "bearer" else {"Accept": "text/plain;q=0.5, Application/JSON"}
    path = f"/api/1/{'bearer' if by == 'bearer' else key}/check_rockspec"
    query = {"package": "say", "version": "1.0-1"}
    reply = client.get(path, query=query, headers=headers)
    assert (reply.status, reply.json) == (200, {"module": None, "version": None})
    upload(rockspec(version="2.0-1"))
    assert client.get(path, query=query, headers=headers).json == {"module": module_row(), "version": None}


@pytest.mark.parametrize("method", ["DELETE", "GET", "PATCH", "POST", "PUT"])
def test_the_routes_take_the_methods_that_upstreams_take(client: Client, key: str, method: str, upload: Upload) -> None:
    reply = client.request(method, "/api/tool_version", json=["current", "1.0.0"])
    assert (reply.status, reply.json) == (200, {"version": "1.0.0"})
    assert client.request(method, f"/api/1/{key}/status", json=["ignored"]).status == 200
    assert client.request(method, f"/api/1/{key}/verify_tfa", query="code=1").json == {
        "errors": ["Two-factor authentication is not enabled on this account"]
    }
    upload()
    path, values = f"/api/1/{key}/check_rockspec", {"package": "say", "version": "1.0-1"}
    found = {"module": module_row(), "version": version_row()}
    assert client.request(method, path, query=values).json == found
    if method != "GET":
        assert client.request(method, path, form=values).json == found
        assert client.request(method, path, form=values, files={}).json == found
    files = {"rockspec_file": ("x.rockspec", rockspec(version="2.0-1"))}
    sent = client.request(method, f"/api/1/{key}/upload", files=files).status
    assert sent == (405 if method in ("GET", "DELETE") else 200)


@pytest.mark.parametrize("form", ["Bearer", "bearer", "token", "PRIVATE-TOKEN", "password", "user", "no password"])
def test_a_key_is_accepted_in_every_header_in_which_clients_send_one(client: Client, key: str, form: str) -> None:
    basic = {"password": f"alice:{key}", "user": f"{key}:x-oauth-basic", "no password": f"{key}:"}.get(form)
    if form == "PRIVATE-TOKEN":
        headers = {form: key}
    elif basic:
        headers = {"Authorization": f"Basic {base64.b64encode(basic.encode()).decode()}"}
    else:
        headers = {"Authorization": f"{form} {key}"}
    assert client.get("/api/1/bearer/status", headers=headers).status == 200
    with settings.override(luarocks_reads="key"):
        assert client.get("/manifest", headers=headers).status == 200


@both_worlds
def test_check_rockspec_finds_names_in_any_letter_case(client: Client, key: str, upload: Upload) -> None:
    upload()
    reply = client.get(f"/api/1/{key}/check_rockspec", query={"package": "SAY", "version": "1.0-1"})
    assert reply.json == {"module": module_row(), "version": version_row()}


def test_check_rockspec_finds_only_the_callers_modules(client: Client, bob: Account, upload: Upload) -> None:
    upload()
    _, other = credentials.create(bob, "luarocks")
    reply = client.get(f"/api/1/{other}/check_rockspec", query={"package": "say", "version": "1.0-1"})
    assert reply.json == {}


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("", ["package must be provided", "version must be provided"]),
        ("package=say", ["version must be provided"]),
        ("version=1.0-1", ["package must be provided"]),
    ],
)
def test_check_rockspec_names_missing_parameters(client: Client, key: str, query: str, errors: list[str]) -> None:
    reply = client.get(f"/api/1/{key}/check_rockspec", query=query)
    assert (reply.status, reply.json) == (400, {"errors": errors})


@both_worlds
def test_a_first_upload_creates_a_module_in_the_root_manifest(upload: Upload) -> None:
    reply = upload()
    assert (reply.status, reply.json) == (
        200,
        {
            "module": module_row(),
            "version": version_row(),
            "module_url": "http://moonbase.test/modules/alice/say",
            "manifests": [{"id": 1, "name": "root"}],
            "is_new": True,
        },
    )
    assert stored() == ["module#1 module", "module#1 version#1.0-1", "version-id#1 version-id"]


def test_a_second_version_is_not_a_new_module(upload: Upload) -> None:
    upload()
    content = rockspec(version="2.0-1")
    reply = upload(content)
    version = version_row(content, id=2, version_name="2.0-1", rockspec_fname="say-2.0-1.rockspec")
    assert reply.json == {
        "module": module_row(current_version_id=2),
        "version": version,
        "module_url": "http://moonbase.test/modules/alice/say",
        "manifests": [{"id": 1, "name": "root"}],
        "is_new": False,
    }


def test_the_same_version_again_is_its_next_revision(
    client: Client, upload: Upload, clock: time_machine.Traveller
) -> None:
    upload()
    before = client.get("/say-1.0-1.rockspec").header("etag")
    content = rockspec(lua="lua >= 5.3")
    clock.shift(1)
    reply = upload(content)
    assert reply.json["version"] == version_row(
        content, lua_version="lua >= 5.3", revision=2, updated_at="2026-01-02 03:04:06"
    )
    after = client.get("/say-1.0-1.rockspec")
    assert (after.body, after.header("etag") != before) == (content, True)
    assert client.get("/manifest-5.1").body == client.get("/manifest-5.2").body != client.get("/manifest-5.3").body


def test_names_are_stored_in_lower_case_and_shown_as_written(upload: Upload) -> None:
    content = rockspec("LuaSay", "1.0RC-1")
    reply = upload(content)
    assert (reply.json["module"]["name"], reply.json["module"]["display_name"]) == ("luasay", "LuaSay")
    version = reply.json["version"]
    assert (version["version_name"], version["display_version_name"]) == ("1.0rc-1", "1.0RC-1")
    assert version["rockspec_fname"] == "luasay-1.0rc-1.rockspec"


def test_manifests_list_a_version_as_its_rockspec_spells_it(client: Client, upload: Upload) -> None:
    upload(rockspec("LuaSay", "1.0RC-1"))
    assert client.get("/manifest.json").json["repository"] == {"luasay": {"1.0RC-1": [{"arch": "rockspec"}]}}
    assert client.get("/luasay-1.0RC-1.rockspec").body == rockspec("LuaSay", "1.0RC-1")
    upload(rockspec("LuaSay", "1.0rc-1"))
    assert client.get("/manifest.json").json["repository"] == {"luasay": {"1.0rc-1": [{"arch": "rockspec"}]}}


@pytest.mark.parametrize(
    "directory", ["~\\Projects\\", "C:\\Users\\x y\\", "C:", "/home/x/", "../", ".\\sub/", "\\\\host\\share\\"]
)
def test_a_rocks_name_is_the_last_part_of_what_is_sent(
    client: Client, upload: Upload, upload_rock: Upload, directory: str
) -> None:
    upload()
    reply = upload_rock(1, f"{directory}say-1.0-1.src.rock")
    assert (reply.status, reply.json["rock"]["rock_fname"]) == (200, "say-1.0-1.src.rock")
    assert client.get("/say-1.0-1.src.rock").body == rock()


def test_a_second_module_of_a_name_is_only_below_its_user(client: Client, upload: Upload, bob: Account) -> None:
    upload()
    content = rockspec(lua="lua >= 5.4")
    reply = upload(content, key=credentials.create(bob, "luarocks")[1])
    assert (reply.json["manifests"], reply.json["is_new"]) == ([], True)
    assert client.get("/say-1.0-1.rockspec").body == rockspec()
    assert client.get("/manifests/bob/say-1.0-1.rockspec").body == content


def test_an_upload_is_in_the_activity_log_with_its_key(alice: Account, upload: Upload) -> None:
    upload()
    entries = [(entry.action, entry.subject, entry.credential_id) for entry in audit.entries(1)]
    assert ("rockspec.publish", "alice/say", 1) in entries


@both_worlds
def test_a_rock_is_added_to_its_version(client: Client, upload: Upload, upload_rock: Upload) -> None:
    upload()
    reply = upload_rock(1, "say-1.0-1.linux-x86_64.rock")
    assert (reply.status, reply.json) == (
        200,
        {
            "rock": {
                "id": 2,
                "version_id": 1,
                "arch": "linux-x86_64",
                "rock_fname": "say-1.0-1.linux-x86_64.rock",
                "downloads": 0,
                "revision": 1,
                "sha256": hashlib.sha256(rock()).hexdigest(),
                "size": len(rock()),
                "created_at": MOMENT,
                "updated_at": MOMENT,
            },
            "module_url": "http://moonbase.test/modules/alice/say",
        },
    )
    assert client.get("/say-1.0-1.linux-x86_64.rock").body == rock()


@both_worlds
def test_a_rock_again_is_its_next_revision(client: Client, upload: Upload, upload_rock: Upload) -> None:
    upload()
    upload_rock(1, "say-1.0-1.src.rock")
    reply = upload_rock(1, "say-1.0-1.src.rock", rock(payload="newer"))
    assert (reply.json["rock"]["id"], reply.json["rock"]["revision"]) == (2, 2)
    assert client.get("/say-1.0-1.src.rock").body == rock(payload="newer")


@pytest.mark.parametrize(
    ("version_id", "filename", "status", "error"),
    [
        ("99", "say-1.0-1.src.rock", 404, "Invalid version ID"),
        ("99999999999999999999999", "say-1.0-1.src.rock", 404, "Invalid version ID"),
        ("two", "say-1.0-1.src.rock", 400, "version_id must be an integer"),
        ("-2", "say-1.0-1.src.rock", 400, "version_id must be an integer"),
        ("%D9%A2", "say-1.0-1.src.rock", 400, "version_id must be an integer"),
        ("1", "other-1.0-1.src.rock", 400, "Filename must be in format `say-VERSION.ARCH.rock`"),
        ("1", "say.rock", 400, "Filename must be in format `say-VERSION.ARCH.rock`"),
        ("1", "say-2.0-1.src.rock", 400, "Rock doesn't match version 1.0-1"),
    ],
)
def test_a_rock_that_matches_no_version_is_refused(
    upload: Upload, upload_rock: Upload, version_id: str, filename: str, status: int, error: str
) -> None:
    upload()
    reply = upload_rock(version_id, filename)
    assert (reply.status, reply.json) == (status, {"errors": [error]})
    assert stored() == ["module#1 module", "module#1 version#1.0-1", "version-id#1 version-id"]


def test_a_rock_for_another_accounts_version_is_refused(upload: Upload, upload_rock: Upload, bob: Account) -> None:
    upload()
    reply = upload_rock(1, "say-1.0-1.src.rock", key=credentials.create(bob, "luarocks")[1])
    assert (reply.status, reply.json) == (400, {"errors": ["Don't have permission to edit"]})


def test_an_administrator_can_upload_a_rock_for_any_version(upload: Upload, upload_rock: Upload) -> None:
    upload()
    admin = accounts.create("root", "root@example.org", rank="ADMIN")
    reply = upload_rock(1, "say-1.0-1.src.rock", key=credentials.create(admin, "luarocks")[1])
    assert (reply.status, reply.json["module_url"]) == (200, "http://moonbase.test/modules/alice/say")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"package = ", "Failed to parse rockspec"),
        (b"error('no')", "Failed to eval rockspec"),
        (b"while true do end", "Failed to eval rockspec"),
        (b"version = '1-1'", "Invalid rockspec (missing package)"),
        (b"package = 'a' version = ''", "Invalid rockspec (blank version)"),
        (b"package = '../a' version = '1-1'", f"Invalid rockspec (package name contains {LETTERS})"),
        (b"package = 'a' version = '../../1-1'", f"Invalid rockspec (version name contains {LETTERS})"),
        (b"package = 'a..b' version = '1-1'", "package name has invalid characters"),
        (b"package = 'a' version = '1..2-1'", "version name has invalid characters"),
        (b"\x1bLua", "Failed to parse rockspec"),
    ],
)
def test_a_bad_rockspec_is_rejected_and_nothing_stored(upload: Upload, content: bytes, error: str) -> None:
    reply = upload(content)
    assert (reply.status, reply.json) == (400, {"errors": [error]})
    assert stored() == []
    assert index.catalogue.snapshot().entries == {}


def test_an_upload_without_its_file_is_refused(client: Client, key: str) -> None:
    for sent in (
        {"json": {"rockspec_file": "x"}},
        {"form": {"rockspec_file": "x"}},
        {"files": {"other": ("x", b"y")}},
        {"files": {"rockspec_file": ("", b"y")}},
        {"files": {"rockspec_file": ("x.rockspec", b"")}},
        {"body": b"", "headers": {}},
    ):
        reply = client.post(f"/api/1/{key}/upload", **sent)
        assert (reply.status, reply.json) == (400, {"errors": ["Missing file"]}), sent
    assert stored() == []


@both_worlds
def test_a_truncated_multipart_body_is_refused(client: Client, key: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    reply = client.post(f"/api/1/{key}/upload", headers=headers, body=b'--B\r\nContent-Disposition: form-data; name="r')
    assert (reply.status, reply.json) == (400, {"errors": ["The multipart form cannot be read."]})


@both_worlds
def test_a_rock_above_15_mib_is_refused(client: Client, key: str, upload: Upload) -> None:
    version = upload().json["version"]["id"]
    files = {"rock_file": ("say-1.0-1.src.rock", b"-" * 20 * 1024 * 1024)}
    reply = client.post(f"/api/1/{key}/upload_rock/{version}", files=files)
    assert (reply.status, reply.json) == (413, {"errors": ["The request is larger than 15728640 bytes."]})
    assert client.get("/say-1.0-1.src.rock").status == 404


def test_a_rockspec_above_1_mib_is_refused(upload: Upload) -> None:
    reply = upload(b"-" * 20 * 1024 * 1024)
    assert (reply.status, reply.json) == (413, {"errors": ["The request is larger than 1114112 bytes."]})
    assert stored() == []


def test_a_read_key_cannot_upload(upload: Upload, client: Client, alice: Account) -> None:
    _, reader = credentials.create(alice, "luarocks", scope="read")
    assert client.get(f"/api/1/{reader}/status").status == 200
    assert (upload(key=reader).status, stored()) == (403, [])


def test_a_modules_key_uploads_that_module_only(upload: Upload, alice: Account) -> None:
    _, narrow = credentials.create(alice, "luarocks", scope="module:say")
    assert upload(key=narrow).status == 200
    assert upload(rockspec("other"), key=narrow).status == 403


def test_an_account_can_require_a_second_factor_for_uploads(
    client: Client, alice: Account, key: str, upload: Upload
) -> None:
    enrolment = two_factor.enable(alice, required_for_uploads=True)
    refusal = {"errors": ["Two-factor authentication required"], "two_factor_required": True}
    assert (upload().status, upload().json, stored()) == (403, refusal, [])
    code = pyotp.TOTP(enrolment.secret).now()
    reply = client.post(f"/api/1/{key}/verify_tfa", form={"code": code})
    token = reply.json["tfa_token"]
    assert (reply.status, reply.json) == (200, {"success": True, "tfa_token": token, "expires": 1767323945})
    assert upload(headers={"X-TFA-Token": token}).status == 200
    assert upload(rockspec("b"), form={"tfa_token": token}).status == 200
    again = client.post(f"/api/1/{key}/verify_tfa", form={"code": code})
    assert (again.status, again.json) == (401, {"errors": ["Invalid verification code"]})


@both_worlds
def test_a_large_upload_has_its_token_in_a_header(client: Client, alice: Account, key: str, upload: Upload) -> None:
    version = upload().json["version"]["id"]
    enrolment = two_factor.enable(alice, required_for_uploads=True)
    code = pyotp.TOTP(enrolment.secret).now()
    token = client.post(f"/api/1/{key}/verify_tfa", form={"code": code}).json["tfa_token"]

    def send(**more: Any) -> Reply:
        files = {"rock_file": ("say-1.0-1.src.rock", rock(payload=os.urandom(SMALL).hex()))}
        return client.post(f"/api/1/{key}/upload_rock/{version}", files=files, **more)

    in_form = send(form={"tfa_token": token})
    assert (in_form.status, in_form.json) == (
        403,
        {
            "errors": [
                "Two-factor authentication required",
                "A request of more than 65536 bytes must contain its token in the header X-TFA-Token.",
            ],
            "two_factor_required": True,
        },
    )
    assert send(headers={"X-TFA-Token": token}).status == 200


def test_a_token_is_valid_only_for_its_key(client: Client, alice: Account, key: str, upload: Upload) -> None:
    enrolment = two_factor.enable(alice, required_for_uploads=True)
    files = {"unused": ("", b"")}  # the client sends this form as multipart
    reply = client.post(f"/api/1/{key}/verify_tfa", form={"code": enrolment.recovery_codes[0]}, files=files)
    _, other = credentials.create(alice, "luarocks")
    assert upload(key=other, headers={"X-TFA-Token": reply.json["tfa_token"]}).status == 403


@both_worlds
def test_an_upload_window_lets_one_key_upload_without_a_token(
    client: Client, alice: Account, key: str, upload: Upload
) -> None:
    enrolment = two_factor.enable(alice, required_for_uploads=True)
    _, other = credentials.create(alice, "luarocks")
    window = f"/api/1/{key}/upload_window"
    wrong = client.post(window, form={"code": "000000x"})
    assert (wrong.status, wrong.json) == (401, {"errors": ["Invalid verification code"]})
    opened = client.post(window, form={"code": pyotp.TOTP(enrolment.secret).now()})
    assert (opened.status, opened.json) == (200, {"success": True, "expires": 1767323945})
    assert [upload().status, upload(key=other).status] == [200, 403]
    closed = client.request("DELETE", window)
    assert (closed.status, closed.json) == (200, {"success": True})
    assert upload(rockspec("b")).status == 403


def test_verify_tfa_refuses_with_upstreams_texts(client: Client, alice: Account, key: str) -> None:
    def verify(**form: str) -> tuple[int, list[str]]:
        reply = client.post(f"/api/1/{key}/verify_tfa", form=form)
        return reply.status, reply.json["errors"]

    assert verify() == (400, ["code must be provided"])
    assert verify(code="1" * 17) == (400, ["code must be at most 16 chars"])
    assert verify(code="123456") == (400, ["Two-factor authentication is not enabled on this account"])
    two_factor.enable(alice)
    for _ in range(5):
        assert verify(code="000000x") == (401, ["Invalid verification code"])
    assert verify(code="000000x") == (429, ["Too many failed attempts, try again later"])


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/api/1/k/upload_window", 405, "DELETE, OPTIONS, POST"),
        ("DELETE", "/api/1/k/upload", 405, "OPTIONS, PATCH, POST, PUT"),
        ("PUT", "/manifest", 405, "GET, HEAD, OPTIONS"),
        ("GET", "/api/1/k/nothing", 404, None),
        ("GET", "/api/1", 404, None),
    ],
)
def test_an_unknown_path_or_method_gets_this_services_envelope(
    client: Client, aws: None, method: str, path: str, status: int, allow: str | None
) -> None:
    reply = client.request(method, path)
    assert (reply.status, list(reply.json), reply.header("allow")) == (status, ["errors"], allow)


def test_extra_slashes_are_ignored(client: Client, key: str) -> None:
    assert client.get(f"//api//1/{key}/status/").json == client.get(f"/api/1/{key}/status").json
