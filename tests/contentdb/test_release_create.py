"""The creation and deletion of releases: fields, errors and permissions."""

from collections.abc import Mapping
from typing import Any

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import jobs
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import change, draft, member, refusal, token
from tests.contentdb.files import MOD, checked, fetched, pending_checks, released, upload, zipped
from tests.worlds import both_worlds

NEW = "/api/packages/Alice/mymod/releases/new/"
HASH = "8ef74deec170a8ce789f6055a59d43876d16a7ea"


@pytest.fixture(autouse=True)
def _draft(alice: Account) -> None:
    draft("Alice/mymod")


def list_releases(client: Client) -> Any:
    return client.get("/api/packages/Alice/mymod/releases/").json


@both_worlds
def test_a_zip_becomes_a_release_after_its_check(client: Client, bearer: dict[str, str]) -> None:
    content = zipped(MOD, "mymod")
    reply = upload(client, "Alice/mymod", bearer, content)
    assert reply.status == 200
    release = reply.json["release"]
    assert reply.json == {"success": True, "task": reply.json["task"], "release": release}
    assert release == {
        "id": 1,
        "name": "My Release",
        "title": "My Release",
        "release_notes": None,
        "url": release["url"],
        "release_date": release["release_date"],
        "commit": None,
        "downloads": 0,
        "min_minetest_version": None,
        "max_minetest_version": None,
        "size": 0,
        "state": "PROCESSING",
        "task": reply.json["task"],
        "error": None,
        "warnings": [],
    }
    assert checked(client, reply) == {"id": reply.json["task"][7:-1], "status": "SUCCESS", "result": release["url"]}
    approved = {**release, "size": len(content), "state": "APPROVED", "log": None}
    assert list_releases(client) == [approved]
    assert client.get("/api/packages/Alice/mymod/releases/1").json == approved
    assert fetched(client, release["url"]) == content


@both_worlds
def test_the_examples_of_the_api_page_work(client: Client, bearer: dict[str, str]) -> None:
    content = zipped(MOD)
    first = released(client, "Alice/mymod", bearer, content, title="My Release")
    second = released(client, "Alice/mymod", bearer, content, title="My Release", commit=HASH)
    assert [(release["id"], release["commit"]) for release in list_releases(client)] == [(second, HASH), (first, None)]
    reply = client.request("DELETE", f"/api/packages/Alice/mymod/releases/{first}/", headers=bearer)
    assert (reply.status, reply.json) == (200, {"success": True})
    assert [release["id"] for release in list_releases(client)] == [second]


def test_fields_are_stored(client: Client, bearer: dict[str, str]) -> None:
    fields = {"name": "1.2.3", "title": "The third", "release_notes": "some\r\nnotes\n", "commit": HASH.upper()}
    released(client, "Alice/mymod", bearer, zipped(MOD), **fields)
    (release,) = list_releases(client)
    assert [release[name] for name in ("name", "title", "release_notes", "commit")] == [
        "1.2.3",
        "The third",
        "some\nnotes",
        HASH,
    ]


def test_the_default_name_is_the_title_cut_to_thirty_characters(client: Client, bearer: dict[str, str]) -> None:
    released(client, "Alice/mymod", bearer, zipped(MOD), title="A release with a name that goes on and on")
    assert list_releases(client)[0]["name"] == "A release with a name that goe"


@both_worlds
def test_release_ids_are_global_and_increase(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/other")
    content = zipped({**MOD, "mod.conf": "name = other"})
    assert released(client, "Alice/mymod", bearer, zipped(MOD)) == 1
    assert released(client, "Alice/other", bearer, content) == 2
    assert released(client, "Alice/mymod", bearer, zipped(MOD)) == 3


@pytest.mark.parametrize(
    ("form", "files", "error"),
    [
        ({}, {"file": ("m.zip", b"PK")}, "name is required in the POST data"),
        ({"title": " "}, {"file": ("m.zip", b"PK")}, "name is required in the POST data"),
        ({"title": "x"}, {}, "Unknown release-creation method. Specify the method or provide a file."),
        ({"title": "x"}, {"zip": ("m.zip", b"PK")}, "Missing 'file' in multipart body"),
        ({"title": "x", "file": "no file"}, {}, "Expected file"),
        ({"title": "x"}, {"file": ("m.zip", b"")}, "Expected file"),
        ({"title": "x"}, {"file": ("m.rar", b"PK")}, "Please upload a zip file"),
        (
            {"title": "x", "commit": "123"},
            {"file": ("m.zip", b"PK")},
            "Invalid commit hash; it must be a 40 character long base16 string",
        ),
        ({"name": "n" * 31}, {"file": ("m.zip", b"PK")}, "name must be at most 30 characters long"),
        ({"title": "t" * 101}, {"file": ("m.zip", b"PK")}, "title must be at most 100 characters long"),
        ({"title": "x", "method": "git", "ref": "r" * 256}, {}, "ref must be at most 255 characters long"),
        ({"title": "x", "method": "git"}, {}, "The package has no repository: set its repo first"),
    ],
)
def test_each_missing_or_invalid_field_has_its_own_error(
    client: Client, bearer: dict[str, str], form: Mapping[str, str], files: Any, error: str
) -> None:
    reply = client.post(NEW, headers=bearer, form=form, files=files)
    assert (reply.status, reply.json) == (400, refusal(error))
    assert (list_releases(client), pending_checks()) == ([], [])


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null", b"3"])
def test_json_that_is_not_an_object_is_rejected(client: Client, bearer: dict[str, str], body: bytes) -> None:
    reply = client.post(NEW, headers={**bearer, "Content-Type": "application/json"}, body=body)
    assert (reply.status, reply.json["success"]) == (400, False)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_fields_of_a_wrong_type_are_rejected(client: Client, bearer: dict[str, str], content_type: str) -> None:
    headers = {**bearer, "Content-Type": content_type}
    reply = client.post(NEW, headers=headers, body=b'{"title": ["x"], "method": "git"}')
    assert (reply.status, reply.json) == (400, refusal("title must be a str"))


@both_worlds
def test_a_zip_over_the_limit_is_rejected(client: Client, bearer: dict[str, str]) -> None:
    with settings.override(contentdb_max_upload=100):
        reply = upload(client, "Alice/mymod", bearer, zipped(MOD))
    assert (reply.status, reply.json) == (400, refusal("The zip file is larger than 100 bytes"))


def test_explicit_names_and_titles_are_unique(client: Client, bearer: dict[str, str]) -> None:
    def create(name: str, title: str) -> Reply:
        return upload(client, "Alice/mymod", bearer, zipped(MOD), name=name, title=title)

    assert create("1.0", "First").status == 200
    again = create("1.0", "Second")
    assert (again.status, again.json) == (403, refusal("A release with this name already exists"))
    again = create("2.0", "First")
    assert (again.status, again.json) == (403, refusal("A release with this title already exists"))
    assert len(list_releases(client)) == 1


def test_the_name_of_a_failed_or_deleted_release_can_be_reused(client: Client, bearer: dict[str, str]) -> None:
    def create(content: bytes) -> dict[str, Any]:
        reply = upload(client, "Alice/mymod", bearer, content, name="1.0", title="First")
        return {**checked(client, reply), "release": reply.json["release"]["id"]}

    assert create(b"no zip")["status"] == "FAILURE"
    made = create(zipped(MOD))
    assert made["status"] == "SUCCESS"
    client.request("DELETE", f"/api/packages/Alice/mymod/releases/{made['release']}/", headers=bearer)
    assert create(zipped(MOD))["status"] == "SUCCESS"


def test_a_setting_requires_names_to_be_versions(client: Client, bearer: dict[str, str]) -> None:
    with settings.override(contentdb_strict_names=True):
        reply = upload(client, "Alice/mymod", bearer, zipped(MOD), title="My Release")
        error = "Release name must be in the form 1.2.3, v1.2.3, or 2025-02-01"
        assert (reply.status, reply.json) == (403, refusal(error))
        for name in ("1.2.3", "v1.2", "2025-02-01"):
            assert upload(client, "Alice/mymod", bearer, zipped(MOD), title=name).status == 200


def test_a_package_can_have_five_new_releases_in_five_minutes(client: Client, bearer: dict[str, str]) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        for _ in range(5):
            assert upload(client, "Alice/mymod", bearer, b"PK").status == 200
        reply = upload(client, "Alice/mymod", bearer, b"PK")
        error = (
            "You've created too many releases for this package in the last 5 minutes, please wait before trying again"
        )
        assert (reply.status, reply.json, reply.header("Retry-After")) == (429, refusal(error), "300")
        clock.shift(301)
        assert upload(client, "Alice/mymod", bearer, b"PK").status == 200


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({}, 401, "Authentication needed"),
        ({"Authorization": "Basic abc"}, 403, "Unsupported authentication method"),
        ({"Authorization": "Bearer abc"}, 400, "API token is too short"),
        ({"Authorization": "Bearer abcdefghijkl"}, 403, "Unknown API token"),
    ],
)
def test_a_token_is_required(client: Client, headers: dict[str, str], status: int, error: str) -> None:
    reply = upload(client, "Alice/mymod", headers, zipped(MOD))
    assert (reply.status, reply.json["success"]) == (status, False)
    assert error in (reply.json.get("error"), reply.json.get("description"))
    assert list_releases(client) == []


def test_another_author_cannot_create_a_release(client: Client, bob: Account) -> None:
    reply = upload(client, "Alice/mymod", token(bob), zipped(MOD))
    assert (reply.status, reply.json) == (403, refusal("You do not have the permission to approve releases"))


def test_an_approver_cannot_create_a_release(client: Client) -> None:
    reply = upload(client, "Alice/mymod", token(member("approver", "APPROVER")), zipped(MOD))
    assert (reply.status, reply.json) == (403, refusal("API token does not have access to the package"))


def test_a_maintainer_can_create_a_release(client: Client, bob: Account) -> None:
    change("Alice/mymod", maintainers=["bob"])
    assert released(client, "Alice/mymod", token(bob), zipped(MOD)) == 1


def test_a_token_for_another_package_has_no_access(client: Client, alice: Account) -> None:
    reply = upload(client, "Alice/mymod", token(alice, scope="package:Alice/other"), zipped(MOD))
    assert (reply.status, reply.json) == (403, refusal("API token does not have access to the package"))
    assert upload(client, "Alice/mymod", token(alice, scope="package:Alice/mymod"), zipped(MOD)).status == 200


def test_the_package_is_checked_before_the_token(client: Client) -> None:
    assert upload(client, "Alice/nothing", {"Authorization": "Bearer abcdefghijkl"}, b"PK").status == 404


@pytest.mark.parametrize("number", ["99", "999999999999999999"])
def test_the_release_is_checked_before_the_token(client: Client, number: str) -> None:
    for method in ("GET", "DELETE"):
        reply = client.request(method, f"/api/packages/Alice/mymod/releases/{number}/")
        assert (reply.status, reply.json) == (404, refusal("Release not found"))


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "٣"])
def test_a_release_id_that_is_not_a_number_is_404(client: Client, number: str) -> None:
    from urllib.parse import quote

    reply = client.get(f"/api/packages/Alice/mymod/releases/{quote(number)}/")
    assert (reply.status, reply.json["success"]) == (404, False)


def test_authors_cannot_delete_the_newest_release_of_an_approved_package(
    client: Client, bearer: dict[str, str]
) -> None:
    first = released(client, "Alice/mymod", bearer, zipped(MOD))
    second = released(client, "Alice/mymod", bearer, zipped(MOD))
    change("Alice/mymod", state="APPROVED")
    path = "/api/packages/Alice/mymod/releases"
    reply = client.request("DELETE", f"{path}/{second}/", headers=bearer)
    error = "Unable to delete the release, make sure there's a newer release available"
    assert (reply.status, reply.json) == (403, refusal(error))
    assert client.request("DELETE", f"{path}/{first}/", headers=bearer).status == 200
    assert client.request("DELETE", f"{path}/{second}/", headers=token(member("root", "ADMIN"))).status == 200
    assert list_releases(client) == []


def test_another_author_cannot_delete_a_release(client: Client, bearer: dict[str, str], bob: Account) -> None:
    number = released(client, "Alice/mymod", bearer, zipped(MOD))
    reply = client.request("DELETE", f"/api/packages/Alice/mymod/releases/{number}/", headers=token(bob))
    assert (reply.status, len(list_releases(client))) == (403, 1)


@both_worlds
def test_the_file_of_a_deleted_release_is_deleted(client: Client, bearer: dict[str, str]) -> None:
    released(client, "Alice/mymod", bearer, zipped(MOD))
    (release,) = list_releases(client)
    client.request("DELETE", "/api/packages/Alice/mymod/releases/1/", headers=bearer)
    assert client.get(release["url"]).status == 404


def test_an_unknown_task_is_pending_as_upstream(client: Client) -> None:
    assert client.get("/tasks/none/").json == {"id": "none", "status": "PENDING", "result": None}
    assert client.get(f"/tasks/{'x' * 100}/").status == 200
    assert client.get(f"/tasks/{'x' * 101}/").status == 404


def test_a_name_and_a_title_can_have_their_maximum_length(client: Client, bearer: dict[str, str]) -> None:
    form = {"name": "n" * 30, "title": "t" * 100, "release_notes": "x" * 10_000}
    release = client.post(NEW, headers=bearer, form=form, files={"file": ("m.zip", zipped(MOD))}).json["release"]
    assert {name: release[name] for name in form} == form


def test_creation_and_deletion_are_in_the_audit_log(client: Client, bearer: dict[str, str], alice: Account) -> None:
    from chalicelib.core import audit

    released(client, "Alice/mymod", bearer, zipped(MOD))
    client.request("DELETE", "/api/packages/Alice/mymod/releases/1/", headers=bearer)
    actions = [entry.action for entry in audit.entries(int(alice.id))]
    assert actions[:2] == ["release.delete", "release.create"]
    assert accounts.get(int(alice.id)).username == "Alice"
    assert jobs.dead() == []
