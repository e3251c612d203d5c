"""Sessions: good in the era in which they began, and ended with it at one stroke."""

import pytest

from chalicelib.core import accounts, credentials, sessions, two_factor
from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import NotFound, TooMany, Unauthenticated
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


def test_all_sessions_end_but_the_one_that_is_kept_and_keys_go_on(carol: Account) -> None:
    (kept, kept_secret), (_, other) = begin(carol), begin(carol)
    key = credentials.create(carol, "hel")[1]
    sessions.end_all(carol, keep=kept)
    assert (is_good(kept_secret), is_good(other)) == (True, False)
    assert credentials.identify(key, "hel")
    sessions.end_all(carol)
    assert not is_good(kept_secret)
    assert is_good(begin(carol)[1])


def test_ending_all_sessions_is_one_call_however_many_there_are(carol: Account, calls: list[str]) -> None:
    secrets = [begin(carol)[1] for _ in range(12)]
    calls.clear()
    sessions.end_all(carol)
    assert calls == ["TransactWriteItems"]
    assert not any(map(is_good, secrets))


def test_a_session_that_was_revoked_is_not_kept(carol: Account) -> None:
    kept, secret = begin(carol)
    credentials.revoke(kept)
    with pytest.raises(Unauthenticated):
        sessions.end_all(carol, keep=kept)
    with pytest.raises(credentials.Revoked):
        credentials.identify(secret, credentials.SESSION)


def test_listed_are_those_that_go_on(carol: Account) -> None:
    first, second, third = (begin(carol)[0] for _ in range(3))
    credentials.create(carol, "luarocks")
    credentials.revoke(first)
    assert [one.id for one in sessions.listed(carol)] == [second.id, third.id]
    sessions.end_all(carol, keep=third)
    assert [one.id for one in sessions.listed(accounts.get(1))] == [third.id]


def test_one_is_ended_by_its_owner_alone(carol: Account, alice: Account) -> None:
    mine, theirs = begin(carol), begin(alice)
    caller = Caller(carol, mine[0])
    with pytest.raises(NotFound):
        sessions.end(caller, int(theirs[0].id))
    assert is_good(theirs[1])


@pytest.mark.parametrize("change", ["password", "enable", "disable", "recovery-codes"])
def test_what_changes_how_to_log_in_ends_other_sessions(carol: Account, change: str) -> None:
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


def test_the_command_line_ends_all_of_them(carol: Account) -> None:
    _, secret = begin(carol)
    two_factor.enable(carol)
    assert not is_good(secret)


def test_with_a_second_factor_no_session_opens_without_a_code(alice: Account) -> None:
    two_factor.enable(alice)
    for code in (None, "", "000000"):
        with pytest.raises(Unauthenticated):
            sessions.open_session(accounts.get(1), code, DEVICE)
    assert [one.service for one in credentials.listed(alice)] == []


def test_where_from_is_remembered_for_an_ipv6_network(alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 1)
    home, neighbour = Device("2001:db8:1:2::3", ""), Device("2001:db8:1:2:ffff::4", "")
    sessions.open_session(sessions.prove_password("alice", "wonderland", home), None, home)
    stranger = Device("2001:db8:9::1", "")
    for _ in range(2):
        with pytest.raises((Unauthenticated, TooMany)):
            sessions.prove_password("alice", "x", stranger)
    assert sessions.prove_password("alice", "wonderland", neighbour).id == alice.id


def test_an_address_that_is_not_known_is_familiar_to_nobody(alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ATTEMPTS", 1)
    unknown = Device("", "")
    sessions.open_session(sessions.prove_password("alice", "wonderland", unknown), None, unknown)
    with pytest.raises(Unauthenticated):
        sessions.prove_password("alice", "x", unknown)
    with pytest.raises(TooMany):
        sessions.prove_password("alice", "wonderland", unknown)
