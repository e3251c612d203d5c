"""The second factor: codes good for one use, tokens good for one key, and guesses that run out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import time_machine

from chalicelib.core import accounts, audit, codes, credentials, two_factor
from chalicelib.core.caller import Caller
from chalicelib.core.errors import NotFound, SecondFactorRequired, TooMany, Unauthenticated
from chalicelib.core.tables import Account, Credential, TwoFactor
from chalicelib.core.two_factor import Enrolment, NotEnabled
from tests.worlds import both_worlds, embedded_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
MOMENT = datetime(2026, 3, 1, 12, 0, 15, tzinfo=UTC)  # in the middle of a time step, at the start of a window


def enrolled(name: str = "carol") -> tuple[Caller, Enrolment, str]:
    """An account with a second factor that uploads need: a caller with a key, the enrolment, and the key."""
    account = accounts.create(name, f"{name}@example.org")
    enrolment = two_factor.enable(account, required_for_uploads=True)
    key = credentials.create(account, "luarocks")[1]
    return credentials.identify(key, "luarocks"), enrolment, key


def again(key: str) -> Caller:
    """The same key in the next request."""
    return credentials.identify(key, "luarocks")


def code_at(enrolment: Enrolment, moment: datetime) -> str:
    return pyotp.TOTP(enrolment.secret).at(moment)


def wrong_code(enrolment: Enrolment, moment: datetime) -> str:
    near = {code_at(enrolment, moment + timedelta(seconds=30 * step)) for step in range(-4, 5)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in near)


def accepted(call: Callable[..., Any], *arguments: Any) -> bool:
    try:
        call(*arguments)
    except Unauthenticated:
        return False
    return True


def test_the_current_code_is_accepted() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        two_factor.verify(caller.account, code_at(enrolment, MOMENT))


@pytest.mark.parametrize("age", [30, 60])
def test_a_code_of_the_last_minute_is_accepted(age: int) -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        two_factor.verify(caller.account, code_at(enrolment, MOMENT - timedelta(seconds=age)))


@pytest.mark.parametrize("age", [90, 3600, -30, -60])
def test_an_older_code_and_one_of_the_future_are_refused(age: int) -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        with pytest.raises(Unauthenticated, match=r"^Invalid verification code$"):
            two_factor.verify(caller.account, code_at(enrolment, MOMENT - timedelta(seconds=age)))


@embedded_only
@pytest.mark.parametrize("code", ["", "0", "000000000", "\uff11\uff12\uff13\uff14\uff15\uff16", "a" * 100_000, "----"])
def test_what_is_no_code_is_refused(code: str) -> None:
    caller, _, _ = enrolled()
    with pytest.raises(Unauthenticated):
        two_factor.verify(caller.account, code)


def test_a_code_is_good_once() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        code = code_at(enrolment, MOMENT)
        assert [accepted(two_factor.verify, caller.account, code) for _ in range(3)] == [True, False, False]


def test_after_a_code_no_older_one_is_good() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        two_factor.verify(caller.account, code_at(enrolment, MOMENT))
        assert not accepted(two_factor.verify, caller.account, code_at(enrolment, MOMENT - timedelta(seconds=30)))


def test_after_an_older_code_the_current_one_is_still_good() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        two_factor.verify(caller.account, code_at(enrolment, MOMENT - timedelta(seconds=60)))
        two_factor.verify(caller.account, code_at(enrolment, MOMENT))


@embedded_only
def test_of_four_at_once_one_may_use_a_code() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        code = code_at(enrolment, MOMENT)
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(lambda _: accepted(two_factor.verify, caller.account, code), range(4)))
    assert outcomes.count(True) == 1


@embedded_only
def test_of_four_at_once_one_may_use_a_recovery_code() -> None:
    caller, enrolment, _ = enrolled()
    code = enrolment.recovery_codes[0]
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: accepted(two_factor.verify, caller.account, code), range(4)))
    assert outcomes.count(True) == 1


@embedded_only
def test_four_recovery_codes_at_once_are_all_good() -> None:
    caller, enrolment, _ = enrolled()
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(
            pool.map(lambda code: accepted(two_factor.verify, caller.account, code), enrolment.recovery_codes[2:6])
        )
    assert outcomes == [True] * 4
    item = TwoFactor.get(caller.account.pk, "two-factor", consistent_read=True)
    kept = [*enrolment.recovery_codes[:2], *enrolment.recovery_codes[6:]]
    assert item.recovery_hashes == [codes.hash_of(code) for code in kept]


def test_every_recovery_code_is_good_once() -> None:
    caller, enrolment, _ = enrolled()
    uses = [accepted(two_factor.verify, caller.account, code) for code in enrolment.recovery_codes for _ in range(2)]
    assert uses == [True, False] * 8


@embedded_only
def test_a_recovery_code_may_be_typed_in_capitals_with_spaces_around() -> None:
    caller, enrolment, _ = enrolled()
    two_factor.verify(caller.account, f" {enrolment.recovery_codes[3].upper()}\n")


@embedded_only
def test_recovery_codes_differ_and_fit_the_field_of_the_luarocks_client() -> None:
    _, enrolment, _ = enrolled()
    assert len(set(enrolment.recovery_codes)) == 8
    assert {len(code) for code in enrolment.recovery_codes} == {14}


@embedded_only
def test_the_uri_tells_an_authenticator_the_same_secret() -> None:
    _, enrolment, _ = enrolled()
    uri = urlsplit(enrolment.uri)
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Moonbase:carol")
    assert parse_qs(uri.query) == {"secret": [enrolment.secret], "issuer": ["Moonbase"]}


def test_after_five_failures_even_the_right_code_must_wait() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        wrong = wrong_code(enrolment, MOMENT)
        assert [accepted(two_factor.verify, caller.account, wrong) for _ in range(5)] == [False] * 5
        with pytest.raises(TooMany) as refusal:
            two_factor.verify(caller.account, code_at(enrolment, MOMENT))
    assert refusal.value.detail == {"retry_after": 300}


def test_after_the_wait_the_right_code_is_good() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        caller, enrolment, _ = enrolled()
        for _ in range(5):
            accepted(two_factor.verify, caller.account, wrong_code(enrolment, MOMENT))
        with pytest.raises(TooMany) as refusal:
            two_factor.verify(caller.account, "000000")
        clock.shift(refusal.value.detail["retry_after"])
        two_factor.verify(caller.account, code_at(enrolment, datetime.now(UTC)))


def test_no_five_minutes_whatever_hold_more_than_five_failures() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        caller, _, _ = enrolled()
        judged = []
        for _ in range(40):
            with pytest.raises((Unauthenticated, TooMany)) as refusal:
                two_factor.verify(caller.account, "wrong")
            if refusal.type is Unauthenticated:
                judged.append(datetime.now(UTC).timestamp())
            clock.shift(29)
    assert len(judged) == 20
    assert all(later - first >= 300 for first, later in zip(judged, judged[5:], strict=False))


@embedded_only
def test_failures_count_per_account_and_not_per_key() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        other_key = credentials.create(caller.account, "luarocks")[1]
        for each in (caller, again(other_key), caller, again(other_key), caller):
            accepted(two_factor.verify, each.account, wrong_code(enrolment, MOMENT))
        with pytest.raises(TooMany):
            two_factor.verify(again(other_key).account, code_at(enrolment, MOMENT))


@embedded_only
def test_one_accounts_failures_are_not_anothers() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        other, others, _ = enrolled("dave")
        for _ in range(6):
            with pytest.raises((Unauthenticated, TooMany)):
                two_factor.verify(caller.account, wrong_code(enrolment, MOMENT))
        two_factor.verify(other.account, code_at(others, MOMENT))


@embedded_only
def test_a_success_forgives_earlier_failures() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        wrong = wrong_code(enrolment, MOMENT)
        tries = [wrong, wrong, wrong, wrong, code_at(enrolment, MOMENT), wrong, wrong, wrong, wrong]
        outcomes = [accepted(two_factor.verify, caller.account, code) for code in tries]
    assert outcomes == [False, False, False, False, True, False, False, False, False]


@embedded_only
def test_guesses_in_parallel_gain_nothing() -> None:
    def guess(_: int) -> str:
        try:
            two_factor.verify(caller.account, wrong)
        except (Unauthenticated, TooMany) as refusal:
            return type(refusal).__name__
        return "accepted"

    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        wrong = wrong_code(enrolment, MOMENT)
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(guess, range(16)))
    assert sorted(outcomes) == ["TooMany"] * 11 + ["Unauthenticated"] * 5


def test_an_account_without_a_second_factor_has_nothing_to_verify(carol: Account) -> None:
    with pytest.raises(NotEnabled):
        two_factor.verify(carol, "000000")


@embedded_only
def test_a_code_of_an_earlier_enrolment_is_dead() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, key = enrolled()
        two_factor.enable(caller.account, required_for_uploads=True)
        for code in (code_at(enrolment, MOMENT), enrolment.recovery_codes[0]):
            assert not accepted(two_factor.verify, again(key).account, code)


@embedded_only
def test_a_code_that_was_read_before_a_new_enrolment_is_not_accepted_after_it() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        read_before = TwoFactor.get(caller.account.pk, "two-factor")
        two_factor.enable(caller.account, required_for_uploads=True)
        assert not two_factor._use_totp(read_before, code_at(enrolment, MOMENT))
        assert not two_factor._use_recovery(read_before, enrolment.recovery_codes[0])


@embedded_only
def test_a_recovery_code_is_good_though_another_was_used_since_it_was_looked_up() -> None:
    caller, enrolment, _ = enrolled()
    read_before = TwoFactor.get(caller.account.pk, "two-factor")
    two_factor.verify(caller.account, enrolment.recovery_codes[0])
    assert two_factor._use_recovery(read_before, enrolment.recovery_codes[5])
    assert not two_factor._use_recovery(read_before, enrolment.recovery_codes[0])


@embedded_only
def test_after_disabling_nothing_is_left_to_verify_or_read() -> None:
    caller, enrolment, key = enrolled()
    two_factor.disable(caller.account)
    assert TwoFactor.find(caller.account.pk, "two-factor") is None
    for account in (caller.account, again(key).account):
        with pytest.raises(NotEnabled):
            two_factor.verify(account, enrolment.recovery_codes[0])


def test_a_token_proves_the_second_factor() -> None:
    caller, _, key = enrolled()
    token, _ = two_factor.issue_token(caller)
    two_factor.require(again(key), token)


@embedded_only
def test_a_token_is_good_for_several_uploads() -> None:
    caller, _, key = enrolled()
    token, _ = two_factor.issue_token(caller)
    for _ in range(3):
        two_factor.require(again(key), token)


@embedded_only
@pytest.mark.parametrize("token", [None, "", "x" * 40, "\0"])
def test_without_a_token_the_second_factor_is_required(token: str | None) -> None:
    caller, _, _ = enrolled()
    with pytest.raises(SecondFactorRequired, match=r"^Two-factor authentication required$"):
        two_factor.require(caller, token)


@embedded_only
def test_the_key_itself_is_no_token() -> None:
    caller, _, key = enrolled()
    with pytest.raises(SecondFactorRequired):
        two_factor.require(caller, key)


@embedded_only
def test_a_token_is_no_key() -> None:
    caller, _, _ = enrolled()
    token, _ = two_factor.issue_token(caller)
    for service in (*credentials.services(), credentials.SESSION):
        with pytest.raises(Unauthenticated):
            credentials.check(token, service)


def test_a_token_is_good_for_the_key_only_that_it_was_issued_for() -> None:
    caller, _, _ = enrolled()
    token, _ = two_factor.issue_token(caller)
    other_key = credentials.create(caller.account, "luarocks")[1]
    with pytest.raises(SecondFactorRequired):
        two_factor.require(again(other_key), token)


@embedded_only
def test_a_token_is_good_for_its_account_only() -> None:
    caller, _, _ = enrolled()
    token, _ = two_factor.issue_token(caller)
    with pytest.raises(SecondFactorRequired):
        two_factor.require(enrolled("dave")[0], token)


@embedded_only
def test_a_token_dies_with_a_new_enrolment() -> None:
    caller, _, key = enrolled()
    token, _ = two_factor.issue_token(caller)
    two_factor.enable(caller.account, required_for_uploads=True)
    with pytest.raises(SecondFactorRequired):
        two_factor.require(again(key), token)


@embedded_only
def test_a_token_does_not_come_back_when_two_factor_is_turned_off_and_on() -> None:
    caller, _, key = enrolled()
    token, _ = two_factor.issue_token(caller)
    two_factor.disable(caller.account)
    two_factor.enable(caller.account, required_for_uploads=True)
    with pytest.raises(SecondFactorRequired):
        two_factor.require(again(key), token)


def test_a_token_ends_after_fifteen_minutes() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        caller, _, key = enrolled()
        token, ends = two_factor.issue_token(caller)
        assert ends == int(MOMENT.timestamp()) + 900
        clock.shift(899)
        two_factor.require(again(key), token)
        clock.shift(1)
        with pytest.raises(SecondFactorRequired):
            two_factor.require(again(key), token)


@embedded_only
def test_a_revoked_token_proves_nothing() -> None:
    caller, _, key = enrolled()
    token, _ = two_factor.issue_token(caller)
    credentials.revoke(credentials.check(token, credentials.SECOND_FACTOR))
    with pytest.raises(SecondFactorRequired):
        two_factor.require(again(key), token)


@embedded_only
def test_a_revoked_key_does_not_get_as_far_as_its_token() -> None:
    caller, _, key = enrolled()
    two_factor.issue_token(caller)
    credentials.revoke(caller.credential)
    with pytest.raises(credentials.Revoked):
        again(key)


@embedded_only
def test_no_token_is_asked_of_an_account_that_does_not_want_one_for_uploads(carol: Account) -> None:
    key = credentials.create(carol, "luarocks")[1]
    two_factor.require(again(key), None)
    two_factor.enable(carol, required_for_uploads=False)
    two_factor.require(again(key), None)


def test_a_required_token_costs_one_call_and_none_where_it_is_not_wanted(carol: Account, calls: list[str]) -> None:
    caller, _, key = enrolled("dave")
    token, _ = two_factor.issue_token(caller)
    plain = Caller(carol, credentials.create(carol, "luarocks")[0])
    caller = again(key)
    calls.clear()
    two_factor.require(plain, None)
    two_factor.require(caller, token)
    assert calls == ["UpdateItem"]


@pytest.mark.parametrize("recovery", [False, True])
def test_verifying_is_three_calls(calls: list[str], recovery: bool) -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        calls.clear()
        two_factor.verify(caller.account, enrolment.recovery_codes[0] if recovery else code_at(enrolment, MOMENT))
    assert [call for call in calls if call != "Decrypt"] == ["GetItem", "UpdateItem", "UpdateItem"]


def test_in_a_window_the_key_needs_no_token() -> None:
    caller, _, key = enrolled()
    two_factor.open_window(caller)
    two_factor.require(again(key), None)


def test_a_window_is_for_one_key() -> None:
    caller, _, _ = enrolled()
    two_factor.open_window(caller)
    with pytest.raises(SecondFactorRequired):
        two_factor.require(again(credentials.create(caller.account, "luarocks")[1]), None)


def test_a_window_closes_after_fifteen_minutes() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        caller, _, key = enrolled()
        assert two_factor.open_window(caller) == int(MOMENT.timestamp()) + 900
        clock.shift(899)
        two_factor.require(again(key), None)
        clock.shift(1)
        with pytest.raises(SecondFactorRequired):
            two_factor.require(again(key), None)


@embedded_only
def test_a_window_can_be_closed_before() -> None:
    caller, _, key = enrolled()
    two_factor.open_window(caller)
    two_factor.close_window(again(key))
    with pytest.raises(SecondFactorRequired):
        two_factor.require(again(key), None)


@embedded_only
def test_a_window_does_not_outlive_its_enrolment() -> None:
    caller, _, key = enrolled()
    two_factor.open_window(caller)
    two_factor.disable(caller.account)
    two_factor.enable(caller.account, required_for_uploads=True)
    with pytest.raises(SecondFactorRequired):
        two_factor.require(again(key), None)


@embedded_only
def test_a_revoked_key_gets_no_window() -> None:
    caller, _, _ = enrolled()
    credentials.revoke(Credential.get(caller.credential.pk, "credential"))
    with pytest.raises(NotFound):
        two_factor.open_window(caller)


@embedded_only
def test_windows_are_in_the_audit() -> None:
    caller, _, _ = enrolled()
    two_factor.open_window(caller)
    two_factor.close_window(caller)
    subject = f"credential#{int(caller.credential.id)}"
    assert [(entry.action, entry.subject, entry.credential_id) for entry in audit.entries(1)][:2] == [
        ("two-factor.close-window", subject, caller.credential.id),
        ("two-factor.open-window", subject, caller.credential.id),
    ]


@embedded_only
def test_turning_it_on_and_off_is_in_the_audit(carol: Account) -> None:
    two_factor.enable(carol, required_for_uploads=True)
    two_factor.disable(carol)
    assert [(entry.action, entry.subject, entry.detail) for entry in audit.entries(1)][:2] == [
        ("two-factor.disable", "account#1", None),
        ("two-factor.enable", "account#1", {"for_uploads": True}),
    ]
