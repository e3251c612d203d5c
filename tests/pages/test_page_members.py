"""The forms of administrators and moderators."""

import re

import pytest

from chalicelib.core import invitations, two_factor
from chalicelib.core.tables import Account
from tests import people
from tests.pages.window import PASSWORD, BrowserWindow, fresh


@pytest.mark.parametrize("path", ["/people", "/people/alice", "/invitations"])
def test_a_member_cannot_open_the_pages_of_administrators(alices: BrowserWindow, path: str) -> None:
    assert "This is for administrators." in alices.open(f"/account{path}", 403)
    assert "/account/people" not in alices.open("/account")


def test_a_moderator_sees_accounts_but_no_e_mail_addresses(window: BrowserWindow, alice: Account) -> None:
    window.enter(people.register("Mod", "mod@example.org", PASSWORD, rank="MODERATOR"))
    text = window.open("/account/people")
    assert "Alice" in text
    assert "alice@example.org" not in text
    assert "/account/invitations" not in text
    window.open("/account/invitations", 403)


def test_an_administrator_sets_ranks_suspends_and_restores(admins: BrowserWindow, alice: Account) -> None:
    admins.open("/account/people")
    admins.submit("find", username="ALICE")
    assert admins.path == "/account/people/Alice"
    admins.submit("change", rank="TRUSTED_MEMBER")
    assert fresh(alice).rank == "TRUSTED_MEMBER"
    assert "Restore" in admins.submit("change", at=1)
    assert fresh(alice).suspended is True
    admins.submit("change", at=1)
    assert fresh(alice).suspended is False
    admins.submit("change", at=2)
    assert fresh(alice).luadns_enabled is True
    assert "There is no account nobody." in admins.open("/account/people/nobody", 404)


def test_administrators_cannot_demote_themselves(admins: BrowserWindow) -> None:
    admins.open("/account/people/Root")
    text = admins.submit("change", 409, rank="MEMBER")
    assert "An administrator cannot do this to their own account: ask another one." in text


def test_an_administrator_resets_a_lost_second_factor(admins: BrowserWindow, alice: Account) -> None:
    two_factor.enable(alice)
    admins.open("/account/people/Alice")
    assert "Their two-factor is off" in admins.submit("reset-two-factor")
    assert fresh(alice).two_factor is None
    assert "They are logged out everywhere." in admins.submit("end-sessions")


def test_an_invitation_is_shown_once_and_revoked(admins: BrowserWindow) -> None:
    admins.open("/account/invitations")
    text = admins.submit("create", comment="A friend", rank="MEMBER", expires_in_days="3")
    found = re.search(r'id="invitation">([A-Za-z0-9]{40})<', text)
    assert found is not None
    invitations.find(found[1])
    text = admins.open("/account/invitations")
    assert found[1] not in text
    assert "A friend" in text
    assert "The invitation is revoked." in admins.submit("revoke")
    with pytest.raises(invitations.NoInvitation):
        invitations.find(found[1])
