"""TransactWriteItems, TransactGetItems and the batch operations."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from standalone.storage import DynamoError, Engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "file")
    for name in ("one", "two"):
        engine.execute(
            "CreateTable",
            {
                "TableName": name,
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
            },
        )
    yield engine
    engine.close()


def item(name: str, **numbers: int) -> dict[str, Any]:
    return {"id": {"S": name}, **{attribute: {"N": str(number)} for attribute, number in numbers.items()}}


def put(table: str, name: str, **params: Any) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": item(name), **params}}


def add_one(name: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": "one",
            "Key": item(name),
            "UpdateExpression": "ADD n :n",
            "ExpressionAttributeValues": {":n": {"N": "1"}},
        }
    }


def transact(engine: Engine, *items: dict[str, Any], **params: Any) -> dict[str, Any]:
    return engine.execute("TransactWriteItems", {"TransactItems": list(items), **params})


def get(engine: Engine, table: str, name: str) -> dict[str, Any] | None:
    return engine.execute("GetItem", {"TableName": table, "Key": item(name)}).get("Item")


def test_a_transaction_can_write_to_several_tables(engine: Engine) -> None:
    engine.execute("PutItem", {"TableName": "one", "Item": item("gone")})
    delete = {"Delete": {"TableName": "one", "Key": item("gone")}}
    check = {
        "ConditionCheck": {
            "TableName": "two",
            "Key": item("absent"),
            "ConditionExpression": "attribute_not_exists(id)",
        }
    }
    assert transact(engine, put("two", "a"), add_one("n"), delete, check) == {}
    assert [get(engine, "two", "a"), get(engine, "one", "n")] == [item("a"), item("n", n=1)]
    assert [get(engine, "one", "gone"), get(engine, "two", "absent")] == [None, None]


def test_a_cancelled_transaction_writes_nothing_and_has_a_reason_for_each_item(engine: Engine) -> None:
    engine.execute("PutItem", {"TableName": "one", "Item": item("taken", n=1)})
    fresh = {"ConditionExpression": "attribute_not_exists(id)"}
    with_item = put("one", "taken", **fresh, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    wrong = {"Put": {"TableName": "two", "Item": {"id": {"N": "1"}}}}
    with pytest.raises(DynamoError) as caught:
        transact(engine, put("two", "a"), with_item, wrong, add_one("n"))
    assert caught.value.code == "TransactionCanceledException"
    assert caught.value.message == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ConditionalCheckFailed, ValidationError, None]"
    )
    assert caught.value.extra["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": item("taken", n=1),
        },
        {
            "Code": "ValidationError",
            "Message": "One or more parameter values were invalid: Type mismatch for key id expected: S actual: N",
        },
        {"Code": "None"},
    ]
    assert [get(engine, "two", "a"), get(engine, "one", "n")] == [None, None]


def test_a_transaction_with_a_token_is_executed_once(engine: Engine) -> None:
    for _ in range(3):
        transact(engine, add_one("n"), ClientRequestToken="t")
    assert get(engine, "one", "n") == item("n", n=1)


def test_a_token_with_another_request_is_rejected(engine: Engine) -> None:
    transact(engine, add_one("n"), ClientRequestToken="t")
    with pytest.raises(DynamoError, match="IdempotentParameterMismatchException"):
        transact(engine, add_one("other"), ClientRequestToken="t")


def test_a_cancelled_transaction_does_not_use_its_token(engine: Engine) -> None:
    guarded = put("one", "a", ConditionExpression="attribute_exists(id)")
    with pytest.raises(DynamoError, match="TransactionCanceledException"):
        transact(engine, guarded, ClientRequestToken="t")
    engine.execute("PutItem", {"TableName": "one", "Item": item("a", n=1)})
    transact(engine, guarded, ClientRequestToken="t")
    assert get(engine, "one", "a") == item("a")


@pytest.mark.parametrize(
    ("items", "code", "message"),
    [
        ([], "ValidationException", "must be between 1 and 100"),
        ([put("one", str(n)) for n in range(101)], "ValidationException", "must be between 1 and 100"),
        ([put("one", "a"), put("one", "a")], "ValidationException", "cannot include multiple operations on one item"),
        ([put("none", "a")], "ResourceNotFoundException", "Requested resource not found"),
        ([{"Put": {}, "Delete": {}}], "ValidationException", "exactly one of Put, Update, Delete, ConditionCheck"),
        ([put("one", "a", Expected={})], "ValidationException", "parameter Expected of Put is not supported"),
    ],
)
def test_invalid_transactions_are_rejected(
    engine: Engine, items: list[dict[str, Any]], code: str, message: str
) -> None:
    with pytest.raises(DynamoError, match=f"{code}: .*{message}"):
        transact(engine, *items)


def test_a_transaction_can_have_a_hundred_items(engine: Engine) -> None:
    transact(engine, *(put("one", str(number)) for number in range(100)))
    assert engine.execute("Scan", {"TableName": "one", "Select": "COUNT"})["Count"] == 100


def test_transactions_cost_twice(engine: Engine) -> None:
    cost = {"ReturnConsumedCapacity": "TOTAL"}
    units = {"TableName": "one", "CapacityUnits": 4.0}
    assert transact(engine, put("one", "a"), put("one", "b"), **cost) == {
        "ConsumedCapacity": [{**units, "WriteCapacityUnits": 4.0}]
    }
    gets = [{"Get": {"TableName": "one", "Key": item(name)}} for name in "ab"]
    answer = engine.execute("TransactGetItems", {"TransactItems": gets, **cost})
    assert answer["ConsumedCapacity"] == [{**units, "ReadCapacityUnits": 4.0}]


def test_transact_get_returns_items_in_order_with_gaps(engine: Engine) -> None:
    transact(engine, put("one", "a"), put("two", "b"))
    gets = [
        {"Get": {"TableName": table, "Key": item(name)}} for table, name in (("two", "b"), ("one", "x"), ("one", "a"))
    ]
    gets[2]["Get"]["ProjectionExpression"] = "absent"
    gets.append({"Get": {"TableName": "two", "Key": item("c")}})
    transact(engine, put("two", "c"))
    answer = engine.execute("TransactGetItems", {"TransactItems": gets})
    assert answer == {"Responses": [{"Item": item("b")}, {}, {}, {"Item": item("c")}]}


def test_a_batch_writes_and_deletes_and_leaves_nothing_unprocessed(engine: Engine) -> None:
    engine.execute("PutItem", {"TableName": "two", "Item": item("gone")})
    requests = {
        "one": [{"PutRequest": {"Item": item(str(number))}} for number in range(24)],
        "two": [{"DeleteRequest": {"Key": item("gone")}}],
    }
    assert engine.execute("BatchWriteItem", {"RequestItems": requests}) == {"UnprocessedItems": {}}
    assert engine.execute("Scan", {"TableName": "one", "Select": "COUNT"})["Count"] == 24
    assert get(engine, "two", "gone") is None


def test_a_batch_get_returns_found_items_by_table(engine: Engine) -> None:
    transact(engine, put("one", "a"), put("two", "b"))
    keys = {"one": {"Keys": [item("a"), item("x")]}, "two": {"Keys": [item("b")], "ProjectionExpression": "id"}}
    assert engine.execute("BatchGetItem", {"RequestItems": keys}) == {
        "Responses": {"one": [item("a")], "two": [item("b")]},
        "UnprocessedKeys": {},
    }


def test_a_batch_get_leaves_keys_beyond_16_mb_unprocessed(engine: Engine) -> None:
    for number in range(45):
        big = {**item(str(number)), "x": {"S": "x" * 400_000}}
        engine.execute("PutItem", {"TableName": "one", "Item": big})
    answer = engine.execute("BatchGetItem", {"RequestItems": {"one": {"Keys": [item(str(n)) for n in range(45)]}}})
    found, left = answer["Responses"]["one"], answer["UnprocessedKeys"]["one"]["Keys"]
    assert [one["id"]["S"] for one in [*found, *left]] == [str(number) for number in range(45)]
    assert left


@pytest.mark.parametrize(
    ("operation", "requests", "message"),
    [
        ("BatchWriteItem", {"one": [{"PutRequest": {"Item": item(str(n))}} for n in range(26)]}, "between 1 and 25"),
        ("BatchWriteItem", {"one": [{"PutRequest": {"Item": item("a")}}] * 2}, "contains duplicates"),
        ("BatchWriteItem", {"one": [{}]}, "exactly one of PutRequest, DeleteRequest"),
        ("BatchGetItem", {"one": {"Keys": [item(str(n)) for n in range(101)]}}, "between 1 and 100"),
        ("BatchGetItem", {"one": {"Keys": [item("a")] * 2}}, "contains duplicates"),
        ("BatchGetItem", {"one": {"Keys": [item("a")], "AttributesToGet": ["x"]}}, "AttributesToGet"),
    ],
)
def test_invalid_batches_are_rejected(engine: Engine, operation: str, requests: dict[str, Any], message: str) -> None:
    with pytest.raises(DynamoError, match=message):
        engine.execute(operation, {"RequestItems": requests})
