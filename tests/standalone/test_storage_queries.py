"""Query and Scan of a table and its indexes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from standalone.storage import DynamoError, Engine


def schema(hash_key: str, range_key: str | None = None) -> list[dict[str, str]]:
    keys = [{"AttributeName": hash_key, "KeyType": "HASH"}]
    return keys + ([{"AttributeName": range_key, "KeyType": "RANGE"}] if range_key else [])


TABLE = {
    "TableName": "things",
    "AttributeDefinitions": [
        {"AttributeName": "h", "AttributeType": "S"},
        {"AttributeName": "r", "AttributeType": "N"},
        {"AttributeName": "g", "AttributeType": "S"},
        {"AttributeName": "s", "AttributeType": "S"},
    ],
    "KeySchema": schema("h", "r"),
    "GlobalSecondaryIndexes": [
        {"IndexName": "all", "KeySchema": schema("g", "r"), "Projection": {"ProjectionType": "ALL"}},
        {"IndexName": "sparse", "KeySchema": schema("g"), "Projection": {"ProjectionType": "ALL"}},
        {"IndexName": "strings", "KeySchema": schema("h", "s"), "Projection": {"ProjectionType": "ALL"}},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "file")
    engine.execute("CreateTable", TABLE)
    yield engine
    engine.close()


def put(engine: Engine, h: str, r: str, **strings: str) -> dict[str, Any]:
    item = {"h": {"S": h}, "r": {"N": r}, **{name: {"S": text} for name, text in strings.items()}}
    engine.execute("PutItem", {"TableName": "things", "Item": item})
    return item


def query(engine: Engine, condition: str, values: dict[str, Any], **params: Any) -> dict[str, Any]:
    request = {"TableName": "things", "KeyConditionExpression": condition, "ExpressionAttributeValues": values}
    return engine.execute("Query", {**request, **params})


def ranges(answer: dict[str, Any]) -> list[str]:
    return [item["r"]["N"] for item in answer["Items"]]


H = {":h": {"S": "h"}}
NUMBERS = ["-10", "-9.5", "0", "9", "10", "12345678901234567890", "12345678901234567891"]


@pytest.mark.parametrize(
    ("test", "first", "expected"),
    [
        ("r = :v", "9", ["9"]),
        ("r < :v", "0", ["-10", "-9.5"]),
        ("r <= :v", "0", ["-10", "-9.5", "0"]),
        ("r > :v", "12345678901234567890", ["12345678901234567891"]),
        ("r >= :v", "10", NUMBERS[4:]),
        (":v >= r", "-9.5", ["-10", "-9.5"]),
        ("r BETWEEN :v AND :w", "-9.5", ["-9.5", "0", "9"]),
    ],
)
def test_a_query_selects_by_an_exact_number_key(engine: Engine, test: str, first: str, expected: list[str]) -> None:
    for number in NUMBERS:
        put(engine, "h", number)
        put(engine, "other", number)
    values = {**H, ":v": {"N": first}} | ({":w": {"N": "9"}} if ":w" in test else {})
    assert ranges(query(engine, f"h = :h AND {test}", values)) == expected
    assert ranges(query(engine, f"{test} AND h = :h", values, ScanIndexForward=False)) == expected[::-1]


def test_begins_with_selects_a_prefix_even_at_the_end_of_the_alphabet(engine: Engine) -> None:
    last = chr(0x10FFFF)
    for number, text in enumerate(["a", "ab", "ac", "b", last, last + "a"]):
        put(engine, "h", str(number), s=text)
    for prefix, expected in (("a", ["0", "1", "2"]), ("ab", ["1"]), (last, ["4", "5"])):
        values = {**H, ":p": {"S": prefix}}
        answer = query(engine, "h = :h AND begins_with(s, :p)", values, IndexName="strings")
        assert ranges(answer) == expected


def test_pages_in_both_directions_have_no_gaps_or_repeats(engine: Engine) -> None:
    for number in range(7):
        put(engine, "h", str(number), g="same")
    for params in ({}, {"IndexName": "all"}, {"IndexName": "sparse"}):
        hash_key = "g" if params else "h"
        values = {":h": {"S": "same" if params else "h"}}
        for forward in (True, False):
            seen: list[str] = []
            start: dict[str, Any] = {}
            while True:
                page = query(engine, f"{hash_key} = :h", values, Limit=3, ScanIndexForward=forward, **params, **start)
                seen += ranges(page)
                if "LastEvaluatedKey" not in page:
                    break
                start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
            assert seen == [str(number) for number in (range(7) if forward else reversed(range(7)))]


def test_a_page_resumes_after_a_deleted_item(engine: Engine) -> None:
    for number in range(3):
        put(engine, "h", str(number), g="same")
    values = {":g": {"S": "same"}}
    page = query(engine, "g = :g", values, IndexName="all", Limit=2)
    assert page["LastEvaluatedKey"] == {"h": {"S": "h"}, "r": {"N": "1"}, "g": {"S": "same"}}
    engine.execute("DeleteItem", {"TableName": "things", "Key": {"h": {"S": "h"}, "r": {"N": "1"}}})
    rest = query(engine, "g = :g", values, IndexName="all", ExclusiveStartKey=page["LastEvaluatedKey"])
    assert ranges(rest) == ["2"]


def test_a_page_ends_at_one_megabyte(engine: Engine) -> None:
    for number in range(4):
        put(engine, "h", str(number), x="x" * 360_000)
    first = query(engine, "h = :h", H)
    assert ranges(first) == ["0", "1", "2"]
    assert ranges(query(engine, "h = :h", H, ExclusiveStartKey=first["LastEvaluatedKey"])) == ["3"]


def test_a_filter_counts_scanned_items(engine: Engine) -> None:
    for number in range(4):
        put(engine, "h", str(number), x="odd" if number % 2 else "even")
    answer = query(engine, "h = :h", {**H, ":x": {"S": "odd"}}, FilterExpression="x = :x", Limit=3)
    assert (answer["Count"], answer["ScannedCount"], ranges(answer)) == (1, 3, ["1"])


def test_select_count_returns_no_items(engine: Engine) -> None:
    put(engine, "h", "1")
    assert query(engine, "h = :h", H, Select="COUNT") == {"Count": 1, "ScannedCount": 1}


def test_an_index_contains_the_complete_items_that_have_its_keys(engine: Engine) -> None:
    put(engine, "h", "1", x="x", y="y")
    whole = put(engine, "h", "2", g="g", s="s", x="x", y="y")
    assert query(engine, "g = :h", {":h": {"S": "g"}}, IndexName="all")["Items"] == [whole]
    assert query(engine, "h = :h", H, IndexName="strings")["Items"] == [whole]


def test_indexes_follow_updates_and_deletes(engine: Engine) -> None:
    put(engine, "h", "1", g="old")
    key = {"h": {"S": "h"}, "r": {"N": "1"}}

    def found(g: str) -> int:
        count: int = query(engine, "g = :h", {":h": {"S": g}}, IndexName="all")["Count"]
        return count

    change = {"UpdateExpression": "SET g = :g", "ExpressionAttributeValues": {":g": {"S": "new"}}}
    engine.execute("UpdateItem", {"TableName": "things", "Key": key, **change})
    assert (found("old"), found("new")) == (0, 1)
    engine.execute("UpdateItem", {"TableName": "things", "Key": key, "UpdateExpression": "REMOVE g"})
    assert found("new") == 0
    engine.execute("UpdateItem", {"TableName": "things", "Key": key, **change})
    engine.execute("DeleteItem", {"TableName": "things", "Key": key})
    assert found("new") == 0


def test_an_index_key_of_the_wrong_type_is_rejected(engine: Engine) -> None:
    item = {"h": {"S": "h"}, "r": {"N": "1"}, "g": {"N": "1"}}
    with pytest.raises(DynamoError, match="Type mismatch for Index Key g Expected: S Actual: N IndexName: all"):
        engine.execute("PutItem", {"TableName": "things", "Item": item})


def test_a_paginated_scan_returns_every_item_once(engine: Engine) -> None:
    for number in range(20):
        put(engine, f"h{number}", "1")
    seen: list[str] = []
    start: dict[str, Any] = {}
    while True:
        page = engine.execute("Scan", {"TableName": "things", "Limit": 3, **start})
        seen += [item["h"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert sorted(seen) == sorted(f"h{number}" for number in range(20))


def test_a_scan_of_an_index_returns_only_its_items(engine: Engine) -> None:
    put(engine, "h", "1")
    put(engine, "h", "2", g="g")
    assert ranges(engine.execute("Scan", {"TableName": "things", "IndexName": "sparse"})) == ["2"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("r = :v", "Query condition missed key schema element: h"),
        ("h > :h", "Query key condition not supported"),
        ("h = :h AND x = :v", "Query condition missed key schema element: r"),
        ("h = :h OR r = :v", "Invalid operator or operands used in KeyConditionExpression: OR"),
        ("h = :h AND NOT r = :v", "Invalid operator or operands used in KeyConditionExpression: NOT"),
        ("h = :h AND r <> :v", "Invalid operator or operands used in KeyConditionExpression: <>"),
        ("h = :h AND r > :v AND r < :v", "KeyConditionExpressions must only contain one condition per key"),
        ("h = :h AND r.x = :v", "Invalid operator or operands used in KeyConditionExpression: ="),
        ("h = :h AND size(r) = :v", "Invalid operator or operands used in KeyConditionExpression: ="),
        (
            "h = :h AND r = g",
            "Invalid operator or operands used in KeyConditionExpression: =",
        ),
        (
            "h = :h AND :v BETWEEN r AND :v",
            "Invalid condition in KeyConditionExpression: BETWEEN must have the key attribute first",
        ),
        (
            "h = :h AND r = :h",
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
    ],
)
def test_invalid_key_conditions_get_dynamodbs_errors(engine: Engine, condition: str, message: str) -> None:
    values = {name: value for name, value in {**H, ":v": {"N": "1"}}.items() if name in condition}
    with pytest.raises(DynamoError) as caught:
        query(engine, condition, values)
    assert (caught.value.code, caught.value.message) == ("ValidationException", message)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"IndexName": "none"}, "The table does not have the specified index: none"),
        ({"Limit": 0}, "Member must be between 1 and"),
        ({"FilterExpression": "r = :h"}, "Filter Expression can only contain non-primary key attributes"),
        ({"ExclusiveStartKey": {"h": {"S": "h"}}}, "The provided starting key is invalid"),
        (
            {"ExclusiveStartKey": {"h": {"S": "z"}, "r": {"N": "1"}}},
            "The provided starting key is outside query boundaries",
        ),
        ({"KeyConditions": {}}, "The parameter KeyConditions of Query is not supported here"),
    ],
)
def test_invalid_queries_are_rejected(engine: Engine, params: dict[str, Any], message: str) -> None:
    with pytest.raises(DynamoError, match=message):
        query(engine, "h = :h", H, **params)


def test_a_global_index_has_no_consistent_reads(engine: Engine) -> None:
    with pytest.raises(DynamoError, match="Consistent reads are not supported on global secondary indexes"):
        query(engine, "g = :h", {":h": {"S": "g"}}, IndexName="all", ConsistentRead=True)


def test_capacity_is_summed_before_rounding_and_counts_indexes(engine: Engine) -> None:
    for number in range(3):
        put(engine, "h", str(number), g="g", x="x" * 3000)
    cost = query(engine, "h = :h", H, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert cost == {"TableName": "things", "CapacityUnits": 1.5}
    # The table has three indexes, and two of them contain the item.
    item = {"h": {"S": "h"}, "r": {"N": "9"}, "g": {"S": "g"}}
    request = {"TableName": "things", "Item": item, "ReturnConsumedCapacity": "TOTAL"}
    assert engine.execute("PutItem", request)["ConsumedCapacity"] == {"TableName": "things", "CapacityUnits": 3.0}
