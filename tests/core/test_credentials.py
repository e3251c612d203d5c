"""Credentials: secrets, scopes, expiry, revocation, rate limits, and the cost of a check."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from chalicelib.core import audit, registry
from chalicelib.core.caller import Caller, allows
from chalicelib.core.errors import Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from chalicelib.core.identity import accounts, credentials, two_factor, upload_factor
from chalicelib.core.identity.accounts import Suspended
from chalicelib.core.identity.credentials import Revoked
from chalicelib.core.tables import Account, Claim, CoreItem, Credential
from tests.worlds import both_worlds, embedded_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERYTHING = {"read", "write", "module:", "module:say", "module:sa", "module:other", "zone:example.org", "package:a/b"}


def stored(credential: Credential) -> Credential:
    return Credential.get(credential.pk, "credential", consistent_read=True)


def everything_stored() -> str:
    return json.dumps(
        [item.to_dynamodb_dict() for model in registry.current().models for item in model.scan()], default=str
    )


def test_a_secret_has_forty_letters_and_digits(carol: Account) -> None:
    secret = credentials.create(carol, "luarocks")[1]
    assert (len(secret), secret.isascii(), secret.isalnum()) == (40, True, True)


def test_a_credential_is_stored_as_returned(carol: Account) -> None:
    with time_machine.travel(MOMENT, tick=False):
        credential, _ = credentials.create(
            carol, "contentdb", scope="package:carol/mod", ends_after=timedelta(days=2), comment="CI ✓"
        )
    found = stored(credential)
    assert found.attribute_values == {
        "pk": credential.pk,
        "sk": "credential",
        "kind": Credential,
        "listing": "credentials#1",
        "id": 1,
        "account_id": 1,
        "service": "contentdb",
        "scope": "package:carol/mod",
        "comment": "CI ✓",
        "created_at": MOMENT,
        "ends_at": MOMENT + timedelta(days=2),
        "expires_at": MOMENT + timedelta(days=32),
    }


def test_the_right_secret_identifies_the_caller(carol: Account) -> None:
    credential, secret = credentials.create(carol, "luadns")
    caller = credentials.identify(secret, "luadns")
    assert (caller.account.username, caller.credential.pk) == ("carol", credential.pk)


def test_identify_is_two_calls(carol: Account, calls: list[str]) -> None:
    secret = credentials.create(carol, "luadns")[1]
    for _ in range(2):
        calls.clear()
        credentials.identify(secret, "luadns")
        assert calls == ["UpdateItem", "GetItem"]


def test_a_wrong_secret_costs_one_call_and_stores_nothing(carol: Account, calls: list[str]) -> None:
    before = CoreItem.count()
    calls.clear()
    with pytest.raises(Unauthenticated, match=r"^Invalid key$"):
        credentials.identify("x" * 40, "luadns")
    assert calls == ["UpdateItem"]
    assert CoreItem.count() == before


@embedded_only
@pytest.mark.parametrize("secret", ["", "bearer", "a" * 100_000, "\0", "名前", "credential#1"])
def test_any_malformed_secret_is_a_wrong_secret(secret: str) -> None:
    with pytest.raises(Unauthenticated):
        credentials.identify(secret, "luarocks")


def test_a_secret_of_another_service_is_wrong_and_not_marked_as_used(carol: Account) -> None:
    credential, secret = credentials.create(carol, "luarocks")
    with pytest.raises(Unauthenticated, match=r"^Invalid key$"):
        credentials.check(secret, "contentdb")
    assert stored(credential).last_used_at is None


def test_a_revoked_secret_of_another_service_is_wrong(carol: Account) -> None:
    credential, secret = credentials.create(carol, "luarocks")
    credentials.revoke(credential)
    with pytest.raises(Unauthenticated, match=r"^Invalid key$"):
        credentials.check(secret, "contentdb")


def test_the_hash_of_a_secret_is_not_accepted(carol: Account) -> None:
    credential, _ = credentials.create(carol, "luarocks")
    with pytest.raises(Unauthenticated):
        credentials.check(credential.pk.removeprefix("credential#"), "luarocks")


def test_the_last_use_is_stored_at_most_once_in_ten_minutes(carol: Account) -> None:
    times = []
    with time_machine.travel(MOMENT, tick=False) as clock:
        credential, secret = credentials.create(carol, "luarocks")
        for pause in (0, 1, 598, 1, 599, 1):
            clock.shift(pause)
            credentials.check(secret, "luarocks")
            times.append(int(stored(credential).last_used_at) - int(MOMENT.timestamp()))
    assert times == [0, 0, 0, 600, 600, 1200]


def test_an_expired_credential_is_rejected(carol: Account) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        secret = credentials.create(carol, "hel", ends_after=timedelta(hours=1))[1]
        clock.shift(3599)
        credentials.check(secret, "hel")
        clock.shift(1)
        with pytest.raises(Unauthenticated, match="expired"):
            credentials.check(secret, "hel")


@embedded_only
def test_a_credential_without_expiry_is_valid_after_ten_years(carol: Account) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        credential, secret = credentials.create(carol, "hel")
        clock.shift(timedelta(days=3650))
        assert credentials.check(secret, "hel").id == credential.id


def test_an_expired_credential_is_deleted_completely_after_thirty_days(carol: Account) -> None:
    with time_machine.travel(MOMENT, tick=False):
        credential, _ = credentials.create(carol, "hel", ends_after=timedelta(hours=1))
    deletions = {stored(credential).expires_at, Claim.get(f"credential#{int(credential.id)}", "claim").expires_at}
    assert deletions == {MOMENT + timedelta(days=30, hours=1)}


def test_a_revoked_credential_has_its_own_error(carol: Account) -> None:
    credential, secret = credentials.create(carol, "luarocks")
    credentials.revoke(credential)
    with pytest.raises(Revoked):
        credentials.identify(secret, "luarocks")


def test_a_use_of_a_revoked_credential_is_not_stored(carol: Account) -> None:
    credential, secret = credentials.create(carol, "luarocks")
    credentials.revoke(credential)
    with pytest.raises(Revoked):
        credentials.identify(secret, "luarocks")
    assert stored(credential).last_used_at is None


def test_revoking_again_keeps_the_first_time(carol: Account) -> None:
    credential, _ = credentials.create(carol, "luarocks")
    with time_machine.travel(MOMENT, tick=False) as clock:
        credentials.revoke(credential)
        clock.shift(60)
        credentials.revoke(credential)
    assert stored(credential).revoked_at == MOMENT


def test_revoking_a_deleted_credential_stores_nothing(carol: Account) -> None:
    credential, _ = credentials.create(carol, "luarocks")
    credential.delete()
    before = CoreItem.count()
    with pytest.raises(NotFound):
        credentials.revoke(credential)
    assert CoreItem.count() == before


def test_revoking_one_credential_does_not_affect_others(carol: Account) -> None:
    first, second = credentials.create(carol, "luarocks"), credentials.create(carol, "luarocks")
    credentials.revoke(first[0])
    assert credentials.identify(second[1], "luarocks").credential.id == second[0].id


def test_a_credential_is_rejected_while_its_account_is_suspended(carol: Account) -> None:
    secret = credentials.create(carol, "luarocks")[1]
    accounts.suspend(carol)
    with pytest.raises(Suspended):
        credentials.identify(secret, "luarocks")
    accounts.restore(carol)
    assert credentials.identify(secret, "luarocks").account.id == 1


def test_an_accounts_credentials_are_listed_oldest_first(carol: Account) -> None:
    dave = accounts.create("dave", "dave@example.org")
    for owner, service in ((carol, "luarocks"), (dave, "hel"), (carol, "contentdb")):
        credentials.create(owner, service)
    assert [(int(each.id), each.service) for each in credentials.list_credentials(carol)] == [
        (1, "luarocks"),
        (3, "contentdb"),
    ]


def test_a_credential_is_found_by_its_id(carol: Account) -> None:
    credential, _ = credentials.create(carol, "luarocks")
    assert credentials.find(int(credential.id)).pk == credential.pk


@pytest.mark.parametrize("number", [0, -1, 99])
def test_an_unknown_id_is_not_found(number: int) -> None:
    with pytest.raises(NotFound):
        credentials.find(number)


@embedded_only
@pytest.mark.parametrize(
    ("service", "scope"),
    [
        *((service, "read") for service in credentials.services()),
        ("luadns", "zone:example.org"),
        ("luarocks", "module:say"),
        ("luarocks", "module:" + "a" * 300),
        ("contentdb", "package:alice/mod"),
        ("hel", "package:mod"),
    ],
)
def test_a_scope_of_the_service_is_accepted(carol: Account, service: str, scope: str) -> None:
    assert credentials.create(carol, service, scope=scope)[0].scope == scope


@embedded_only
@pytest.mark.parametrize(
    "scope",
    [
        "",
        "write",
        "READ",
        "read ",
        "module:",
        "module:a b",
        "module:a\n",
        "module:a:b",
        "zone:",
        f"module:{301 * 'a'}",
        "package:mod",
        "package:/mod",
        "package:a/",
        "package:a/b/c",
        "admin",
    ],
)
def test_an_invalid_scope_is_rejected_and_nothing_is_stored(carol: Account, scope: str) -> None:
    before = CoreItem.count()
    with pytest.raises(Invalid) as caught:
        credentials.create(carol, "luarocks", scope=scope)
    assert (caught.value.detail, CoreItem.count()) == ({"field": "scope"}, before)


@embedded_only
@pytest.mark.parametrize("ends_after", [timedelta(0), timedelta(seconds=-1)])
def test_an_expiry_in_the_past_is_rejected(carol: Account, ends_after: timedelta) -> None:
    with pytest.raises(Invalid) as caught:
        credentials.create(carol, "luarocks", ends_after=ends_after)
    assert caught.value.detail == {"field": "expires"}


@embedded_only
def test_a_comment_has_at_most_255_characters(carol: Account) -> None:
    assert credentials.create(carol, "luarocks", comment="ü" * 255)[0].comment == "ü" * 255
    with pytest.raises(Invalid) as caught:
        credentials.create(carol, "luarocks", comment="ü" * 256)
    assert caught.value.detail == {"field": "comment"}


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (None, EVERYTHING),
        ("read", {"read"}),
        ("module:say", {"read", "module:", "module:say"}),
        ("module:sa", {"read", "module:", "module:sa"}),
        ("zone:example.org", {"read", "zone:example.org"}),
        ("package:a/b", {"read", "package:a/b"}),
    ],
)
def test_a_scope_allows_itself_and_reading(scope: str | None, allowed: set[str]) -> None:
    assert {need for need in EVERYTHING if allows(scope, need)} == allowed


@embedded_only
def test_a_caller_without_the_scope_is_forbidden(carol: Account) -> None:
    credential, _ = credentials.create(carol, "luarocks", scope="read")
    caller = Caller(carol, credential)
    caller.require("read")
    with pytest.raises(Forbidden, match="its scope is read"):
        caller.require("write")


def test_creation_and_revocation_are_in_the_audit_log(carol: Account) -> None:
    credential, _ = credentials.create(carol, "luadns", scope="zone:example.org")
    credentials.revoke(credential)
    newest = [(entry.action, entry.subject, entry.detail) for entry in audit.entries(1)][:2]
    assert newest == [
        ("luadns.revoke", "credential#1", None),
        ("luadns.create", "credential#1", {"scope": "zone:example.org"}),
    ]


def test_no_secret_is_stored_in_clear_text(alice: Account) -> None:
    services = (*credentials.services(), credentials.SESSION)
    secrets = ["wonderland"]
    secrets += [credentials.create(alice, service, ends_after=timedelta(days=1))[1] for service in services]
    credentials.revoke(credentials.find(1))
    enrolment = two_factor.enable(alice, required_for_uploads=True)
    caller = Caller(accounts.get(1), credentials.find(2))
    secrets += [enrolment.secret, *enrolment.recovery_codes, upload_factor.issue_token(caller)[0]]
    text = everything_stored()
    assert len(secrets) == 16
    assert "alice@example.org" in text
    assert [secret for secret in secrets if secret in text] == []


RATE = credentials.Rate(3, 300)


def test_uses_are_counted_in_windows_aligned_to_the_clock(carol: Account, calls: list[str]) -> None:
    counted = []
    with time_machine.travel(MOMENT.replace(minute=4, second=58), tick=False) as clock:
        secret = credentials.create(carol, "luadns")[1]
        calls.clear()
        for pause in (0, 1, 1, 299, 1):
            clock.shift(pause)
            credential = credentials.check(secret, "luadns", RATE)
            counted.append((int(credential.window) % 3600, int(credential.used)))
    assert counted == [(0, 1), (0, 2), (300, 1), (300, 2), (600, 1)]
    assert calls == ["UpdateItem"] * 5


def test_a_use_above_the_limit_is_rejected_until_the_window_ends(carol: Account, calls: list[str]) -> None:
    with time_machine.travel(MOMENT.replace(minute=0, second=10), tick=False) as clock:
        credential, secret = credentials.create(carol, "luadns")
        for _ in range(3):
            credentials.check(secret, "luadns", RATE)
        calls.clear()
        with pytest.raises(TooMany) as caught:
            credentials.check(secret, "luadns", RATE)
        assert calls == ["UpdateItem"]
        window = int(MOMENT.replace(minute=0, second=0).timestamp())
        assert caught.value.detail == {"retry_after": 290, "limit": 3, "reset": window + 300}
        assert stored(credential).used == 3
        clock.shift(290)
        assert credentials.check(secret, "luadns", RATE).used == 1


def test_a_second_process_continues_the_count_of_a_window(carol: Account, calls: list[str]) -> None:
    secret = credentials.create(carol, "luadns")[1]
    credentials.check(secret, "luadns", RATE)
    credentials._counted.clear()
    calls.clear()
    assert credentials.check(secret, "luadns", RATE).used == 2
    assert calls == ["UpdateItem"] * 2
    credentials.check(secret, "luadns", RATE)
    credentials._counted.clear()
    with pytest.raises(TooMany):
        credentials.check(secret, "luadns", RATE)


def test_wrong_and_revoked_secrets_are_not_counted(carol: Account) -> None:
    with pytest.raises(Unauthenticated):
        credentials.check("x" * 40, "luadns", RATE)
    credential, secret = credentials.create(carol, "luadns")
    with pytest.raises(Unauthenticated):
        credentials.check(secret, "luarocks", RATE)
    credentials.revoke(credential)
    with pytest.raises(credentials.Revoked):
        credentials.check(secret, "luadns", RATE)
    assert stored(credential).used is None


@embedded_only
def test_concurrent_uses_are_all_counted(carol: Account) -> None:
    credential, secret = credentials.create(carol, "luadns")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: credentials.check(secret, "luadns", credentials.Rate(1000, 3600)), range(40)))
    assert stored(credential).used == 40


@pytest.mark.parametrize(("scope", "zone"), [(None, None), ("read", None), ("module:a", None), ("zone:a.org", "a.org")])
def test_a_scope_can_limit_a_caller_to_one_zone(scope: str | None, zone: str | None) -> None:
    assert Caller(Account(), Credential(scope=scope)).only("zone") == zone
