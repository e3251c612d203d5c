"""Immutable packages: published versions stay as they are; and archiving by an owner."""

from typing import Any

import pytest

from chalicelib import settings
from chalicelib.core import audit
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.hel.builders import Create, list_packages, package, refusal
from tests.worlds import both_worlds

FILES = {"http://example.com/file1": {"path": "/usr/bin/program.lua"}}
NEW = {"files": FILES, "depends": {}, "changes": "New"}
CHANGED = "thing 1.0.0 is published already, and its {} cannot be changed: publish a new version."
KEPT = "{} is published for good and cannot be deleted: archive it instead."


@pytest.fixture
def patch(client: Client, create: Create, key: dict[str, str]) -> Any:
    """Sends a PATCH of Alice's package thing as Alice."""
    create(package(owners=["alice"]))

    def send(changes: dict[str, Any], headers: dict[str, str] = key) -> Reply:
        return client.request("PATCH", "/packages/thing", headers=headers, json=changes)

    return send


def version(**changes: Any) -> dict[str, Any]:
    return {"versions": {"1.0.0": changes}}


@pytest.fixture(params=["by the setting", "by its owner"])
def immutable(request: pytest.FixtureRequest, patch: Any) -> Any:
    """The package is immutable."""
    if request.param == "by its owner":
        assert patch({"immutable": True}).status == 204
        yield
    else:
        with settings.override(immutable=("hel",)):
            yield


@both_worlds
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (version(files={"http://example.com/file1": {"path": "/x"}}), CHANGED.format("files")),
        (version(files={"http://example.com/file1": {"sha256": "0" * 64}}), CHANGED.format("files")),
        (version(files={"http://example.com/file1": None}), CHANGED.format("files")),
        (version(files={"http://example.com/new": {"path": "/x"}}), CHANGED.format("files")),
        (version(depends={"dependency-1": None}), CHANGED.format("depends")),
        (version(depends={"other": {"type": "optional", "version": "*"}}), CHANGED.format("depends")),
        ({"versions": {"1": None}}, KEPT.format("thing 1.0.0")),
        ({"name": "other"}, KEPT.format("The name thing")),
    ],
)
def test_a_published_version_stays_as_it_is(
    client: Client, patch: Any, immutable: None, changes: dict[str, Any], message: str
) -> None:
    before = client.get("/packages/thing").json["data"]
    reply = patch(changes)
    assert (reply.status, reply.json) == (409, refusal(409, message, logged_in=True))
    assert {**client.get("/packages/thing").json["data"], "stats": None} == {**before, "stats": None}
    assert before["immutable"] is True


def test_versions_can_be_added_and_texts_changed(client: Client, patch: Any, immutable: None) -> None:
    changes = {"versions": {"1.0.0": {"changes": "First"}, "1.1.0": NEW}, "description": "Other", "tags": []}
    assert patch(changes).status == 204
    shown = client.get("/packages/thing").json["data"]
    assert (shown["description"], list(shown["versions"])) == ("Other", ["1.0.0", "1.1.0"])
    assert shown["versions"]["1.0.0"]["changes"] == "First"


def test_the_same_version_again_is_a_success(client: Client, patch: Any, immutable: None) -> None:
    assert patch(version(files=FILES, depends={}, changes="")).status == 204


def test_an_immutable_package_cannot_be_deleted_but_by_administrators(
    client: Client, immutable: None, key: dict[str, str], admin: dict[str, str]
) -> None:
    reply = client.request("DELETE", "/packages/thing", headers=key)
    assert (reply.status, reply.json) == (409, refusal(409, KEPT.format("thing"), logged_in=True))
    assert client.request("DELETE", "/packages/thing", headers=admin).status == 204


def test_the_choice_is_final_for_owners(client: Client, patch: Any, admin: dict[str, str]) -> None:
    assert "immutable" not in client.get("/packages/thing").json["data"]
    assert patch({"immutable": True}).status == 204
    reply = patch({"immutable": False})
    message = "Only an administrator can make an immutable package changeable again."
    assert (reply.status, reply.json) == (403, refusal(403, message, logged_in=True))
    assert patch({"immutable": False}, admin).status == 204
    assert patch({"versions": {"1": None}}).status == 204


def test_an_owner_archives_a_package_with_a_reason(client: Client, patch: Any, alice: Account) -> None:
    assert patch({"archived": True, "reason": "Replaced by drum."}).status == 204
    assert list_packages(client) == []
    shown = client.get("/packages/thing").json["data"]
    assert (shown["archived"], shown["reason"]) == (True, "Replaced by drum.")
    assert patch({"reason": None}).status == 204
    assert client.get("/packages/thing").json["data"]["reason"] is None
    assert patch({"archived": False}).status == 204
    assert list_packages(client) == ["thing"]
    assert "package.update" in [entry.action for entry in audit.entries(int(alice.id))]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"archived": "yes"}, 'Wrong value for param "archived" given: expected bool!'),
        ({"immutable": None}, 'Wrong value for param "immutable" given: expected bool!'),
        ({"archived": True, "reason": 5}, 'Wrong value for param "reason" given: expected str!'),
        ({"archived": True, "reason": "a\nb"}, "A reason is one line of at most 200 characters."),
        ({"reason": "Why"}, "Only an archived package has a reason."),
    ],
)
def test_an_invalid_state_is_rejected(client: Client, patch: Any, changes: dict[str, Any], message: str) -> None:
    reply = patch(changes)
    assert (reply.status, reply.json) == (400, refusal(400, message, logged_in=True))
    assert list_packages(client) == ["thing"]
