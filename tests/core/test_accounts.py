"""Accounts: names, passwords, suspension, and atomic changes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.core import audit
from chalicelib.core.errors import Conflict, CoreError, Invalid, NotFound, Unauthenticated
from chalicelib.core.identity import accounts, two_factor
from chalicelib.core.identity.accounts import EmailTaken, Suspended, UsernameTaken
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, CoreItem, now
from tests.worlds import both_worlds, embedded_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
LONGEST_PASSWORD = "p" * 1024


def error_of(call: Callable[..., Any], *arguments: Any) -> CoreError:
    with pytest.raises(CoreError) as caught:
        call(*arguments)
    return caught.value


def stored_kinds() -> list[str]:
    return sorted(f"{item.pk.partition('#')[0]}/{item.sk.partition('#')[0]}" for item in CoreItem.scan())


def test_a_new_account_is_stored_as_returned() -> None:
    before = now()
    account = accounts.create("Alice", "alice@example.org")
    stored = accounts.get(1)
    assert stored.serialize() == account.serialize()
    assert before <= stored.created_at <= now()
    assert (stored.username, stored.email, stored.rank, stored.suspended, stored.password_hash, stored.two_factor) == (
        "Alice",
        "alice@example.org",
        "MEMBER",
        False,
        None,
        None,
    )


def test_ids_start_at_one() -> None:
    assert [accounts.create(name, f"{name}@example.org").id for name in ("ann", "ben", "cat")] == [1, 2, 3]


@pytest.mark.parametrize("rank", accounts.ranks())
def test_an_account_can_have_any_rank(rank: str) -> None:
    accounts.create("Alice", "alice@example.org", rank=rank)
    assert accounts.get(1).rank == rank


@embedded_only
@pytest.mark.parametrize("username", ["ab", "A-B_c", "0" * 25, "--", "__"])
def test_a_username_can_have_letters_digits_underscores_and_hyphens(username: str) -> None:
    assert accounts.create(username, "a@b").username == username


@embedded_only
@pytest.mark.parametrize(
    "username", ["", "a", "a" * 26, "al ice", "alice\n", "älice", "ali/ce", "ali#ce", "ali.ce", "\uff41lice", "ali\0ce"]
)
def test_an_invalid_username_is_rejected(username: str) -> None:
    error = error_of(accounts.create, username, "a@b")
    assert (type(error), error.detail) == (Invalid, {"field": "username"})
    assert stored_kinds() == []


@embedded_only
@pytest.mark.parametrize(
    "email", ["", "alice", "@b", "a@", "a b@c", "a@b@c", "a@b\n", "x" * 65 + "@b", "a@" + "b" * 256]
)
def test_an_invalid_email_address_is_rejected(email: str) -> None:
    error = error_of(accounts.create, "Alice", email)
    assert (type(error), error.detail) == (Invalid, {"field": "email"})
    assert stored_kinds() == []


@embedded_only
def test_the_longest_email_address_is_accepted() -> None:
    email = "ä" * 64 + "@" + "ö" * 255
    assert accounts.create("Alice", email).email == email


@embedded_only
def test_a_new_account_with_an_unknown_rank_is_rejected() -> None:
    error = error_of(accounts.create, "Alice", "a@b", None, "member")
    assert (type(error), error.detail) == (Invalid, {"field": "rank"})
    assert stored_kinds() == []


@embedded_only
@pytest.mark.parametrize("password", ["", LONGEST_PASSWORD + "p"])
def test_an_empty_or_too_long_password_is_rejected(password: str) -> None:
    error = error_of(accounts.create, "Alice", "a@b", password)
    assert (type(error), error.detail) == (Invalid, {"field": "password"})
    assert stored_kinds() == []


@pytest.mark.parametrize("username", ["alice", "ALICE", "Alice"])
def test_a_username_is_unique_in_any_letter_case(username: str) -> None:
    accounts.create("Alice", "alice@example.org")
    assert type(error_of(accounts.create, username, "other@example.org")) is UsernameTaken


@pytest.mark.parametrize("email", ["alice@example.org", "ALICE@Example.ORG"])
def test_an_email_address_is_unique_in_any_letter_case(email: str) -> None:
    accounts.create("Alice", "alice@example.org")
    assert type(error_of(accounts.create, "bob", email)) is EmailTaken


def test_the_error_names_the_username_if_both_name_and_email_are_taken() -> None:
    accounts.create("Alice", "alice@example.org")
    assert type(error_of(accounts.create, "alice", "alice@example.org")) is UsernameTaken


def test_a_rejected_account_leaves_no_items() -> None:
    accounts.create("Alice", "alice@example.org")
    before = stored_kinds()
    error_of(accounts.create, "ALICE", "new@example.org")
    error_of(accounts.create, "new", "alice@EXAMPLE.org")
    assert stored_kinds() == before
    assert accounts.create("new", "new@example.org").username == "new"


def test_only_one_of_eight_concurrent_accounts_gets_the_name(pool: ThreadPoolExecutor) -> None:
    def attempt(number: int) -> type[Any]:
        spelling = "".join(c.upper() if number >> position & 1 else c for position, c in enumerate("alice"))
        try:
            return type(accounts.create(spelling, f"{number}@example.org"))
        except CoreError as error:
            return type(error)

    outcomes = list(pool.map(attempt, range(8)))
    assert outcomes.count(Account) == 1
    assert len(list(accounts.list_accounts())) == 1
    assert len([kind for kind in stored_kinds() if kind.startswith("email/")]) == 1


def test_only_one_of_eight_concurrent_accounts_gets_the_email_address(pool: ThreadPoolExecutor) -> None:
    def attempt(number: int) -> type[Any]:
        try:
            return type(accounts.create(f"user{number}", "Same@Example.org" if number % 2 else "same@example.org"))
        except CoreError as error:
            return type(error)

    outcomes = list(pool.map(attempt, range(8)))
    assert outcomes.count(Account) == 1
    assert len([kind for kind in stored_kinds() if kind.startswith("username/")]) == 1


def test_an_account_is_found_in_any_letter_case(carol: Account) -> None:
    assert [accounts.find(name).id for name in ("carol", "CAROL", "Carol")] == [carol.id] * 3  # type: ignore[union-attr]


def test_find_returns_none_for_an_unknown_name() -> None:
    assert accounts.find("nobody") is None


@pytest.mark.parametrize("name", ["", "a" * 5000, "\0", "名", "x#y"])
def test_find_returns_none_for_an_invalid_name_without_a_call(name: str, calls: list[str]) -> None:
    assert accounts.find(name) is None
    assert calls == []


def test_named_raises_not_found_for_an_unknown_name() -> None:
    assert type(error_of(accounts.named, "nobody")) is NotFound


@pytest.mark.parametrize("number", [0, -1, 7, 2**70])
def test_get_raises_not_found_for_an_unknown_id(number: int) -> None:
    assert type(error_of(accounts.get, number)) is NotFound


def test_accounts_are_listed_in_numeric_order_of_ids() -> None:
    for number in range(1, 12):
        accounts.create(f"user{number}", f"{number}@example.org")
    assert [int(account.id) for account in accounts.list_accounts()] == list(range(1, 12))


def test_finding_an_account_is_two_calls(carol: Account, calls: list[str]) -> None:
    calls.clear()
    accounts.find("carol")
    assert calls == ["GetItem", "GetItem"]


def test_creating_an_account_is_two_calls(calls: list[str]) -> None:
    accounts.create("carol", "carol@example.org")
    assert calls == ["UpdateItem", "TransactWriteItems"]


def test_log_in_accepts_the_name_in_any_letter_case(alice: Account) -> None:
    assert accounts.log_in("aLICE", "wonderland").id == alice.id


def test_all_failed_log_ins_have_the_same_error(alice: Account) -> None:
    accounts.create("bot", "bot@example.org")
    errors = [
        error_of(accounts.log_in, name, password)
        for name, password in (
            ("alice", "Wonderland"),
            ("alice", ""),
            ("nobody", "wonderland"),
            ("bot", "nobody's password"),
            ("a" * 5000, "wonderland"),
        )
    ]
    assert {(type(error), error.message) for error in errors} == {(Unauthenticated, "Wrong username or password.")}


def test_a_log_in_with_an_unknown_name_costs_the_same_calls(alice: Account, calls: list[str]) -> None:
    for name in ("alice", "nobody"):
        calls.clear()
        error_of(accounts.log_in, name, "wrong")
        assert calls == ["GetItem", "GetItem"]


@embedded_only
def test_log_in_rejects_a_password_over_the_maximum_length() -> None:
    accounts.create("Alice", "a@b", LONGEST_PASSWORD)
    assert accounts.log_in("Alice", LONGEST_PASSWORD).id == 1
    assert type(error_of(accounts.log_in, "Alice", LONGEST_PASSWORD + "p")) is Unauthenticated


def test_the_password_is_stored_as_an_argon2id_hash(alice: Account) -> None:
    assert accounts.get(1).password_hash.startswith("$argon2id$")


def test_a_suspension_is_revealed_only_with_the_right_password(alice: Account) -> None:
    accounts.suspend(alice)
    assert type(error_of(accounts.log_in, "alice", "wonderland")) is Suspended
    assert type(error_of(accounts.log_in, "alice", "wrong")) is Unauthenticated


def test_a_restored_account_can_log_in(alice: Account) -> None:
    accounts.suspend(alice)
    accounts.restore(alice)
    assert (alice.suspended, accounts.log_in("alice", "wonderland").suspended) == (False, False)


def test_suspension_changes_no_other_attribute(carol: Account) -> None:
    before = accounts.get(1).attribute_values
    accounts.suspend(carol)
    assert accounts.get(1).attribute_values == {**before, "suspended": True}


def test_suspension_with_stale_data_keeps_a_new_second_factor(carol: Account) -> None:
    stale = accounts.get(1)
    two_factor.enable(carol, required_for_uploads=True)
    accounts.suspend(stale)
    account = accounts.get(1)
    assert (account.suspended, account.second_factor_for_uploads, account.two_factor is not None) == (True, True, True)


def test_changes_of_an_account_are_in_its_audit_log(carol: Account) -> None:
    accounts.suspend(carol)
    accounts.restore(carol)
    assert [(entry.action, entry.subject) for entry in audit.entries(1)] == [
        ("account.restore", "account#1"),
        ("account.suspend", "account#1"),
        ("account.create", "account#1"),
    ]


def test_a_new_password_replaces_the_old_one(alice: Account) -> None:
    accounts.set_password(alice, "rabbit")
    assert accounts.log_in("alice", "rabbit").id == alice.id
    assert isinstance(error_of(accounts.log_in, "alice", "wonderland"), Unauthenticated)
    assert next(audit.entries(int(alice.id))).action == "account.password"


@pytest.mark.parametrize("password", ["", "p" * 1025])
def test_an_invalid_new_password_keeps_the_old_one(alice: Account, password: str) -> None:
    assert error_of(accounts.set_password, alice, password).detail == {"field": "password"}
    assert accounts.log_in("alice", "wonderland").id == alice.id


def test_a_rank_changes_at_the_commit_of_the_transaction(alice: Account) -> None:
    writes = Transaction()
    accounts.change(alice, writes, rank="ADMIN")
    assert accounts.get(int(alice.id)).rank == "MEMBER"
    writes.commit()
    assert accounts.get(int(alice.id)).rank == "ADMIN"
    entry = next(audit.entries(int(alice.id)))
    assert (entry.action, entry.detail) == ("account.rank", {"rank": "ADMIN"})


def test_a_change_to_an_unknown_rank_is_rejected(alice: Account) -> None:
    assert error_of(lambda: accounts.change(alice, Transaction(), rank="EMPEROR")).detail == {"field": "rank"}


def test_several_attributes_change_in_one_transaction_or_not_at_all(alice: Account) -> None:
    stale = accounts.get(int(alice.id))
    writes = Transaction()
    accounts.change(alice, writes, rank="EDITOR", suspended=True, luadns_enabled=True)
    writes.commit()
    assert (alice.rank, alice.suspended, alice.luadns_enabled) == ("EDITOR", True, True)
    error = error_of(accounts.suspend, stale)
    assert (type(error), error.message) == (Conflict, "The account was changed meanwhile: look at it again.")
    actions = [entry.action for entry in audit.entries(int(alice.id))]
    assert sorted(actions) == ["account.create", "account.rank", "account.suspend", "luadns.enable"]


def test_the_command_line_can_demote_the_last_administrator(alice: Account) -> None:
    for change in ({"rank": "ADMIN"}, {"rank": "MEMBER"}):
        writes = Transaction()
        accounts.change(alice, writes, **change)
        writes.commit()
    assert accounts.get(1).rank == "MEMBER"


def test_a_change_of_the_email_address_is_atomic(alice: Account) -> None:
    accounts.set_email(alice, "liddell@example.org")
    assert accounts.get(1).email == alice.email == "liddell@example.org"
    assert type(error_of(accounts.create, "bob", "LIDDELL@example.org")) is EmailTaken
    assert accounts.create("bob", "alice@example.org").id


def test_a_change_to_a_taken_email_address_changes_nothing(alice: Account, carol: Account) -> None:
    before = stored_kinds()
    assert type(error_of(accounts.set_email, alice, "Carol@example.org")) is EmailTaken
    stale = accounts.get(int(carol.id))
    accounts.set_email(carol, "carol@example.net")
    assert type(error_of(accounts.set_email, stale, "carol@example.com")) is Conflict
    logs = ("audit/", "inbox/")
    assert [kind for kind in stored_kinds() if not kind.startswith(logs)] == [
        kind for kind in before if not kind.startswith(logs)
    ]
    assert accounts.create("dave", "carol@example.org").id


def test_additional_writes_are_in_the_same_transaction_as_the_account(alice: Account) -> None:
    def also(account: Account, writes: Transaction) -> None:
        writes.put(audit.entry(int(alice.id), "test", account.username))

    accounts.create("carol", "carol@example.org", also=also)
    error_of(lambda: accounts.create("CAROL", "c@example.org", also=also))
    assert [entry.subject for entry in audit.entries(int(alice.id))][:1] == ["carol"]
    assert len([entry for entry in audit.entries(int(alice.id)) if entry.action == "test"]) == 1


@embedded_only
@pytest.mark.parametrize("email", ["<b>@x", 'a"b@x', "a,b@x", "a@x>", "a\0@x", "a\x1b@x", "a@b\u202e"])
def test_an_email_address_with_markup_or_control_characters_is_rejected(email: str) -> None:
    assert error_of(accounts.create, "Alice", email).detail == {"field": "email"}


def test_accounts_can_be_listed_in_pages(aws: None) -> None:
    for number in range(1, 6):
        accounts.create(f"user{number}", f"{number}@example.org")
    assert [int(account.id) for account in accounts.list_accounts(after=2, limit=2)] == [3, 4]
