"""Invitations: administrators create, list and revoke them."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from chalicelib.core import audit
from chalicelib.core.identity import accounts, invitations
from chalicelib.core.tables import Account
from tests.account.person import Person, nothing_stored, refused
from tests.worlds import embedded_only

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_invitation_is_shown_once_and_listed_without_its_secret(visitor: Person, root: Person) -> None:
    with time_machine.travel(MOMENT, tick=False):
        request = {
            "rank": "APPROVER",
            "email": "carol@example.org",
            "expires_in_days": 2,
            "comment": "for <b>Carol</b>",
        }
        reply = root.post("/invitations", request)
        row = {
            "id": 1,
            "rank": "APPROVER",
            "email": "carol@example.org",
            "comment": "for <b>Carol</b>",
            "created_at": "2026-03-01T12:00:00Z",
            "expires_at": "2026-03-03T12:00:00Z",
            "state": "open",
            "used_by": None,
            "mailed": False,
        }
        secret = reply.json["invitation"]
        assert (reply.status, reply.json) == (201, {**row, "invitation": secret})
        assert root.get("/invitations").json == {"invitations": [row], "next": None}
        new = {"username": "carol", "email": "carol@example.org", "password": "looking glass", "invitation": secret}
        assert visitor.post("/register", new).status == 201
        assert root.get("/invitations").json["invitations"] == [{**row, "state": "used", "used_by": "carol"}]
    assert accounts.named("carol").rank == "APPROVER"
    assert "invitation.create" in {entry.action for entry in audit.entries(int(accounts.named("Root").id))}


def test_an_invitation_is_for_a_member_and_a_week_by_default(root: Person) -> None:
    with time_machine.travel(MOMENT, tick=False):
        made = root.post("/invitations", {}).json
    assert (made["rank"], made["email"], made["expires_at"]) == ("MEMBER", None, "2026-03-08T12:00:00Z")


def test_a_revoked_invitation_cannot_be_revoked_again(visitor: Person, root: Person) -> None:
    made = root.post("/invitations", {}).json
    assert root.delete(f"/invitations/{made['id']}").status == 204
    assert root.get("/invitations").json["invitations"][0]["state"] == "revoked"
    refused(root.delete(f"/invitations/{made['id']}"), 409, "This invitation has been used or revoked already.")
    refused(root.delete("/invitations/99"), 404, "There is no invitation 99.")
    refused(root.delete("/invitations/x"), 404, "There is nothing with this id.")
    entry = next(audit.entries(int(accounts.named("Root").id)))
    assert (entry.action, entry.subject) == ("invitation.revoke", "invitation#1")


def test_an_expired_invitation_is_marked(root: Person) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        invitations.create()
        clock.shift(7 * 86_400)
        assert root.get("/invitations").json["invitations"][0]["state"] == "expired"


@embedded_only
@pytest.mark.parametrize(
    ("data", "message", "field"),
    [
        ({"rank": "KING"}, f"rank must be one of: {', '.join(accounts.ranks())}.", "rank"),
        ({"email": "<b>"}, "This is not an e-mail address.", "email"),
        ({"expires_in_days": 0}, "expires_in_days must be from 1 to 365.", "expires_in_days"),
        ({"expires_in_days": 366}, "expires_in_days must be from 1 to 365.", "expires_in_days"),
        ({"comment": "x" * 256}, "A comment has at most 255 characters.", "comment"),
        ({"comment": "a\nb"}, "A comment has no control characters.", "comment"),
        ({"username": "carol"},
         "There is no field 'username' here; there are: rank, email, expires_in_days, comment, mail.", None),
    ],
)  # fmt: skip
def test_an_invalid_invitation_is_an_error(root: Person, data: dict[str, Any], message: str, field: str | None) -> None:
    with nothing_stored():
        refused(root.post("/invitations", data), 400, message, field)


@embedded_only
def test_the_list_of_invitations_is_paged(root: Person, alice: Account) -> None:
    for _ in range(3):
        invitations.create()
    first = root.get("/invitations", query={"limit": "2"}).json
    assert ([made["id"] for made in first["invitations"]], first["next"]) == ([1, 2], 2)
    last = root.get("/invitations", query={"limit": "2", "after": "2"}).json
    assert ([made["id"] for made in last["invitations"]], last["next"]) == ([3], None)
