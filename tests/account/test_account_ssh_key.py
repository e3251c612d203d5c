"""The SSH key for private Git repositories, and the pinned host keys."""

from datetime import UTC, datetime

import time_machine

from chalicelib.core import audit
from chalicelib.core.outbound import ssh_keys
from chalicelib.core.tables import Account
from tests.account.person import Person
from tests.worlds import both_worlds

pytestmark = both_worlds

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
FINGERPRINT = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
NO_KEY = {"public_key": None, "fingerprint": None, "created_at": None, "hosts": []}


def test_a_key_is_made_and_its_public_half_is_shown(alice_client: Person) -> None:
    assert alice_client.get("/ssh-key").json == NO_KEY
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        reply = alice_client.post("/ssh-key")
    shown = reply.json
    assert (reply.status, shown["created_at"], shown["hosts"]) == (201, "2026-03-01T12:00:00Z", [])
    kind, _, comment = shown["public_key"].split(" ")
    assert (kind, comment, shown["fingerprint"][:7]) == ("ssh-ed25519", "moonbase", "SHA256:")
    assert alice_client.get("/ssh-key").json == shown
    assert alice_client.post("/ssh-key").json["public_key"] != shown["public_key"]
    assert alice_client.delete("/ssh-key").status == 204
    assert alice_client.get("/ssh-key").json == NO_KEY
    assert alice_client.delete("/ssh-key").status == 404


def test_pinned_host_keys_are_shown_and_removed(alice_client: Person, alice: Account) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        ssh_keys.pin(ssh_keys.of_account(int(alice.id)), {"github.com:22": HOST_KEY})
    assert alice_client.get("/ssh-key").json["hosts"] == [
        {
            "server": "github.com:22",
            "host_key": HOST_KEY,
            "fingerprint": FINGERPRINT,
            "first_seen_at": "2026-03-01T12:00:00Z",
        }
    ]
    assert alice_client.delete("/ssh-key/hosts/github.com:22").status == 204
    assert alice_client.get("/ssh-key").json["hosts"] == []
    assert alice_client.delete("/ssh-key/hosts/github.com:22").status == 404
    assert alice_client.delete(f"/ssh-key/hosts/{'x' * 2000}").status == 404


def test_each_change_is_in_the_activity_log(alice_client: Person, alice: Account) -> None:
    ssh_keys.pin(ssh_keys.of_account(int(alice.id)), {"github.com:22": HOST_KEY})
    alice_client.post("/ssh-key")
    alice_client.delete("/ssh-key/hosts/github.com:22")
    alice_client.delete("/ssh-key")
    entries = [(entry.action, entry.subject) for entry in audit.entries(int(alice.id))][:3]
    assert entries == [
        ("ssh-key.delete", "ssh-key"),
        ("ssh-host.delete", "github.com:22"),
        ("ssh-key.create", "ssh-key"),
    ]
