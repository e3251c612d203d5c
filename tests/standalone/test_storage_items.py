"""PutItem, GetItem, UpdateItem, DeleteItem and their expressions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from standalone.storage import DynamoError, Engine

KEY = {"id": {"S": "k"}}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "file")
    engine.execute(
        "CreateTable",
        {
            "TableName": "things",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )
    yield engine
    engine.close()


def put(engine: Engine, item: dict[str, Any], **params: Any) -> dict[str, Any]:
    return engine.execute("PutItem", {"TableName": "things", "Item": {**KEY, **item}, **params})


def get(engine: Engine, **params: Any) -> dict[str, Any]:
    return engine.execute("GetItem", {"TableName": "things", "Key": KEY, **params})


def update(engine: Engine, expression: str, values: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    bound = {"ExpressionAttributeValues": values} if values else {}
    request = {"TableName": "things", "Key": KEY, "UpdateExpression": expression, **bound, **params}
    engine.execute("UpdateItem", request)
    item: dict[str, Any] = get(engine)["Item"]
    del item["id"]
    return item


def holds(engine: Engine, condition: str, values: dict[str, Any] | None = None) -> bool:
    bound = {"ExpressionAttributeValues": values} if values else {}
    request = {"TableName": "things", "FilterExpression": condition, **bound}
    return bool(engine.execute("Scan", request)["Count"])


def error_of(engine: Engine, operation: str, params: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(DynamoError) as caught:
        engine.execute(operation, {"TableName": "things", **params})
    return caught.value.code, caught.value.message


def test_an_item_is_returned_unchanged(engine: Engine) -> None:
    item = {
        **KEY,
        "s": {"S": "ü"},
        "empty": {"S": ""},
        "n": {"N": "-1.5"},
        "b": {"B": b"\x00\x01"},
        "t": {"BOOL": True},
        "z": {"NULL": True},
        "l": {"L": [{"M": {"x": {"L": []}}}]},
        "ss": {"SS": ["a", "b"]},
        "ns": {"NS": ["-1", "10"]},
        "bs": {"BS": [b"\x00", b"\x01"]},
    }
    put(engine, item)
    assert get(engine) == {"Item": item}


def test_a_missing_item_has_an_empty_response(engine: Engine) -> None:
    assert get(engine) == {}


def test_put_replaces_the_whole_item_and_can_return_the_old_one(engine: Engine) -> None:
    assert put(engine, {"a": {"S": "1"}}, ReturnValues="ALL_OLD") == {}
    assert put(engine, {"b": {"S": "2"}}, ReturnValues="ALL_OLD") == {"Attributes": {**KEY, "a": {"S": "1"}}}
    assert get(engine)["Item"] == {**KEY, "b": {"S": "2"}}


def test_delete_removes_the_item_and_can_return_it(engine: Engine) -> None:
    put(engine, {"a": {"S": "1"}})
    delete = {"TableName": "things", "Key": KEY, "ReturnValues": "ALL_OLD"}
    assert engine.execute("DeleteItem", delete) == {"Attributes": {**KEY, "a": {"S": "1"}}}
    assert engine.execute("DeleteItem", delete) == {}
    assert get(engine) == {}


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("NONE", {}),
        ("ALL_OLD", {**KEY, "a": {"S": "1"}, "m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}}),
        ("ALL_NEW", {**KEY, "a": {"S": "1"}, "m": {"M": {"x": {"N": "9"}, "y": {"N": "2"}}}, "c": {"N": "3"}}),
        ("UPDATED_OLD", {"m": {"M": {"x": {"N": "1"}}}}),
        ("UPDATED_NEW", {"m": {"M": {"x": {"N": "9"}}}, "c": {"N": "3"}}),
    ],
)
def test_update_returns_the_values_that_return_values_requests(
    engine: Engine, returned: str, expected: dict[str, Any]
) -> None:
    put(engine, {"a": {"S": "1"}, "m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}})
    params = {
        "TableName": "things",
        "Key": KEY,
        "UpdateExpression": "SET m.x = :x ADD c :c",
        "ExpressionAttributeValues": {":x": {"N": "9"}, ":c": {"N": "3"}},
        "ReturnValues": returned,
    }
    assert engine.execute("UpdateItem", params).get("Attributes", {}) == expected


def test_update_creates_a_missing_item(engine: Engine) -> None:
    engine.execute("UpdateItem", {"TableName": "things", "Key": KEY})
    assert get(engine)["Item"] == KEY


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("SET b = a", {}, {"a": {"N": "1"}, "b": {"N": "1"}}),
        ("set b = a + :v", {":v": {"N": "0.1"}}, {"a": {"N": "1"}, "b": {"N": "1.1"}}),
        ("SET a = :v - a", {":v": {"N": "1"}}, {"a": {"N": "0"}}),
        ("SET b = if_not_exists(b, :v) + a", {":v": {"N": "5"}}, {"a": {"N": "1"}, "b": {"N": "6"}}),
        ("SET a = if_not_exists(a, :v)", {":v": {"N": "5"}}, {"a": {"N": "1"}}),
        ("ADD a :v, b :v", {":v": {"N": "-2"}}, {"a": {"N": "-1"}, "b": {"N": "-2"}}),
        ("SET b = a, a = :v", {":v": {"S": "x"}}, {"a": {"S": "x"}, "b": {"N": "1"}}),
        ("REMOVE a, b", {}, {}),
    ],
)
def test_update_expressions_change_attributes(
    engine: Engine, expression: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    put(engine, {"a": {"N": "1"}})
    assert update(engine, expression, values) == expected


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("SET l = list_append(l, :l)", {":l": {"L": [{"S": "d"}]}}, "abcd"),
        ("SET l = list_append(:l, l)", {":l": {"L": [{"S": "d"}]}}, "dabc"),
        ("SET l[1] = :v", {":v": {"S": "x"}}, "axc"),
        ("SET l[7] = :v", {":v": {"S": "x"}}, "abcx"),
        ("REMOVE l[0], l[1]", {}, "c"),
        ("REMOVE l[9]", {}, "abc"),
        ("REMOVE l[0] SET l[2] = :v", {":v": {"S": "x"}}, "bx"),
    ],
)
def test_update_expressions_change_lists(
    engine: Engine, expression: str, values: dict[str, Any], expected: str
) -> None:
    put(engine, {"l": {"L": [{"S": letter} for letter in "abc"]}})
    assert update(engine, expression, values) == {"l": {"L": [{"S": letter} for letter in expected]}}


def test_add_and_delete_change_sets_and_remove_empty_ones(engine: Engine) -> None:
    put(engine, {"s": {"SS": ["a"]}, "n": {"NS": ["1"]}})
    values = {":s": {"SS": ["b", "a"]}, ":n": {"NS": ["1.0"]}}
    assert update(engine, "ADD s :s DELETE n :n", values) == {"s": {"SS": ["a", "b"]}}


def test_nested_paths_can_use_name_placeholders(engine: Engine) -> None:
    put(engine, {"m": {"M": {"a.b": {"L": [{"M": {}}]}}}})
    changed = update(engine, "SET m.#d[0].x = :v", {":v": {"BOOL": True}}, ExpressionAttributeNames={"#d": "a.b"})
    assert changed == {"m": {"M": {"a.b": {"L": [{"M": {"x": {"BOOL": True}}}]}}}}


def test_a_projection_keeps_structure_and_closes_list_gaps(engine: Engine) -> None:
    put(engine, {"m": {"M": {"x": {"S": "1"}, "y": {"S": "2"}}}, "l": {"L": [{"S": "a"}, {"S": "b"}, {"S": "c"}]}})
    assert get(engine, ProjectionExpression="m.y, l[2], l[0], absent.x")["Item"] == {
        "m": {"M": {"y": {"S": "2"}}},
        "l": {"L": [{"S": "a"}, {"S": "c"}]},
    }


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("n = :n", True),
        ("n <> :n", False),
        ("absent <> :n", True),
        ("absent = :n", False),
        ("n < :ten AND n <= :n AND n >= :n AND :ten > n", True),
        ("s < :n", False),
        ("n BETWEEN :n AND :ten", True),
        ("n IN (:ten, :n)", True),
        ("n IN (:ten)", False),
        ("attribute_exists(m.x[1]) AND attribute_not_exists(m.x[2])", True),
        ("attribute_type(m, :M)", True),
        ("begins_with(s, :he)", True),
        ("contains(s, :ell)", True),
        ("contains(ss, :he)", True),
        ("contains(m.x, :n)", True),
        ("contains(ss, :ell)", False),
        ("size(s) = :five AND size(ss) = :n AND size(m.x) = :two AND size(b) = :n", True),
        ("size(n) = :n", False),
        ("n = :ten OR n = :n AND s = :he", False),
        ("(n = :ten OR n = :n) AND NOT s = :he", True),
        ("NOT n = :ten AND n = :n", True),
        ("NOT (n = :ten OR n = :n)", False),
    ],
)
def test_conditions_are_evaluated(engine: Engine, condition: str, expected: bool) -> None:
    put(
        engine,
        {
            "n": {"N": "1"},
            "s": {"S": "hello"},
            "ss": {"SS": ["he"]},
            "b": {"B": b"\x00"},
            "m": {"M": {"x": {"L": [{"N": "1.0"}, {"S": "y"}]}}},
        },
    )
    values = {
        ":n": {"N": "1e0"},
        ":two": {"N": "2"},
        ":five": {"N": "5"},
        ":ten": {"N": "10"},
        ":he": {"S": "he"},
        ":ell": {"S": "ell"},
        ":M": {"S": "M"},
    }
    words = condition.replace("(", " ").replace(")", " ").replace(",", " ").split()
    assert holds(engine, condition, {name: value for name, value in values.items() if name in words}) is expected


def test_a_failed_condition_changes_nothing_and_returns_the_item_only_on_request(engine: Engine) -> None:
    put(engine, {"a": {"S": "1"}})
    request = {"TableName": "things", "Item": KEY, "ConditionExpression": "attribute_not_exists(id)"}
    with pytest.raises(DynamoError) as plain:
        engine.execute("PutItem", request)
    with pytest.raises(DynamoError) as with_item:
        engine.execute("PutItem", {**request, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"})
    failed = ("ConditionalCheckFailedException", "The conditional request failed")
    assert (plain.value.code, plain.value.message, plain.value.extra) == (*failed, {})
    assert (with_item.value.code, with_item.value.message) == failed
    assert with_item.value.extra == {"Item": {**KEY, "a": {"S": "1"}}}
    assert get(engine)["Item"] == {**KEY, "a": {"S": "1"}}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"UpdateExpression": ""}, "Invalid UpdateExpression: The expression can not be empty;"),
        ({"UpdateExpression": "SET a"}, 'Invalid UpdateExpression: Syntax error; token: "<EOF>"'),
        (
            {"UpdateExpression": "SET a = :v"},
            "Invalid UpdateExpression: An expression attribute value used in expression is not defined: :v",
        ),
        (
            {"UpdateExpression": "REMOVE #a"},
            "Invalid UpdateExpression: An expression attribute name used in expression is not defined: #a",
        ),
        (
            {"UpdateExpression": "REMOVE a, a.b"},
            "Invalid UpdateExpression: Two document paths overlap or conflict; path one: [a], path two: [a, b]",
        ),
        (
            {"UpdateExpression": "REMOVE a[0], a.b"},
            "Invalid UpdateExpression: Two document paths overlap or conflict; path one: [a, [0]], path two: [a, b]",
        ),
        (
            {"UpdateExpression": "REMOVE a REMOVE b"},
            'Invalid UpdateExpression: The "REMOVE" section can only be used once in an update expression;',
        ),
        (
            {"UpdateExpression": "REMOVE id"},
            "One or more parameter values were invalid: Cannot update attribute id. This attribute is part of the key",
        ),
        (
            {"UpdateExpression": "REMOVE absent.x"},
            "The document path provided in the update expression is invalid for update",
        ),
        (
            {"UpdateExpression": "SET a = b"},
            "The provided expression refers to an attribute that does not exist in the item",
        ),
        (
            {"UpdateExpression": "ADD a :v", "ExpressionAttributeValues": {":v": {"S": "x"}}},
            "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: ADD, "
            "operand type: S",
        ),
        (
            {"UpdateExpression": "SET a = a + :v", "ExpressionAttributeValues": {":v": {"N": "1"}}},
            "An operand in the update expression has an incorrect data type",
        ),
        (
            {"UpdateExpression": "REMOVE a", "ExpressionAttributeValues": {":v": {"N": "1"}}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}",
        ),
        (
            {"UpdateExpression": "REMOVE a", "ExpressionAttributeNames": {"#n": "x"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#n}",
        ),
        (
            {"ExpressionAttributeNames": {"#n": "x"}},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            {"ConditionExpression": "((a = b))"},
            "Invalid ConditionExpression: The expression has redundant parentheses;",
        ),
        (
            {"ConditionExpression": "a = a"},
            "Invalid ConditionExpression: The first operand must be distinct from the remaining operands for =",
        ),
        ({"ConditionExpression": "exists(a)"}, "Invalid ConditionExpression: Invalid function name; function: exists"),
        (
            {"ConditionExpression": "contains(a)"},
            "Invalid ConditionExpression: Incorrect number of operands for operator or function: contains, 1",
        ),
        (
            {"ConditionExpression": "a < :v", "ExpressionAttributeValues": {":v": {"BOOL": True}}},
            "Invalid ConditionExpression: Incorrect operand type for operator or function; operator or function: <, "
            "operand type: BOOL",
        ),
        (
            {
                "ConditionExpression": "a BETWEEN :v AND :w",
                "ExpressionAttributeValues": {":v": {"N": "2"}, ":w": {"N": "1"}},
            },
            "Invalid ConditionExpression: The BETWEEN operator requires an upper bound not below the lower, of the "
            "same type",
        ),
        (
            {
                "ConditionExpression": f"a IN ({', '.join(f':v{number}' for number in range(101))})",
                "ExpressionAttributeValues": {f":v{number}": {"N": "1"} for number in range(101)},
            },
            "Invalid ConditionExpression: The IN operator takes at most 100 operands, not 101",
        ),
        (
            {"ConditionExpression": "(" * 4097},
            "Invalid ConditionExpression: Expression size has exceeded the maximum allowed size;",
        ),
        ({"ReturnValues": "SOME"}, "Return values set to invalid value"),
        ({"Expected": {}}, "The parameter Expected of UpdateItem is not supported here"),
        ({"AttributeUpdates": {}}, "The parameter AttributeUpdates of UpdateItem is not supported here"),
    ],
)
def test_invalid_expressions_get_dynamodbs_errors(engine: Engine, params: dict[str, Any], message: str) -> None:
    put(engine, {"a": {"S": "1"}})
    assert error_of(engine, "UpdateItem", {"Key": KEY, **params}) == ("ValidationException", message)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({}, "One or more parameter values were invalid: Missing the key id in the item"),
        (
            {"id": {"N": "1"}},
            "One or more parameter values were invalid: Type mismatch for key id expected: S actual: N",
        ),
        (
            {"id": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: id",
        ),
        (
            {"id": {"S": "x" * 2049}},
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit "
            "of2048 bytes",
        ),
        ({**KEY, "s": {"SS": []}}, "One or more parameter values were invalid: An string set  may not be empty"),
        (
            {**KEY, "s": {"SS": ["a", "a"]}},
            "One or more parameter values were invalid: Input collection [a, a] contains duplicates.",
        ),
        ({**KEY, "n": {"N": "one"}}, "The parameter cannot be converted to a numeric value: one"),
        ({**KEY, "n": {"N": "1" * 39}}, "Attempting to store more than 38 significant digits in a Number"),
        (
            {**KEY, "n": {"N": "1e126"}},
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            {**KEY, "n": {"N": "1e-131"}},
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ),
        (
            {**KEY, "v": {}},
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        ({**KEY, "v": {"S": "x" * 409600}}, "Item size has exceeded the maximum allowed size"),
    ],
)
def test_invalid_items_get_dynamodbs_errors(engine: Engine, item: dict[str, Any], message: str) -> None:
    assert error_of(engine, "PutItem", {"Item": item}) == ("ValidationException", message)


def test_an_update_to_more_than_400_kb_is_rejected(engine: Engine) -> None:
    put(engine, {"a": {"S": "x" * 300_000}})
    params = {
        "Key": KEY,
        "UpdateExpression": "SET b = :v",
        "ExpressionAttributeValues": {":v": {"S": "x" * 200_000}},
    }
    message = "Item size to update has exceeded the maximum allowed size"
    assert error_of(engine, "UpdateItem", params) == ("ValidationException", message)


@pytest.mark.parametrize("key", [{}, {"id": {"N": "1"}}, {**KEY, "x": {"S": "1"}}, {"x": {"S": "1"}}])
def test_a_key_that_does_not_match_the_schema_is_rejected(engine: Engine, key: dict[str, Any]) -> None:
    message = "The provided key element does not match the schema"
    assert error_of(engine, "GetItem", {"Key": key}) == ("ValidationException", message)


def test_a_read_with_a_key_that_is_too_long_is_rejected(engine: Engine) -> None:
    assert engine.execute("GetItem", {"TableName": "things", "Key": {"id": {"S": "ü" * 1024}}}) == {}
    message = (
        "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"
    )
    for operation, params in (
        ("GetItem", {"Key": {"id": {"S": "ü" * 1024 + "x"}}}),
        ("Query", {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": "x" * 2049}}}),
        ("Scan", {"ExclusiveStartKey": {"id": {"S": "x" * 2049}}}),
    ):
        assert error_of(engine, operation, params) == ("ValidationException", message)


def test_a_missing_table_is_not_found(engine: Engine) -> None:
    assert error_of(engine, "GetItem", {"TableName": "nothing", "Key": KEY}) == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: nothing not found",
    )


def test_unsupported_operations_are_errors_with_their_name(engine: Engine) -> None:
    with pytest.raises(DynamoError, match="UnknownOperationException: The operation UpdateTable is not supported"):
        engine.execute("UpdateTable", {})


def test_capacity_follows_the_published_rules(engine: Engine) -> None:
    cost = {"ReturnConsumedCapacity": "TOTAL"}
    big = put(engine, {"a": {"S": "x" * 5000}}, **cost)
    assert big == {"ConsumedCapacity": {"TableName": "things", "CapacityUnits": 5.0}}
    units = [
        get(engine, **cost, ConsistentRead=strong)["ConsumedCapacity"]["CapacityUnits"] for strong in (True, False)
    ]
    assert units == [2.0, 1.0]
    # A write is charged for the larger of the old and the new item.
    assert put(engine, {}, **cost)["ConsumedCapacity"]["CapacityUnits"] == 5.0
    assert put(engine, {}, **cost)["ConsumedCapacity"]["CapacityUnits"] == 1.0
