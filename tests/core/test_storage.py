"""Transactions with named errors, reads in the same call as a write, and one client for all tables.

DynamoDB's errors under load cannot be provoked here, so `refusing` injects them.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pynamodb.exceptions import TransactWriteError, UpdateError
from pynamodb.expressions.condition import Condition

from chalicelib.core import bulk, registry, storage
from chalicelib.core.errors import Busy, Conflict, CoreError, Forbidden, NotFound
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Account, Claim, CoreItem, Counter, now
from tests.aws_calls import refusing
from tests.worlds import both_worlds, embedded_only

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]
Add = Callable[[Transaction, CoreError | None], None]


def claim(name: str, holder: str = "new") -> Claim:
    return Claim(name, "claim", holder=holder)


def holders() -> dict[str, str]:
    return {item.pk: item.holder for item in Claim.scan()}


def commit_error(writes: Transaction) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 (the tests compare the error)
        writes.commit()
    return raised.value


def failing_delete(writes: Transaction, otherwise: CoreError | None) -> None:
    writes.delete(claim("missing"), Claim.pk.exists(), otherwise)


def failing_put(writes: Transaction, otherwise: CoreError | None) -> None:
    writes.put(claim("missing"), Claim.pk.exists(), otherwise)


def failing_create(writes: Transaction, otherwise: CoreError | None) -> None:
    writes.create(claim("taken"), otherwise)


def failing_update(writes: Transaction, otherwise: CoreError | None) -> None:
    writes.update(claim("missing"), [Claim.holder.set("new")], Claim.pk.exists(), otherwise)


FAILING = [failing_delete, failing_put, failing_create, failing_update]


def test_a_transaction_can_contain_all_kinds_of_writes() -> None:
    claim("kept", "old").save()
    claim("deleted", "old").save()
    claim("updated", "old").save()
    writes = Transaction()
    writes.delete(claim("deleted"), Claim.holder == "old")
    writes.put(claim("put"))
    writes.create(claim("created"))
    writes.update(claim("updated"), [Claim.holder.set("new")], Claim.holder == "old")
    writes.commit()
    assert holders() == {"kept": "old", "put": "new", "created": "new", "updated": "new"}


@pytest.mark.parametrize("fail", FAILING)
def test_a_failed_condition_raises_its_own_error_and_nothing_is_written(fail: Add) -> None:
    claim("taken", "old").save()
    writes, error = Transaction(), Conflict("mine")
    writes.put(claim("other"))
    writes.update(claim("another"), [Claim.holder.set("new"), Claim.kind.set(Claim)])
    fail(writes, error)
    assert commit_error(writes) is error
    assert holders() == {"taken": "old"}


@pytest.mark.parametrize("fail", FAILING)
def test_a_failed_condition_without_an_error_is_contention(fail: Add) -> None:
    claim("taken", "old").save()
    writes = Transaction()
    writes.put(claim("other"), otherwise=Conflict("not mine"))
    fail(writes, None)
    error = commit_error(writes)
    assert (type(error), error.detail) == (Contended, {"retry_after": 1})  # type: ignore[attr-defined]
    assert holders() == {"taken": "old"}


@pytest.mark.parametrize("failing", range(5))
def test_the_error_belongs_to_the_failed_write_in_any_order_of_calls(failing: int) -> None:
    """PynamoDB sends deletes, then puts, then updates, and DynamoDB's reasons have this order."""
    claim("there", "old").save()
    errors: list[CoreError] = [NotFound(str(number)) for number in range(5)]
    conditions: list[Condition] = [Claim.pk.exists()] * 5
    conditions[failing] = Claim.holder == "another"
    for number in range(5):
        claim(str(number), "old").save()
    writes = Transaction()
    writes.update(claim("0"), [Claim.holder.set("new")], conditions[0], errors[0])
    writes.put(claim("1"), conditions[1], errors[1])
    writes.delete(claim("2"), conditions[2], errors[2])
    writes.delete(claim("3"), conditions[3], errors[3])
    writes.update(claim("4"), [Claim.holder.set("new")], conditions[4], errors[4])
    assert commit_error(writes) is errors[failing]
    assert set(holders().values()) == {"old"}


def test_a_failed_delete_takes_precedence_over_a_failed_put() -> None:
    claim("taken", "old").save()
    writes, first, second = Transaction(), Conflict("create"), NotFound("delete")
    failing_create(writes, first)
    failing_delete(writes, second)
    assert commit_error(writes) is second


def test_the_first_of_several_failures_of_a_kind_is_raised() -> None:
    claim("taken", "old").save()
    claim("taken too", "old").save()
    writes, first = Transaction(), Conflict("first")
    writes.create(claim("taken"), first)
    writes.create(claim("taken too"), Conflict("second"))
    assert commit_error(writes) is first


@pytest.mark.parametrize("named_first", [True, False])
def test_contention_takes_precedence_over_a_named_failure(named_first: bool) -> None:
    """The data behind the named condition can be stale, so the caller must decide again."""
    claim("taken", "old").save()
    writes = Transaction()
    steps: list[tuple[Add, CoreError | None]] = [(failing_create, Conflict("mine")), (failing_update, None)]
    for fail, error in steps if named_first else reversed(steps):
        fail(writes, error)
    assert type(commit_error(writes)) is Contended


def test_an_error_has_its_cause_for_the_log() -> None:
    claim("taken", "old").save()
    writes = Transaction()
    failing_create(writes, Conflict("mine"))
    assert type(commit_error(writes).__cause__) is TransactWriteError


@embedded_only
def test_a_programming_error_is_not_a_core_error() -> None:
    writes = Transaction()
    writes.put(claim("twice"))
    writes.put(claim("twice"))
    assert type(commit_error(writes)) is TransactWriteError


@pytest.mark.parametrize(
    ("code", "reasons", "expected"),
    [
        ("TransactionCanceledException", ["None", "TransactionConflict"], Contended),
        ("TransactionCanceledException", ["TransactionConflict", "None"], Contended),
        ("TransactionCanceledException", ["ConditionalCheckFailed", "TransactionConflict"], Contended),
        ("TransactionCanceledException", ["ConditionalCheckFailed", "None"], Forbidden),
        ("TransactionCanceledException", ["ThrottlingError", "None"], Busy),
        ("TransactionCanceledException", ["ConditionalCheckFailed", "ProvisionedThroughputExceeded"], Busy),
        ("TransactionCanceledException", ["ValidationError", "None"], TransactWriteError),
        ("TransactionCanceledException", ["ItemCollectionSizeLimitExceeded", "None"], TransactWriteError),
        ("TransactionConflictException", [], Contended),
        ("TransactionInProgressException", [], Busy),
        ("ThrottlingException", [], Busy),
        ("ProvisionedThroughputExceededException", [], Busy),
        ("RequestLimitExceeded", [], Busy),
        ("InternalServerError", [], Busy),
        ("ValidationException", [], TransactWriteError),
        ("AccessDeniedException", [], TransactWriteError),
    ],
)
def test_dynamodbs_errors_are_contention_busy_or_a_programming_error(
    code: str, reasons: list[str], expected: type[Exception]
) -> None:
    writes = Transaction()
    writes.put(claim("one"), otherwise=Forbidden("named"))
    writes.update(claim("two"), [Claim.holder.set("new")], otherwise=Conflict("named too"))
    with refusing("TransactWriteItems", code, CancellationReasons=[{"Code": reason} for reason in reasons]):
        assert type(commit_error(writes)) is expected


@pytest.mark.parametrize("count", [1, 100])
def test_a_transaction_can_have_a_hundred_writes(count: int) -> None:
    writes = Transaction()
    for number in range(count):
        writes.create(claim(str(number)))
    writes.commit()
    assert len(holders()) == count


@embedded_only
def test_only_one_of_many_concurrent_creators_succeeds() -> None:
    def create(number: int) -> bool:
        writes = Transaction()
        writes.create(claim("one", str(number)), Conflict("taken"))
        try:
            writes.commit()
        except (Conflict, Contended):
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(create, range(16)))
    assert outcomes.count(True) == 1
    assert holders() == {"one": str(outcomes.index(True))}


def test_update_or_read_updates_and_returns_the_new_item() -> None:
    claim("x", "old").save()
    updated, item = claim("x").update_or_read([Claim.holder.set("new")], Claim.holder == "old")
    assert item is not None
    assert (updated, item.serialize(), holders()) == (True, claim("x").serialize(), {"x": "new"})


def test_update_or_read_returns_the_item_that_fails_the_condition() -> None:
    claim("x", "old").save()
    updated, item = claim("x").update_or_read([Claim.holder.set("new")], Claim.holder == "other")
    assert item is not None
    assert (updated, item.serialize(), holders()) == (False, claim("x", "old").serialize(), {"x": "old"})


def test_update_or_read_of_a_missing_item_is_none_and_stores_nothing() -> None:
    assert claim("x").update_or_read([Claim.holder.set("new")], Claim.pk.exists()) == (False, None)
    assert holders() == {}


def test_update_or_read_is_one_call(calls: list[str]) -> None:
    claim("x", "old").save()
    calls.clear()
    for expected in ("old", "other"):
        claim("x").update_or_read([Claim.holder.set("new")], Claim.holder == expected)
    assert calls == ["UpdateItem", "UpdateItem"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("TransactionConflictException", Busy),
        ("ThrottlingException", Busy),
        ("ProvisionedThroughputExceededException", Busy),
        ("ValidationException", UpdateError),
        ("ResourceNotFoundException", UpdateError),
    ],
)
def test_other_errors_of_an_update_are_busy_or_a_programming_error(code: str, expected: type[Exception]) -> None:
    with refusing("UpdateItem", code), pytest.raises(expected) as raised:
        claim("x").update_or_read([Claim.holder.set("new")], Claim.pk.exists())
    assert type(raised.value) is expected


def test_find_is_strongly_consistent_and_returns_none_for_a_missing_item(calls: list[str]) -> None:
    claim("x", "old").save()
    calls.clear()
    found = Claim.find("x", "claim")
    assert (found and found.holder, Claim.find("y", "claim"), calls) == ("old", None, ["GetItem", "GetItem"])


@pytest.mark.parametrize(
    ("pk", "sk"), [("x" * 2049, "claim"), ("ü" * 1025, "claim"), ("x", "c" * 1025), ("", "claim"), ("x", "")]
)
def test_find_makes_no_call_for_a_key_that_dynamodb_refuses(pk: str, sk: str, calls: list[str]) -> None:
    assert (Claim.find(pk, sk), calls) == (None, [])


def test_an_item_with_the_longest_keys_is_found() -> None:
    Claim("ü" * 1024, "c" * 1024, holder="x").save()
    assert Claim.find("ü" * 1024, "c" * 1024) is not None


def test_assign_changes_the_object_and_the_item() -> None:
    account = Account("account#1", "account", username="a", email="b", created_at=now(), two_factor="x")
    account.save()
    account.update(actions=account.assign(rank="ADMIN", two_factor=None))
    assert Account.get("account#1", "account").serialize() == account.serialize()
    assert (account.rank, account.two_factor) == ("ADMIN", None)


def test_a_query_returns_only_items_of_its_kind() -> None:
    claim("x", "old").save()
    Counter("x", "counter", value=3).save()
    assert [type(item) for item in Counter.query("x")] == [Counter]
    assert sorted(type(item).__name__ for item in CoreItem.query("x")) == ["Claim", "Counter"]


def test_all_tables_share_one_client() -> None:
    for model in registry.current().models:
        model.count()
    connections = {id(model._get_connection().connection) for model in (*registry.current().models, Claim, Account)}
    assert connections == {id(storage._shared)}


def test_creating_existing_tables_changes_nothing() -> None:
    claim("x", "old").save()
    storage.create_tables(registry.current().models)
    assert holders() == {"x": "old"}


def raw(pk: str) -> dict[str, Any]:
    (item,) = (item for item in bulk.items(CoreItem) if item["pk"]["S"] == pk)
    return item


@pytest.mark.parametrize("write", [lambda item: item.save(), lambda item: put(item)])
def test_unknown_attributes_of_newer_code_are_written_back(write: Callable[[Claim], object]) -> None:
    stored = {"pk": {"S": "c"}, "sk": {"S": "claim"}, "kind": {"S": "claim"}, "holder": {"S": "1"}}
    newer = {"colour": {"S": "red"}, "more": {"M": {"deep": {"L": [{"N": "1"}, {"NULL": True}]}}}}
    bulk.put(CoreItem, [{**stored, **newer}])
    item = Claim.get("c", "claim")
    item.holder = "2"
    write(item)
    assert raw("c") == {**stored, **newer, "holder": {"S": "2"}}
    item.expires_at, item.listing = None, None
    write(item)
    assert raw("c") == {**stored, **newer, "holder": {"S": "2"}}


def put(item: Claim) -> None:
    writes = Transaction()
    writes.put(item)
    writes.commit()


def test_items_of_an_unknown_kind_are_skipped() -> None:
    claim("a").save()
    bulk.put(CoreItem, [{"pk": {"S": "b"}, "sk": {"S": "b"}, "kind": {"S": "newer"}, "colour": {"S": "red"}}])
    assert [item.pk for item in CoreItem.scan()] == ["a"]
    assert list(CoreItem.query("b")) == []
