"""Large files: a script sends the file to an upload slot, and then sends the slot's name instead of the file."""

from typing import Any

import pytest
import requests

from chalicelib import settings
from chalicelib.core import blobs
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import draft, refusal, token
from tests.contentdb.files import MOD, checked, fetched, picture, zipped
from tests.worlds import both_worlds, embedded_only

pytestmark = both_worlds

NEW = "/api/packages/Alice/mymod/releases/new/"


@pytest.fixture(autouse=True)
def _draft(alice: Account) -> None:
    draft("Alice/mymod")


def opened(client: Client, bearer: dict[str, str]) -> dict[str, Any]:
    reply = client.post("/api/uploads/new/", headers=bearer)
    assert reply.status == 200
    slot: dict[str, Any] = reply.json
    return slot


def send(client: Client, slot: dict[str, Any], content: bytes) -> int:
    """Send a file as a script does: with the same form to S3 or to this server; return the status."""
    if slot["url"] == f"http://moonbase.test/upload-slots?slot={slot['upload']}":
        query = {"slot": slot["upload"]}
        return client.post("/upload-slots", query=query, form=slot["fields"], files={"file": ("x.zip", content)}).status
    return requests.post(slot["url"], data=slot["fields"], files={"file": ("x.zip", content)}, timeout=10).status_code


def test_a_slot_contains_the_url_and_the_form(client: Client, bearer: dict[str, str]) -> None:
    slot = opened(client, bearer)
    assert set(slot) == {"success", "upload", "url", "fields", "max_size", "expires_at"}
    assert (slot["success"], slot["max_size"]) == (True, 100 * 1024 * 1024)


def test_a_release_can_be_created_from_a_slot(client: Client, bearer: dict[str, str]) -> None:
    slot, content = opened(client, bearer), zipped(MOD)
    assert send(client, slot, content) == 204
    reply = client.post(NEW, headers=bearer, form={"title": "Large", "upload": slot["upload"]})
    assert checked(client, reply)["status"] == "SUCCESS"
    assert fetched(client, "/packages/Alice/mymod/download/") == content
    assert blobs.size(f"slots/{slot['upload']}") is None


def test_a_json_body_can_name_a_slot(client: Client, bearer: dict[str, str]) -> None:
    slot = opened(client, bearer)
    send(client, slot, zipped(MOD))
    reply = client.post(NEW, headers=bearer, json={"title": "Large", "upload": slot["upload"]})
    assert checked(client, reply)["status"] == "SUCCESS"


def test_a_screenshot_can_be_created_from_a_slot(client: Client, bearer: dict[str, str]) -> None:
    slot = opened(client, bearer)
    send(client, slot, picture("JPEG"))
    form = {"title": "Large", "upload": slot["upload"]}
    reply = client.post("/api/packages/Alice/mymod/screenshots/new/", headers=bearer, form=form)
    assert (reply.status, reply.json["screenshot"]["url"][-4:]) == (200, ".jpg")
    assert blobs.size(f"slots/{slot['upload']}") is None


def test_a_slot_can_be_used_once(client: Client, bearer: dict[str, str]) -> None:
    slot = opened(client, bearer)
    send(client, slot, zipped(MOD))

    def use() -> Reply:
        return client.post(NEW, headers=bearer, form={"title": "Large", "upload": slot["upload"]})

    assert use().status == 200
    assert (use().status, use().json) == (
        404,
        refusal("There is no such upload slot, or it has expired or was used."),
    )
    assert len(client.get("/api/packages/Alice/mymod/releases/").json) == 1


def test_a_rejected_release_does_not_use_the_slot(client: Client, bearer: dict[str, str]) -> None:
    slot = opened(client, bearer)
    send(client, slot, zipped(MOD))
    wrong = client.post(NEW, headers=bearer, form={"title": "x", "commit": "1", "upload": slot["upload"]})
    assert wrong.status == 400
    assert client.post(NEW, headers=bearer, form={"title": "x", "upload": slot["upload"]}).status == 200


def test_an_empty_slot_is_rejected(client: Client, bearer: dict[str, str]) -> None:
    slot = opened(client, bearer)
    reply = client.post(NEW, headers=bearer, form={"title": "x", "upload": slot["upload"]})
    assert (reply.status, reply.json) == (400, refusal("The upload slot has no file yet."))


def test_a_slot_of_another_account_is_not_found(client: Client, bearer: dict[str, str], bob: Account) -> None:
    slot = opened(client, token(bob))
    send(client, slot, zipped(MOD))
    assert client.post(NEW, headers=bearer, form={"title": "x", "upload": slot["upload"]}).status == 404


def test_a_slot_requires_a_token_that_can_write(client: Client, alice: Account) -> None:
    assert client.post("/api/uploads/new/").status == 401
    assert client.post("/api/uploads/new/", headers=token(alice, scope="read")).status == 403


def test_the_error_of_a_large_request_explains_slots(client: Client, bearer: dict[str, str]) -> None:
    with settings.override(max_body=1000):
        files = {"file": ("x.zip", bytes(2000))}
        reply = client.post(NEW, headers=bearer, form={"title": "x"}, files=files)
    assert reply.status == 413
    assert reply.json["description"] == (
        "The request is larger than 1000 bytes. Larger files: ask for an upload slot with POST /api/uploads/new/, "
        "send the file there, and name the slot as upload in place of file."
    )


@embedded_only
@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({}, 400, "The query must contain the id of the upload slot: ?slot=ID."),
        ({"slot": "x"}, 404, "There is no such upload slot, or it has expired or was used."),
    ],
)
def test_a_file_without_a_valid_slot_is_rejected(client: Client, query: Any, status: int, message: str) -> None:
    reply = client.post("/upload-slots", query=query, files={"file": ("x", b"x")})
    assert (reply.status, reply.json) == (status, {"message": message})


def test_a_slot_without_a_file_stays_open(client: Client, bearer: dict[str, str]) -> None:
    slot = opened(client, bearer)
    reply = client.post("/upload-slots", query={"slot": slot["upload"]}, form={"note": "no file"})
    assert (reply.status, reply.json) == (400, {"message": "The form must contain the file in the field file."})
    assert send(client, slot, zipped(MOD)) == 204
