"""Transactions that name their refusals, reads in the same call as a write, and one client for all tables.

What DynamoDB answers under load cannot be brought about here, so those answers are put in its place.
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


def refusal(writes: Transaction) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 (which one is what the tests compare)
        writes.commit()
    return raised.value


def failing_delete(writes: Transaction, otherwise: CoreError | None) -> None:
    writes.delete(claim("nobody"), Claim.pk.exists(), otherwise)


def failing_put(writes: Transaction, otherwise: CoreError | None) -> None:
    writes.put(claim("nobody"), Claim.pk.exists(), otherwise)


def failing_create(writes: Transaction, otherwise: CoreError | None) -> None:
    writes.create(claim("taken"), otherwise)


def failing_update(writes: Transaction, otherwise: CoreError | None) -> None:
    writes.update(claim("nobody"), [Claim.holder.set("new")], Claim.pk.exists(), otherwise)


FAILING = [failing_delete, failing_put, failing_create, failing_update]


def test_all_kinds_of_writes_happen_together() -> None:
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
    assert refusal(writes) is error
    assert holders() == {"taken": "old"}


@pytest.mark.parametrize("fail", FAILING)
def test_a_failed_condition_without_an_error_means_that_somebody_was_faster(fail: Add) -> None:
    claim("taken", "old").save()
    writes = Transaction()
    writes.put(claim("other"), otherwise=Conflict("not mine"))
    fail(writes, None)
    error = refusal(writes)
    assert (type(error), error.detail) == (Contended, {"retry_after": 1})  # type: ignore[attr-defined]
    assert holders() == {"taken": "old"}


@pytest.mark.parametrize("place", range(5))
def test_the_error_is_that_of_the_failed_write_whatever_the_order_of_the_calls(place: int) -> None:
    """PynamoDB sends deletes, puts and updates in this order, and the reasons come back in it."""
    claim("there", "old").save()
    errors: list[CoreError] = [NotFound(str(number)) for number in range(5)]
    conditions: list[Condition] = [Claim.pk.exists()] * 5
    conditions[place] = Claim.holder == "somebody else"
    for number in range(5):
        claim(str(number), "old").save()
    writes = Transaction()
    writes.update(claim("0"), [Claim.holder.set("new")], conditions[0], errors[0])
    writes.put(claim("1"), conditions[1], errors[1])
    writes.delete(claim("2"), conditions[2], errors[2])
    writes.delete(claim("3"), conditions[3], errors[3])
    writes.update(claim("4"), [Claim.holder.set("new")], conditions[4], errors[4])
    assert refusal(writes) is errors[place]
    assert set(holders().values()) == {"old"}


def test_of_several_named_failures_one_of_the_first_kind_is_told() -> None:
    claim("taken", "old").save()
    writes, first, second = Transaction(), Conflict("create"), NotFound("delete")
    failing_create(writes, first)
    failing_delete(writes, second)
    assert refusal(writes) is second


def test_of_several_named_failures_of_a_kind_the_first_is_told() -> None:
    claim("taken", "old").save()
    claim("taken too", "old").save()
    writes, first = Transaction(), Conflict("first")
    writes.create(claim("taken"), first)
    writes.create(claim("taken too"), Conflict("second"))
    assert refusal(writes) is first


@pytest.mark.parametrize("named_first", [True, False])
def test_contention_beside_a_named_failure_is_contention(named_first: bool) -> None:
    """What the named condition was decided on may be stale: the decision is made anew."""
    claim("taken", "old").save()
    writes = Transaction()
    steps: list[tuple[Add, CoreError | None]] = [(failing_create, Conflict("mine")), (failing_update, None)]
    for fail, error in steps if named_first else reversed(steps):
        fail(writes, error)
    assert type(refusal(writes)) is Contended


def test_the_cause_of_a_refusal_is_kept_for_the_log() -> None:
    claim("taken", "old").save()
    writes = Transaction()
    failing_create(writes, Conflict("mine"))
    assert type(refusal(writes).__cause__) is TransactWriteError


@embedded_only
def test_a_fault_of_ours_is_no_refusal() -> None:
    writes = Transaction()
    writes.put(claim("twice"))
    writes.put(claim("twice"))
    assert type(refusal(writes)) is TransactWriteError


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
def test_what_dynamodb_refuses_is_contention_or_busy_or_our_fault(
    code: str, reasons: list[str], expected: type[Exception]
) -> None:
    writes = Transaction()
    writes.put(claim("one"), otherwise=Forbidden("named"))
    writes.update(claim("two"), [Claim.holder.set("new")], otherwise=Conflict("named too"))
    with refusing("TransactWriteItems", code, CancellationReasons=[{"Code": reason} for reason in reasons]):
        assert type(refusal(writes)) is expected


@pytest.mark.parametrize("count", [1, 100])
def test_a_transaction_may_have_a_hundred_writes(count: int) -> None:
    writes = Transaction()
    for number in range(count):
        writes.create(claim(str(number)))
    writes.commit()
    assert len(holders()) == count


@embedded_only
def test_of_many_creators_at_once_one_wins() -> None:
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


def test_update_or_read_updates_and_hands_back_the_new_item() -> None:
    claim("x", "old").save()
    updated, item = claim("x").update_or_read([Claim.holder.set("new")], Claim.holder == "old")
    assert item is not None
    assert (updated, item.serialize(), holders()) == (True, claim("x").serialize(), {"x": "new"})


def test_update_or_read_hands_back_what_refused_it_whole() -> None:
    claim("x", "old").save()
    updated, item = claim("x").update_or_read([Claim.holder.set("new")], Claim.holder == "other")
    assert item is not None
    assert (updated, item.serialize(), holders()) == (False, claim("x", "old").serialize(), {"x": "old"})


def test_update_or_read_of_nothing_is_none_and_leaves_nothing() -> None:
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
def test_what_else_stops_an_update_is_busy_or_our_fault(code: str, expected: type[Exception]) -> None:
    with refusing("UpdateItem", code), pytest.raises(expected) as raised:
        claim("x").update_or_read([Claim.holder.set("new")], Claim.pk.exists())
    assert type(raised.value) is expected


def test_find_reads_what_was_just_written_or_none(calls: list[str]) -> None:
    claim("x", "old").save()
    calls.clear()
    found = Claim.find("x", "claim")
    assert (found and found.holder, Claim.find("y", "claim"), calls) == ("old", None, ["GetItem", "GetItem"])


@pytest.mark.parametrize(("pk", "sk"), [("x" * 2049, "claim"), ("ü" * 1025, "claim"), ("x", "c" * 1025)])
def test_under_a_key_longer_than_dynamodb_takes_nothing_is_looked_for(pk: str, sk: str, calls: list[str]) -> None:
    assert (Claim.find(pk, sk), calls) == (None, [])


def test_under_the_longest_keys_an_item_is_found() -> None:
    Claim("ü" * 1024, "c" * 1024, holder="x").save()
    assert Claim.find("ü" * 1024, "c" * 1024) is not None


def test_assigned_values_reach_the_object_and_the_item_alike() -> None:
    account = Account("account#1", "account", username="a", email="b", created_at=now(), two_factor="x")
    account.save()
    account.update(actions=account.assign(rank="ADMIN", two_factor=None))
    assert Account.get("account#1", "account").serialize() == account.serialize()
    assert (account.rank, account.two_factor) == ("ADMIN", None)


def test_an_item_of_another_kind_is_not_mixed_up_in_a_query() -> None:
    claim("x", "old").save()
    Counter("x", "counter", value=3).save()
    assert [type(item) for item in Counter.query("x")] == [Counter]
    assert sorted(type(item).__name__ for item in CoreItem.query("x")) == ["Claim", "Counter"]


def test_all_tables_share_one_client() -> None:
    for model in registry.current().models:
        model.count()
    connections = {id(model._get_connection().connection) for model in (*registry.current().models, Claim, Account)}
    assert connections == {id(storage._shared)}


def test_tables_that_are_there_are_left_as_they_are() -> None:
    claim("x", "old").save()
    storage.create_tables(registry.current().models)
    assert holders() == {"x": "old"}


def raw(pk: str) -> dict[str, Any]:
    (item,) = (item for item in bulk.items(CoreItem) if item["pk"]["S"] == pk)
    return item


@pytest.mark.parametrize("write", [lambda item: item.save(), lambda item: put(item)])
def test_attributes_that_newer_code_stored_are_written_back(write: Callable[[Claim], object]) -> None:
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


def test_items_of_a_kind_that_only_newer_code_knows_are_passed_over() -> None:
    claim("a").save()
    bulk.put(CoreItem, [{"pk": {"S": "b"}, "sk": {"S": "b"}, "kind": {"S": "newer"}, "colour": {"S": "red"}}])
    assert [item.pk for item in CoreItem.scan()] == ["a"]
    assert list(CoreItem.query("b")) == []
