"""Sessions are valid in the account's era in which they were created, and end with it."""

import pytest

from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import NotFound, TooMany, Unauthenticated
from chalicelib.core.identity import accounts, credentials, sessions, two_factor
from chalicelib.core.tables import Account, Credential
from tests.worlds import both_worlds

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
DEVICE = Device("203.0.113.7", "curl/8")


def begin(account: Account) -> tuple[Credential, str]:
    return sessions.open_session(accounts.get(int(account.id)), None, DEVICE)


def is_good(secret: str) -> bool:
    try:
        credentials.identify(secret, credentials.SESSION)
    except Unauthenticated:
        return False
    return True


def test_ending_all_sessions_keeps_the_given_session_and_keys(carol: Account) -> None:
    (kept, kept_secret), (_, other) = begin(carol), begin(carol)
    key = credentials.create(carol, "hel")[1]
    sessions.end_all(carol, keep=kept)
    assert (is_good(kept_secret), is_good(other)) == (True, False)
    assert credentials.identify(key, "hel")
    sessions.end_all(carol)
    assert not is_good(kept_secret)
    assert is_good(begin(carol)[1])


def test_ending_any_number_of_sessions_is_one_call(carol: Account, calls: list[str]) -> None:
    secrets = [begin(carol)[1] for _ in range(12)]
    calls.clear()
    sessions.end_all(carol)
    assert calls == ["TransactWriteItems"]
    assert not any(map(is_good, secrets))


def test_a_revoked_session_cannot_be_kept(carol: Account) -> None:
    kept, secret = begin(carol)
    credentials.revoke(kept)
    with pytest.raises(Unauthenticated):
        sessions.end_all(carol, keep=kept)
    with pytest.raises(credentials.Revoked):
        credentials.identify(secret, credentials.SESSION)


def test_live_sessions_are_listed(carol: Account) -> None:
    first, second, third = (begin(carol)[0] for _ in range(3))
    credentials.create(carol, "luarocks")
    credentials.revoke(first)
    assert [session.id for session in sessions.list_sessions(carol)] == [second.id, third.id]
    sessions.end_all(carol, keep=third)
    assert [session.id for session in sessions.list_sessions(accounts.get(1))] == [third.id]


def test_a_session_can_be_ended_by_its_owner_only(carol: Account, alice: Account) -> None:
    mine, theirs = begin(carol), begin(alice)
    caller = Caller(carol, mine[0])
    with pytest.raises(NotFound):
        sessions.end(caller, int(theirs[0].id))
    assert is_good(theirs[1])


@pytest.mark.parametrize("change", ["password", "enable", "disable", "recovery-codes"])
def test_a_change_of_password_or_second_factor_ends_other_sessions(carol: Account, change: str) -> None:
    if change in ("disable", "recovery-codes"):
        two_factor.enable(carol)
    fresh = accounts.get(1)
    kept, kept_secret = credentials.create(fresh, credentials.SESSION)
    _, other = credentials.create(fresh, credentials.SESSION)
    caller = Caller(fresh, kept)
    if change == "password":
        accounts.set_password(fresh, "looking glass", caller, keep=kept)
    elif change == "enable":
        two_factor.enable(fresh, by=caller)
    elif change == "disable":
        two_factor.disable(fresh, caller)
    else:
        two_factor.renew_recovery_codes(fresh, caller)
    assert (is_good(kept_secret), is_good(other)) == (True, False)


def test_a_change_at_the_command_line_ends_all_sessions(carol: Account) -> None:
    _, secret = begin(carol)
    two_factor.enable(carol)
    assert not is_good(secret)


def test_an_account_with_a_second_factor_needs_a_code(alice: Account) -> None:
    two_factor.enable(alice)
    for code in (None, "", "000000"):
        with pytest.raises(Unauthenticated):
            sessions.open_session(accounts.get(1), code, DEVICE)
    assert [credential.service for credential in credentials.list_credentials(alice)] == []


def test_a_familiar_network_is_an_ipv6_network(alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 1)
    home, neighbour = Device("2001:db8:1:2::3", ""), Device("2001:db8:1:2:ffff::4", "")
    sessions.open_session(sessions.prove_password("alice", "wonderland", home), None, home)
    stranger = Device("2001:db8:9::1", "")
    for _ in range(2):
        with pytest.raises((Unauthenticated, TooMany)):
            sessions.prove_password("alice", "x", stranger)
    assert sessions.prove_password("alice", "wonderland", neighbour).id == alice.id


def test_an_unknown_address_is_never_familiar(alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 1)
    unknown = Device("", "")
    sessions.open_session(sessions.prove_password("alice", "wonderland", unknown), None, unknown)
    with pytest.raises(Unauthenticated):
        sessions.prove_password("alice", "x", unknown)
    with pytest.raises(TooMany):
        sessions.prove_password("alice", "wonderland", unknown)
