"""The forms of administrators and moderators."""

import re

import pytest

from chalicelib.core.identity import invitations, two_factor
from chalicelib.core.tables import Account
from tests import people
from tests.pages.window import PASSWORD, BrowserWindow, fresh


@pytest.mark.parametrize("path", ["/people", "/people/alice", "/invitations"])
def test_a_member_cannot_open_the_pages_of_administrators(alice_window: BrowserWindow, path: str) -> None:
    assert "This is for administrators." in alice_window.open(f"/account{path}", 403)
    assert "/account/people" not in alice_window.open("/account")


def test_a_moderator_sees_accounts_but_no_e_mail_addresses(window: BrowserWindow, alice: Account) -> None:
    window.enter(people.register("Mod", "mod@example.org", PASSWORD, rank="MODERATOR"))
    text = window.open("/account/people")
    assert "Alice" in text
    assert "alice@example.org" not in text
    assert "/account/invitations" not in text
    window.open("/account/invitations", 403)


def test_an_administrator_sets_ranks_suspends_and_restores(admin_window: BrowserWindow, alice: Account) -> None:
    admin_window.open("/account/people")
    admin_window.submit("find", username="ALICE")
    assert admin_window.path == "/account/people/Alice"
    admin_window.submit("change", rank="TRUSTED_MEMBER")
    assert fresh(alice).rank == "TRUSTED_MEMBER"
    assert "Restore" in admin_window.submit("suspend")
    assert fresh(alice).suspended is True
    admin_window.submit("suspend")
    assert fresh(alice).suspended is False
    admin_window.submit("luadns")
    assert fresh(alice).luadns_enabled is True
    assert "There is no account unknown." in admin_window.open("/account/people/unknown", 404)


def test_administrators_cannot_demote_themselves(admin_window: BrowserWindow) -> None:
    admin_window.open("/account/people/Root")
    text = admin_window.submit("change", 409, rank="MEMBER")
    assert "An administrator cannot do this to their own account: ask another one." in text


def test_an_administrator_resets_a_lost_second_factor(admin_window: BrowserWindow, alice: Account) -> None:
    two_factor.enable(alice)
    admin_window.open("/account/people/Alice")
    assert "Two-factor is off for this account" in admin_window.submit("reset-two-factor")
    assert fresh(alice).two_factor is None
    assert "The account is logged out everywhere." in admin_window.submit("end-sessions")


def test_an_invitation_is_shown_once_and_revoked(admin_window: BrowserWindow) -> None:
    admin_window.open("/account/invitations")
    text = admin_window.submit("create", comment="A friend", rank="MEMBER", expires_in_days="3")
    found = re.search(r'id="invitation">([A-Za-z0-9]{40})<', text)
    assert found is not None
    invitations.find(found[1])
    text = admin_window.open("/account/invitations")
    assert found[1] not in text
    assert "A friend" in text
    assert "The invitation is revoked." in admin_window.submit("revoke")
    with pytest.raises(invitations.NoInvitation):
        invitations.find(found[1])
