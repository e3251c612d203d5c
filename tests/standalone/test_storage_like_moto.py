"""Random operations get the same answers and errors from the engine as from moto."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from standalone.storage import Engine, attach, detach

Call = tuple[str, dict[str, Any]]

TABLE = {
    "TableName": "things",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "N"},
        {"AttributeName": "n", "AttributeType": "N"},
    ],
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by-n",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "n", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
}

number = st.sampled_from(["-12.5", "-1", "0", "1", "2", "10", "100000000000000000001"]).map(lambda n: {"N": n})
text = st.sampled_from(["a", "ab", "b", "z"]).map(lambda s: {"S": s})
scalar = number | text | st.sampled_from([{"BOOL": True}, {"NULL": True}, {"B": b"ab"}])
sets = st.sampled_from([{"SS": ["a"]}, {"SS": ["a", "b"]}, {"NS": ["1", "2"]}, {"NS": ["2"]}, {"BS": [b"a"]}])
value = st.recursive(
    scalar | sets,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: {"L": items})
        | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2).map(lambda items: {"M": items})
    ),
    max_leaves=4,
)
key = st.builds(
    lambda pk, sk: {"pk": {"S": pk}, "sk": {"N": sk}}, st.sampled_from("pq"), st.sampled_from(["-1", "2", "10"])
)
document = st.dictionaries(st.sampled_from(["x", "y"]), value, max_size=2).map(lambda members: {"M": members})
item = st.builds(
    lambda k, d, rest, n: {**k, **d, **rest, **n},
    key,
    st.just({}) | document.map(lambda m: {"d": m}),
    st.dictionaries(st.sampled_from(["a", "b"]), value, max_size=2),
    st.just({}) | number.map(lambda n: {"n": n}),
)
path = st.sampled_from(["a", "b", "a.x", "b.y", "a[0]", "b[1]", "a.x[0]", "d.x"])

CONDITIONS = [
    "{p} = :v",
    "{p} <> :v",
    "attribute_exists({p})",
    "attribute_not_exists({p})",
    "contains({p}, :v)",
    "{p} IN (:v, :v)",
    "attribute_type({p}, :t)",
]
UPDATES = [
    "SET {goal} = :v",
    "SET {goal} = if_not_exists({q}, :v)",
    "SET {goal} = {q}",
    "SET {goal} = {q} + :n",
    "SET {goal} = :n - {q}",
    "SET {goal} = list_append({q}, :l)",
    "REMOVE {p}",
    "REMOVE {p} SET {goal} = :v",
    "ADD {top} :n",
    "ADD {top} :s",
    "DELETE {top} :s",
]


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    simple = draw(st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=3))
    texts = [draw(st.sampled_from(["", "NOT "])) + one.format(p=draw(path | st.just("n"))) for one in simple]
    expression = texts[0]
    for one in texts[1:]:
        expression = draw(st.sampled_from([f"{expression} AND {one}", f"({expression}) OR {one}"]))
    return expression, {":v": draw(number | text), ":t": {"S": draw(st.sampled_from(["S", "N", "L", "SS"]))}}


def bound(values: dict[str, Any], *expressions: str) -> dict[str, Any]:
    used = {name: value for name, value in values.items() if any(name in text for text in expressions)}
    return {"ExpressionAttributeValues": used} if used else {}


@st.composite
def puts(draw: st.DrawFn) -> Call:
    return "PutItem", {"Item": draw(item), "ReturnValues": draw(st.sampled_from(["NONE", "ALL_OLD"]))}


@st.composite
def conditional_writes(draw: st.DrawFn) -> Call:
    expression, values = draw(conditions())
    params = {"ConditionExpression": expression, **bound(values, expression)}
    if draw(st.booleans()):
        return "PutItem", {"Item": draw(item), **params}
    return "DeleteItem", {"Key": draw(key), "ReturnValues": "ALL_OLD", **params}


@st.composite
def updates(draw: st.DrawFn) -> Call:
    expression = draw(st.sampled_from(UPDATES)).format(
        p=draw(path),
        q=draw(path),
        top=draw(st.sampled_from(["a", "b"])),
        goal=draw(st.sampled_from(["a", "b", "d.x", "d.y"])),
    )
    values = {":v": draw(value), ":n": draw(number), ":s": draw(sets), ":l": {"L": [draw(scalar)]}}
    returned = draw(st.sampled_from(["NONE", "ALL_OLD", "ALL_NEW"]))
    return "UpdateItem", {
        "Key": draw(key),
        "UpdateExpression": expression,
        "ReturnValues": returned,
        **bound(values, expression),
    }


@st.composite
def queries(draw: st.DrawFn) -> Call:
    index = draw(st.sampled_from([{}, {"IndexName": "by-n"}]))
    range_key = "n" if index else "sk"
    tests = ["", *(f" AND {range_key} {op} :r" for op in ("=", "<", "<=", ">", ">="))]
    expression = "pk = :h" + draw(st.sampled_from(tests))
    condition, values = draw(conditions())
    filtered = draw(st.booleans()) and not re.search(r"\bn\b", condition)
    values |= {":h": {"S": draw(st.sampled_from("pq"))}, ":r": draw(number)}
    texts = [expression, *([condition] if filtered else [])]
    return "Query", {
        "KeyConditionExpression": expression,
        "ScanIndexForward": draw(st.booleans()),
        **({"FilterExpression": condition} if filtered else {}),
        **index,
        **bound(values, *texts),
    }


gets = key.map(lambda k: ("GetItem", {"Key": k}))
calls = st.lists(puts() | conditional_writes() | updates() | queries() | gets, min_size=3, max_size=14)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with mock_aws():
        session = botocore.session.get_session()
        yield session.create_client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )


def ask(client: Any, operation: str, params: dict[str, Any]) -> Any:
    try:
        answer = client._make_api_call(operation, {"TableName": "things", **params})
    except ClientError as error:
        return error.response["Error"]["Code"]
    return {name: plain(part) for name, part in answer.items() if name not in ("ResponseMetadata", "ConsumedCapacity")}


def plain(node: Any) -> Any:
    """Sets without their order, numbers without their spelling."""
    match node:
        case {"N": str(digits)}:
            return Decimal(digits)
        case {"NS": [*members]}:
            return ("NS", frozenset(map(Decimal, members)))
        case {"SS": [*members]} | {"BS": [*members]}:
            return (next(iter(node)), frozenset(members))
        case dict():
            return {name: plain(part) for name, part in node.items()}
        case list():
            return [plain(part) for part in node]
    return node


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(calls=calls)
def test_random_operations_answer_as_moto_does(
    client: Any, tmp_path_factory: pytest.TempPathFactory, calls: list[Call]
) -> None:
    engine = Engine(tmp_path_factory.mktemp("engine") / "file")
    client.create_table(**TABLE)
    expected = [ask(client, *call) for call in calls]
    client.delete_table(TableName="things")
    attach(engine)
    try:
        client.create_table(**TABLE)
        for call, answer in zip(calls, expected, strict=True):
            assert (call, ask(client, *call)) == (call, answer)
    finally:
        detach()
        engine.close()
