"""Rocks that are too large for a request are uploaded into an upload slot."""

import hashlib

import pytest

from chalicelib.core import blobs, uploads
from chalicelib.core.identity import credentials, two_factor
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rock, rockspec
from tests.worlds import both_worlds

pytestmark = both_worlds

NAME = "a-1.0-1.src.rock"


@pytest.fixture
def version(upload: Upload) -> int:
    return int(upload(rockspec("a")).json["version"]["id"])


def open_slot(client: Client, key: str) -> str:
    reply = client.post(f"/api/1/{key}/upload_slot")
    slot = reply.json
    assert reply.status == 200
    assert set(slot) == {"upload", "url", "fields", "max_size", "expires_at"}
    return str(slot["upload"])


def publish(client: Client, key: str, version: int, **form: str) -> Reply:
    return client.post(f"/api/1/{key}/upload_rock/{version}", form=form)


def test_a_rock_is_published_from_its_slot_once(client: Client, key: str, version: int) -> None:
    slot, content = open_slot(client, key), rock("a", "1.0-1")
    uploads.receive(slot, content)
    reply = publish(client, key, version, upload=slot, filename=NAME)
    assert (reply.status, reply.json["rock"]["sha256"]) == (200, hashlib.sha256(content).hexdigest())
    assert client.get(f"/{NAME}").body == content
    assert blobs.size(f"slots/{slot}") is None
    again = publish(client, key, version, upload=slot, filename=NAME)
    assert (again.status, again.json["errors"]) == (
        404,
        ["There is no such upload slot, or it has expired or was used."],
    )


def test_a_refused_rock_is_not_published_and_its_slot_can_be_used_again(client: Client, key: str, version: int) -> None:
    slot = open_slot(client, key)
    empty = publish(client, key, version, upload=slot, filename=NAME)
    assert (empty.status, empty.json["errors"]) == (400, ["The upload slot has no file yet."])
    uploads.receive(slot, rock("a", "1.0-1"))
    nameless = publish(client, key, version, upload=slot)
    assert (nameless.status, nameless.json["errors"]) == (400, ["Filename must be in format `a-VERSION.ARCH.rock`"])
    assert client.get(f"/{NAME}").status == 404
    assert publish(client, key, version, upload=slot, filename=NAME).status == 200


def test_a_slot_of_another_account_cannot_be_used(client: Client, bob: Account, key: str, version: int) -> None:
    _, other = credentials.create(bob, "luarocks")
    slot = open_slot(client, other)
    uploads.receive(slot, rock("a", "1.0-1"))
    assert publish(client, key, version, upload=slot, filename=NAME).status == 404


def test_opening_a_slot_requires_the_second_factor_if_uploads_do(client: Client, alice: Account, key: str) -> None:
    two_factor.enable(alice, required_for_uploads=True)
    assert client.post(f"/api/1/{key}/upload_slot").status == 403
