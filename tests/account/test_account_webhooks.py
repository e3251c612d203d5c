"""Webhooks in the account API: one's own, and those of the server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from standardwebhooks import Webhook as Verifier

from chalicelib import settings
from chalicelib.core import audit, job_runner
from chalicelib.core.tables import Account
from tests.account.person import LogIn, Person, nothing_stored, refused
from tests.luarocks.builders import rockspec
from tests.web_server import response, web_server
from tests.worlds import both_worlds

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://example.org/hook"


@pytest.fixture(autouse=True)
def _loopback() -> Iterator[None]:
    with settings.override(outbound_networks=("127.0.0.1/32",)):
        yield


def run_jobs() -> None:
    while job_runner.run_due():
        pass


def row(**values: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "url": URL,
        "description": "",
        "services": [],
        "kinds": [],
        "names": [],
        "actions": [],
        "enabled": True,
        "disabled_because": None,
        "failing_since": None,
        "created_at": "2026-03-01T12:00:00Z",
        **values,
    }


@pytest.mark.parametrize("path", ["/webhooks", "/server-webhooks"])
@both_worlds
def test_a_webhook_is_created_listed_changed_and_deleted(root: Person, path: str) -> None:
    with time_machine.travel(MOMENT, tick=False):
        made = root.post(path, {"url": URL, "services": ["luarocks"], "names": ["say*"]})
        secret = made.json["secret"]
        first = row(services=["luarocks"], names=["say*"])
        assert (made.status, made.json) == (201, {**first, "secret": secret})
        assert secret.startswith("whsec_")
        assert root.get(path).json == {"webhooks": [first]}
        changed = root.patch(f"{path}/1", {"url": f"{URL}/2", "description": "CI", "names": [], "enabled": False})
        second = row(
            url=f"{URL}/2", description="CI", services=["luarocks"], enabled=False, disabled_because="owner"
        )  # fmt: skip
        assert (changed.status, changed.json) == (200, {**second, "secret": None})
        renewed = root.patch(f"{path}/1", {"enabled": True, "new_secret": True}).json
        assert (renewed["enabled"], renewed["secret"] not in (None, secret)) == (True, True)
        assert root.delete(f"{path}/1").status == 204
        assert root.get(path).json == {"webhooks": []}
        for reply in (root.patch(f"{path}/1", {}), root.delete(f"{path}/1"), root.post(f"{path}/1")):
            refused(reply, 404, "There is no such webhook.")


@both_worlds
def test_an_upload_is_announced_and_the_delivery_is_listed(alice_client: Person, key: str) -> None:
    with web_server(lambda *_: response("202 Accepted", b"ok")) as server:
        secret = alice_client.post("/webhooks", {"url": server.url, "services": ["luarocks"]}).json["secret"]
        sent = {"rockspec_file": ("x.rockspec", rockspec())}
        assert alice_client.client.post(f"/api/1/{key}/upload", files=sent).status == 200
        run_jobs()
    types = [Verifier(secret).verify(request.body, request.headers)["type"] for request in server.received]
    assert "luarocks.version.publish" in types
    newest = alice_client.get("/webhooks/1/deliveries", query="limit=1").json
    (delivery,) = newest["deliveries"]
    (attempt,) = delivery["attempts"]
    assert (delivery["state"], attempt["status"], attempt["error"], attempt["answer"]) == ("sent", 202, None, "ok")
    assert delivery["message"]["data"]["actor"] == "Alice"
    assert {"credential", "address", "accounts"} & delivery["message"]["data"].keys() == set()
    if newest["next"]:
        older = alice_client.get("/webhooks/1/deliveries", query=f"before={newest['next']}").json
        assert delivery["id"] not in [each["id"] for each in older["deliveries"]]


@pytest.mark.parametrize("path", ["/webhooks", "/server-webhooks"])
@both_worlds
def test_a_test_message_is_sent_and_sent_again(root: Person, path: str) -> None:
    with web_server(lambda *_: response()) as server:
        root.post(path, {"url": server.url, "description": "CI"})
        made = root.post(f"{path}/1")
        assert (made.status, made.json["state"], made.json["attempts"]) == (202, "pending", [])
        assert made.json["message"]["data"] == {"webhook": 1, "description": "CI"}
        run_jobs()
        again = root.post(f"{path}/1/deliveries", {"delivery": made.json["id"]})
        assert (again.status, again.json["state"]) == (202, "pending")
        run_jobs()
        (listed,) = root.get(f"{path}/1/deliveries").json["deliveries"]
    assert [attempt["status"] for attempt in listed["attempts"]] == [200, 200]
    assert [request.headers["webhook-id"] for request in server.received] == [f"msg_1_{listed['id']}"] * 2
    refused(root.post(f"{path}/1/deliveries", {"delivery": "x"}), 404, "There is no such delivery.")


def test_a_disabled_webhook_sends_nothing(alice_client: Person) -> None:
    alice_client.post("/webhooks", {"url": URL})
    alice_client.patch("/webhooks/1", {"enabled": False})
    message = "The webhook is disabled: enable it first."
    refused(alice_client.post("/webhooks/1"), 409, message)


def test_webhooks_of_others_do_not_exist(alice_client: Person, logged_in: LogIn, bob: Account) -> None:
    alice_client.post("/webhooks", {"url": URL})
    other = logged_in(bob)
    assert other.get("/webhooks").json == {"webhooks": []}
    for reply in (
        other.patch("/webhooks/1", {"url": URL}),
        other.delete("/webhooks/1"),
        other.post("/webhooks/1"),
        other.get("/webhooks/1/deliveries"),
        other.post("/webhooks/1/deliveries", {"delivery": "x"}),
    ):
        refused(reply, 404, "There is no such webhook.")


def test_only_administrators_have_webhooks_of_the_server(alice_client: Person) -> None:
    with nothing_stored():
        reply = alice_client.post("/server-webhooks", {"url": URL})
    refused(reply, 403, "This is for administrators.")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://example.org"}, "url"),
        ({"url": URL, "names": "say"}, "names"),
        ({"url": URL, "names": [1]}, "names"),
        ({"url": URL, "names": [["x"]]}, "names"),
        ({"url": URL, "kinds": ["x"] * 51}, "kinds"),
        ({"url": URL, "description": "x" * 256}, "description"),
    ],
)
def test_an_invalid_webhook_is_refused(alice_client: Person, body: dict[str, Any], field: str) -> None:
    with nothing_stored():
        reply = alice_client.post("/webhooks", body)
    assert (reply.status, reply.json["field"]) == (400, field)


@pytest.mark.parametrize("value", ["", "x", "a" * 3000, "\U0001f600", "20260301T120000-1x"])
def test_unknown_deliveries_and_cursors_are_refused(alice_client: Person, value: str) -> None:
    alice_client.post("/webhooks", {"url": URL})
    refused(alice_client.post("/webhooks/1/deliveries", {"delivery": value}), 404, "There is no such delivery.")
    listed = alice_client.get("/webhooks/1/deliveries", query={"before": value})
    refused(listed, 400, "before is not a cursor of this list.", "before")


def test_each_change_is_in_the_activity_log(alice_client: Person, alice: Account) -> None:
    alice_client.post("/webhooks", {"url": URL})
    alice_client.patch("/webhooks/1", {"description": "x"})
    alice_client.delete("/webhooks/1")
    entries = [(entry.action, entry.subject) for entry in audit.entries(int(alice.id))][:3]
    assert entries == [(f"webhook.{action}", "webhook#1") for action in ("delete", "change", "create")]
