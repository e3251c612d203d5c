"""The second factor: single-use codes, tokens of one key, limited guesses, and upload windows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import time_machine

from chalicelib.core import audit
from chalicelib.core.caller import Caller
from chalicelib.core.errors import NotFound, SecondFactorRequired, TooMany, Unauthenticated
from chalicelib.core.identity import accounts, codes, credentials, two_factor, upload_factor
from chalicelib.core.identity.two_factor import Enrolment, NotEnabled
from chalicelib.core.tables import Account, Credential, TwoFactor
from tests.worlds import both_worlds, embedded_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
MOMENT = datetime(2026, 3, 1, 12, 0, 15, tzinfo=UTC)  # in the middle of a time step, at the start of a window


def enrolled(name: str = "carol") -> tuple[Caller, Enrolment, str]:
    """Create an account whose uploads need a second factor; return a caller with a key, the enrolment, and the key."""
    account = accounts.create(name, f"{name}@example.org")
    enrolment = two_factor.enable(account, required_for_uploads=True)
    key = credentials.create(account, "luarocks")[1]
    return credentials.identify(key, "luarocks"), enrolment, key


def again(key: str) -> Caller:
    """Return the caller of the next request with the same key."""
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
def test_older_and_future_codes_are_rejected(age: int) -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        with pytest.raises(Unauthenticated, match=r"^Invalid verification code$"):
            two_factor.verify(caller.account, code_at(enrolment, MOMENT - timedelta(seconds=age)))


@embedded_only
@pytest.mark.parametrize("code", ["", "0", "000000000", "\uff11\uff12\uff13\uff14\uff15\uff16", "a" * 100_000, "----"])
def test_a_malformed_code_is_rejected(code: str) -> None:
    caller, _, _ = enrolled()
    with pytest.raises(Unauthenticated):
        two_factor.verify(caller.account, code)


def test_a_code_can_be_used_once() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        code = code_at(enrolment, MOMENT)
        assert [accepted(two_factor.verify, caller.account, code) for _ in range(3)] == [True, False, False]


def test_a_code_older_than_a_used_one_is_rejected() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        two_factor.verify(caller.account, code_at(enrolment, MOMENT))
        assert not accepted(two_factor.verify, caller.account, code_at(enrolment, MOMENT - timedelta(seconds=30)))


def test_the_current_code_is_accepted_after_an_older_one() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        two_factor.verify(caller.account, code_at(enrolment, MOMENT - timedelta(seconds=60)))
        two_factor.verify(caller.account, code_at(enrolment, MOMENT))


@embedded_only
def test_only_one_of_four_concurrent_uses_of_a_code_succeeds() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        code = code_at(enrolment, MOMENT)
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(lambda _: accepted(two_factor.verify, caller.account, code), range(4)))
    assert outcomes.count(True) == 1


@embedded_only
def test_only_one_of_four_concurrent_uses_of_a_recovery_code_succeeds() -> None:
    caller, enrolment, _ = enrolled()
    code = enrolment.recovery_codes[0]
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: accepted(two_factor.verify, caller.account, code), range(4)))
    assert outcomes.count(True) == 1


@embedded_only
def test_four_recovery_codes_can_be_used_concurrently() -> None:
    caller, enrolment, _ = enrolled()
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(
            pool.map(lambda code: accepted(two_factor.verify, caller.account, code), enrolment.recovery_codes[2:6])
        )
    assert outcomes == [True] * 4
    item = TwoFactor.get(caller.account.pk, "two-factor", consistent_read=True)
    kept = [*enrolment.recovery_codes[:2], *enrolment.recovery_codes[6:]]
    assert item.recovery_hashes == [codes.hash_of(code) for code in kept]


def test_each_recovery_code_can_be_used_once() -> None:
    caller, enrolment, _ = enrolled()
    uses = [accepted(two_factor.verify, caller.account, code) for code in enrolment.recovery_codes for _ in range(2)]
    assert uses == [True, False] * 8


@embedded_only
def test_a_recovery_code_can_have_capitals_and_surrounding_spaces() -> None:
    caller, enrolment, _ = enrolled()
    two_factor.verify(caller.account, f" {enrolment.recovery_codes[3].upper()}\n")


@embedded_only
def test_recovery_codes_are_distinct_and_fit_the_field_of_the_luarocks_client() -> None:
    _, enrolment, _ = enrolled()
    assert len(set(enrolment.recovery_codes)) == 8
    assert {len(code) for code in enrolment.recovery_codes} == {14}


@embedded_only
def test_the_uri_contains_the_secret() -> None:
    _, enrolment, _ = enrolled()
    uri = urlsplit(enrolment.uri)
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Moonbase:carol")
    assert parse_qs(uri.query) == {"secret": [enrolment.secret], "issuer": ["Moonbase"]}


def test_after_five_failures_the_right_code_is_rejected_until_retry_after() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        wrong = wrong_code(enrolment, MOMENT)
        assert [accepted(two_factor.verify, caller.account, wrong) for _ in range(5)] == [False] * 5
        with pytest.raises(TooMany) as caught:
            two_factor.verify(caller.account, code_at(enrolment, MOMENT))
    assert caught.value.detail == {"retry_after": 300}


def test_the_right_code_is_accepted_after_the_wait() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        caller, enrolment, _ = enrolled()
        for _ in range(5):
            accepted(two_factor.verify, caller.account, wrong_code(enrolment, MOMENT))
        with pytest.raises(TooMany) as caught:
            two_factor.verify(caller.account, "000000")
        clock.shift(caught.value.detail["retry_after"])
        two_factor.verify(caller.account, code_at(enrolment, datetime.now(UTC)))


def test_any_five_minutes_contain_at_most_five_failures() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        caller, _, _ = enrolled()
        judged = []
        for _ in range(40):
            with pytest.raises((Unauthenticated, TooMany)) as caught:
                two_factor.verify(caller.account, "wrong")
            if caught.type is Unauthenticated:
                judged.append(datetime.now(UTC).timestamp())
            clock.shift(29)
    assert len(judged) == 20
    assert all(later - first >= 300 for first, later in zip(judged, judged[5:], strict=False))


@embedded_only
def test_failures_are_counted_per_account_not_per_key() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        other_key = credentials.create(caller.account, "luarocks")[1]
        for each in (caller, again(other_key), caller, again(other_key), caller):
            accepted(two_factor.verify, each.account, wrong_code(enrolment, MOMENT))
        with pytest.raises(TooMany):
            two_factor.verify(again(other_key).account, code_at(enrolment, MOMENT))


@embedded_only
def test_failures_of_one_account_do_not_affect_another() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        other, others, _ = enrolled("dave")
        for _ in range(6):
            with pytest.raises((Unauthenticated, TooMany)):
                two_factor.verify(caller.account, wrong_code(enrolment, MOMENT))
        two_factor.verify(other.account, code_at(others, MOMENT))


@embedded_only
def test_a_success_resets_the_count_of_failures() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        wrong = wrong_code(enrolment, MOMENT)
        tries = [wrong, wrong, wrong, wrong, code_at(enrolment, MOMENT), wrong, wrong, wrong, wrong]
        outcomes = [accepted(two_factor.verify, caller.account, code) for code in tries]
    assert outcomes == [False, False, False, False, True, False, False, False, False]


@embedded_only
def test_concurrent_guesses_do_not_exceed_the_limit() -> None:
    def guess(_: int) -> str:
        try:
            two_factor.verify(caller.account, wrong)
        except (Unauthenticated, TooMany) as caught:
            return type(caught).__name__
        return "accepted"

    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        wrong = wrong_code(enrolment, MOMENT)
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(guess, range(16)))
    assert sorted(outcomes) == ["TooMany"] * 11 + ["Unauthenticated"] * 5


def test_verifying_without_a_second_factor_is_an_error(carol: Account) -> None:
    with pytest.raises(NotEnabled):
        two_factor.verify(carol, "000000")


@embedded_only
def test_a_code_of_an_earlier_enrolment_is_rejected() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, key = enrolled()
        two_factor.enable(caller.account, required_for_uploads=True)
        for code in (code_at(enrolment, MOMENT), enrolment.recovery_codes[0]):
            assert not accepted(two_factor.verify, again(key).account, code)


@embedded_only
def test_a_concurrent_new_enrolment_invalidates_old_codes() -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        read_before = TwoFactor.get(caller.account.pk, "two-factor")
        two_factor.enable(caller.account, required_for_uploads=True)
        assert not two_factor._use_totp(read_before, code_at(enrolment, MOMENT))
        assert not two_factor._use_recovery(read_before, enrolment.recovery_codes[0])


@embedded_only
def test_a_concurrent_use_of_another_recovery_code_does_not_matter() -> None:
    caller, enrolment, _ = enrolled()
    read_before = TwoFactor.get(caller.account.pk, "two-factor")
    two_factor.verify(caller.account, enrolment.recovery_codes[0])
    assert two_factor._use_recovery(read_before, enrolment.recovery_codes[5])
    assert not two_factor._use_recovery(read_before, enrolment.recovery_codes[0])


@embedded_only
def test_disabling_deletes_the_secret_and_the_recovery_codes() -> None:
    caller, enrolment, key = enrolled()
    two_factor.disable(caller.account)
    assert TwoFactor.find(caller.account.pk, "two-factor") is None
    for account in (caller.account, again(key).account):
        with pytest.raises(NotEnabled):
            two_factor.verify(account, enrolment.recovery_codes[0])


def test_a_token_satisfies_the_second_factor() -> None:
    caller, _, key = enrolled()
    token, _ = upload_factor.issue_token(caller)
    upload_factor.require(again(key), token)


@embedded_only
def test_a_token_can_be_used_for_several_uploads() -> None:
    caller, _, key = enrolled()
    token, _ = upload_factor.issue_token(caller)
    for _ in range(3):
        upload_factor.require(again(key), token)


@embedded_only
@pytest.mark.parametrize("token", [None, "", "x" * 40, "\0"])
def test_without_a_token_the_second_factor_is_required(token: str | None) -> None:
    caller, _, _ = enrolled()
    with pytest.raises(SecondFactorRequired, match=r"^Two-factor authentication required$"):
        upload_factor.require(caller, token)


@embedded_only
def test_the_key_is_not_accepted_as_a_token() -> None:
    caller, _, key = enrolled()
    with pytest.raises(SecondFactorRequired):
        upload_factor.require(caller, key)


@embedded_only
def test_a_token_is_not_accepted_as_a_key() -> None:
    caller, _, _ = enrolled()
    token, _ = upload_factor.issue_token(caller)
    for service in (*credentials.services(), credentials.SESSION):
        with pytest.raises(Unauthenticated):
            credentials.check(token, service)


def test_a_token_is_valid_for_its_key_only() -> None:
    caller, _, _ = enrolled()
    token, _ = upload_factor.issue_token(caller)
    other_key = credentials.create(caller.account, "luarocks")[1]
    with pytest.raises(SecondFactorRequired):
        upload_factor.require(again(other_key), token)


@embedded_only
def test_a_token_is_valid_for_its_account_only() -> None:
    caller, _, _ = enrolled()
    token, _ = upload_factor.issue_token(caller)
    with pytest.raises(SecondFactorRequired):
        upload_factor.require(enrolled("dave")[0], token)


@embedded_only
def test_a_new_enrolment_invalidates_tokens() -> None:
    caller, _, key = enrolled()
    token, _ = upload_factor.issue_token(caller)
    two_factor.enable(caller.account, required_for_uploads=True)
    with pytest.raises(SecondFactorRequired):
        upload_factor.require(again(key), token)


@embedded_only
def test_a_token_is_invalid_after_disabling_and_enabling() -> None:
    caller, _, key = enrolled()
    token, _ = upload_factor.issue_token(caller)
    two_factor.disable(caller.account)
    two_factor.enable(caller.account, required_for_uploads=True)
    with pytest.raises(SecondFactorRequired):
        upload_factor.require(again(key), token)


def test_a_token_expires_after_fifteen_minutes() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        caller, _, key = enrolled()
        token, ends = upload_factor.issue_token(caller)
        assert ends == int(MOMENT.timestamp()) + 900
        clock.shift(899)
        upload_factor.require(again(key), token)
        clock.shift(1)
        with pytest.raises(SecondFactorRequired):
            upload_factor.require(again(key), token)


@embedded_only
def test_a_revoked_token_is_rejected() -> None:
    caller, _, key = enrolled()
    token, _ = upload_factor.issue_token(caller)
    credentials.revoke(credentials.check(token, credentials.SECOND_FACTOR))
    with pytest.raises(SecondFactorRequired):
        upload_factor.require(again(key), token)


@embedded_only
def test_a_revoked_key_is_rejected_before_its_token_is_checked() -> None:
    caller, _, key = enrolled()
    upload_factor.issue_token(caller)
    credentials.revoke(caller.credential)
    with pytest.raises(credentials.Revoked):
        again(key)


@embedded_only
def test_no_token_is_required_if_uploads_need_no_second_factor(carol: Account) -> None:
    key = credentials.create(carol, "luarocks")[1]
    upload_factor.require(again(key), None)
    two_factor.enable(carol, required_for_uploads=False)
    upload_factor.require(again(key), None)


def test_checking_a_token_costs_one_call_if_it_is_required(carol: Account, calls: list[str]) -> None:
    caller, _, key = enrolled("dave")
    token, _ = upload_factor.issue_token(caller)
    plain = Caller(carol, credentials.create(carol, "luarocks")[0])
    caller = again(key)
    calls.clear()
    upload_factor.require(plain, None)
    upload_factor.require(caller, token)
    assert calls == ["UpdateItem"]


@pytest.mark.parametrize("recovery", [False, True])
def test_verifying_is_three_calls(calls: list[str], recovery: bool) -> None:
    with time_machine.travel(MOMENT, tick=False):
        caller, enrolment, _ = enrolled()
        calls.clear()
        two_factor.verify(caller.account, enrolment.recovery_codes[0] if recovery else code_at(enrolment, MOMENT))
    assert [call for call in calls if call != "Decrypt"] == ["GetItem", "UpdateItem", "UpdateItem"]


def test_a_key_with_an_upload_window_needs_no_token() -> None:
    caller, _, key = enrolled()
    upload_factor.open_window(caller)
    upload_factor.require(again(key), None)


def test_an_upload_window_is_for_one_key() -> None:
    caller, _, _ = enrolled()
    upload_factor.open_window(caller)
    with pytest.raises(SecondFactorRequired):
        upload_factor.require(again(credentials.create(caller.account, "luarocks")[1]), None)


def test_an_upload_window_closes_after_fifteen_minutes() -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        caller, _, key = enrolled()
        assert upload_factor.open_window(caller) == int(MOMENT.timestamp()) + 900
        clock.shift(899)
        upload_factor.require(again(key), None)
        clock.shift(1)
        with pytest.raises(SecondFactorRequired):
            upload_factor.require(again(key), None)


@embedded_only
def test_an_upload_window_can_be_closed_early() -> None:
    caller, _, key = enrolled()
    upload_factor.open_window(caller)
    upload_factor.close_window(again(key))
    with pytest.raises(SecondFactorRequired):
        upload_factor.require(again(key), None)


@embedded_only
def test_a_new_enrolment_closes_upload_windows() -> None:
    caller, _, key = enrolled()
    upload_factor.open_window(caller)
    two_factor.disable(caller.account)
    two_factor.enable(caller.account, required_for_uploads=True)
    with pytest.raises(SecondFactorRequired):
        upload_factor.require(again(key), None)


@embedded_only
def test_a_revoked_key_cannot_open_an_upload_window() -> None:
    caller, _, _ = enrolled()
    credentials.revoke(Credential.get(caller.credential.pk, "credential"))
    with pytest.raises(NotFound):
        upload_factor.open_window(caller)


@embedded_only
def test_upload_windows_are_in_the_audit_log() -> None:
    caller, _, _ = enrolled()
    upload_factor.open_window(caller)
    upload_factor.close_window(caller)
    subject = f"credential#{int(caller.credential.id)}"
    assert [(entry.action, entry.subject, entry.credential_id) for entry in audit.entries(1)][:2] == [
        ("two-factor.close-window", subject, caller.credential.id),
        ("two-factor.open-window", subject, caller.credential.id),
    ]


@embedded_only
def test_enabling_and_disabling_are_in_the_audit_log(carol: Account) -> None:
    two_factor.enable(carol, required_for_uploads=True)
    two_factor.disable(carol)
    assert [(entry.action, entry.subject, entry.detail) for entry in audit.entries(1)][:2] == [
        ("two-factor.disable", "account#1", None),
        ("two-factor.enable", "account#1", {"for_uploads": True}),
    ]
