"""Tables: create, describe, list, delete, and their time to live."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from standalone.storage import DynamoError, Engine

ID = [{"AttributeName": "id", "AttributeType": "S"}]
HASH = [{"AttributeName": "id", "KeyType": "HASH"}]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "file")
    yield engine
    engine.close()


def create(engine: Engine, name: str = "things", **params: Any) -> dict[str, Any]:
    table = {"TableName": name, "AttributeDefinitions": ID, "KeySchema": HASH, "BillingMode": "PAY_PER_REQUEST"}
    description: dict[str, Any] = engine.execute("CreateTable", {**table, **params})["TableDescription"]
    return description


def put(engine: Engine, name: str, **numbers: int) -> None:
    item = {"id": {"S": name}, **{key: {"N": str(number)} for key, number in numbers.items()}}
    engine.execute("PutItem", {"TableName": "things", "Item": item})


def names(engine: Engine) -> list[str]:
    return [item["id"]["S"] for item in engine.execute("Scan", {"TableName": "things"})["Items"]]


def test_a_table_is_described_as_it_was_created(engine: Engine) -> None:
    created = create(engine)
    described = engine.execute("DescribeTable", {"TableName": "things"})["Table"]
    assert described == created
    assert described["TableStatus"] == "ACTIVE"
    assert (described["AttributeDefinitions"], described["KeySchema"]) == (ID, HASH)
    assert described["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}


def test_a_description_counts_items(engine: Engine) -> None:
    create(engine)
    put(engine, "a", n=1)
    described = engine.execute("DescribeTable", {"TableName": "things"})["Table"]
    assert described["ItemCount"] == 1


def test_a_table_name_is_unique(engine: Engine) -> None:
    create(engine)
    with pytest.raises(DynamoError, match="ResourceInUseException: Table already exists: things"):
        create(engine)


def test_a_deleted_table_is_empty_after_its_recreation(engine: Engine) -> None:
    create(engine)
    put(engine, "a")
    engine.execute("DeleteTable", {"TableName": "things"})
    with pytest.raises(DynamoError, match="ResourceNotFoundException"):
        engine.execute("DescribeTable", {"TableName": "things"})
    create(engine)
    assert names(engine) == []


def test_tables_are_listed_in_pages(engine: Engine) -> None:
    for name in ("ccc", "aaa", "bbb"):
        create(engine, name)
    first = engine.execute("ListTables", {"Limit": 2})
    assert first == {"TableNames": ["aaa", "bbb"], "LastEvaluatedTableName": "bbb"}
    assert engine.execute("ListTables", {"ExclusiveStartTableName": "bbb"}) == {"TableNames": ["ccc"]}


def test_a_table_created_by_another_engine_is_visible_immediately(engine: Engine, tmp_path: Path) -> None:
    other = Engine(tmp_path / "file")
    assert engine.execute("ListTables", {}) == {"TableNames": []}
    create(other)
    put(engine, "a")
    assert names(other) == ["a"]
    other.execute("DeleteTable", {"TableName": "things"})
    with pytest.raises(DynamoError, match="ResourceNotFoundException"):
        put(engine, "b")
    other.close()


INDEX = {"IndexName": "i", "KeySchema": HASH, "Projection": {"ProjectionType": "ALL"}}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"TableName": "a"}, "tableName a is not of 3 to 255 characters"),
        ({"KeySchema": [{"AttributeName": "id", "KeyType": "RANGE"}]}, "Invalid KeySchema"),
        ({"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "BOOL"}]}, "attributeType is S, N or B"),
        ({"AttributeDefinitions": [{"AttributeName": "x", "AttributeType": "S"}]}, "must be those of all keys"),
        (
            {"AttributeDefinitions": [*ID, {"AttributeName": "x", "AttributeType": "S"}]},
            "must be those of all keys, and of them only",
        ),
        ({"LocalSecondaryIndexes": [INDEX]}, "A local index has the table's HASH key and a RANGE key of its own"),
        ({"GlobalSecondaryIndexes": [INDEX, INDEX]}, "Duplicate index name"),
        (
            {"GlobalSecondaryIndexes": [{**INDEX, "IndexName": f"i{number}"} for number in range(21)]},
            "More than 20 GlobalSecondaryIndexes",
        ),
        ({"GlobalSecondaryIndexes": [{**INDEX, "Projection": {"ProjectionType": "KEYS_ONLY"}}]}, "not supported here"),
        ({"BillingMode": "PROVISIONED"}, "The BillingMode PROVISIONED is not supported here"),
        ({"StreamSpecification": {}}, "The parameter StreamSpecification of CreateTable is not supported here"),
    ],
)
def test_invalid_definitions_are_rejected(engine: Engine, params: dict[str, Any], message: str) -> None:
    with pytest.raises(DynamoError, match=message):
        create(engine, **params)


def set_time_to_live(engine: Engine, enabled: bool = True) -> None:
    wanted = {"AttributeName": "expires", "Enabled": enabled}
    engine.execute("UpdateTimeToLive", {"TableName": "things", "TimeToLiveSpecification": wanted})


def test_a_sweep_deletes_only_expired_items(engine: Engine) -> None:
    create(engine)
    now = int(time.time())
    put(engine, "before", expires=now - 10)
    set_time_to_live(engine)
    put(engine, "past", expires=now - 10)
    put(engine, "future", expires=now + 1000)
    put(engine, "ancient", expires=now - 6 * 365 * 86400)
    put(engine, "never")
    assert len(names(engine)) == 5
    engine.sweep()
    assert names(engine) == ["ancient", "future", "never"]


def test_a_sweep_keeps_a_renewed_item(engine: Engine) -> None:
    create(engine)
    set_time_to_live(engine)
    put(engine, "a", expires=int(time.time()) - 10)
    put(engine, "a", expires=int(time.time()) + 1000)
    engine.sweep()
    assert names(engine) == ["a"]


def test_time_to_live_is_described_and_cannot_be_switched_twice(engine: Engine) -> None:
    create(engine)
    describe = {"TableName": "things"}
    assert engine.execute("DescribeTimeToLive", describe) == {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    set_time_to_live(engine)
    assert engine.execute("DescribeTimeToLive", describe) == {
        "TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    }
    with pytest.raises(DynamoError, match="TimeToLive is already enabled"):
        set_time_to_live(engine)
    set_time_to_live(engine, enabled=False)
    put(engine, "a", expires=1)
    engine.sweep()
    assert names(engine) == ["a"]


def test_a_local_index_has_consistent_reads_and_is_described(engine: Engine) -> None:
    keys = [{"AttributeName": "owner", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}]
    local = {
        "IndexName": "by-n",
        "KeySchema": [keys[0], {"AttributeName": "n", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    types = [{"AttributeName": name, "AttributeType": kind} for name, kind in (("owner", "S"), ("id", "S"), ("n", "N"))]
    described = create(
        engine,
        AttributeDefinitions=types,
        KeySchema=keys,
        GlobalSecondaryIndexes=[{**local, "IndexName": "global"}],
        LocalSecondaryIndexes=[local],
    )
    arn = described["TableArn"] + "/index/by-n"
    assert described["LocalSecondaryIndexes"] == [{**local, "IndexArn": arn, "ItemCount": 0}]
    assert [index["IndexName"] for index in described["GlobalSecondaryIndexes"]] == ["global"]
    for number, owner in ((3, "a"), (1, "a"), (2, "b")):
        item = {"owner": {"S": owner}, "id": {"S": f"i{number}"}, "n": {"N": str(number)}}
        engine.execute("PutItem", {"TableName": "things", "Item": item})
    query = {
        "TableName": "things",
        "KeyConditionExpression": "#o = :o",
        "ExpressionAttributeNames": {"#o": "owner"},
        "ExpressionAttributeValues": {":o": {"S": "a"}},
        "ConsistentRead": True,
    }
    found = engine.execute("Query", {**query, "IndexName": "by-n"})["Items"]
    assert [item["id"]["S"] for item in found] == ["i1", "i3"]
    with pytest.raises(DynamoError, match="Consistent reads are not supported on global secondary indexes"):
        engine.execute("Query", {**query, "IndexName": "global"})
