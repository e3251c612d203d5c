"""Random sequences of calls get the same answers and errors from the engine as from MiniStack.

`MOONBASE_EXAMPLES=2000` tries 2,000 sequences, which differ in each run.
"""

import os
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings

from chalicelib.core.transport import Transport
from infra import ministack
from standalone.storage import Engine, local_transport
from tests.standalone.random_calls import TABLES, TOKENS, Call, calls

EXAMPLES = int(os.environ.get("MOONBASE_EXAMPLES", "0"))
numbers = count()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A DynamoDB client of MiniStack."""
    log: Path = tmp_path_factory.mktemp("ministack") / "log"
    with ministack.running(ministack.HOME, log) as cloud:
        yield cloud.client("dynamodb")


def execute(call: Transport, operation: str, params: dict[str, Any]) -> tuple[Any, str]:
    """Execute a call with all its pages; return the result or error in comparable form, and the error messages."""
    try:
        answers = [call(operation, params)]
        while start := answers[-1].get("LastEvaluatedKey"):
            answers.append(call(operation, {**params, "ExclusiveStartKey": start}))
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        reasons = error.response.get("CancellationReasons", [])
        codes = [(reason["Code"], plain(reason.get("Item"))) for reason in reasons]
        messages = [message, *(reason.get("Message", "") for reason in reasons)]
        return (code, codes or plain(error.response.get("Item"))), "; ".join(messages)
    return comparable(operation, answers), ""


def comparable(operation: str, answers: list[dict[str, Any]]) -> Any:
    ignored = {"ResponseMetadata"}
    if operation == "BatchGetItem":
        ignored.add("ConsumedCapacity")  # MiniStack omits it
    for answer in answers:
        if answer.get("Attributes") == {}:
            del answer["Attributes"]  # MiniStack returns sometimes an empty map and sometimes none
        time_to_live = answer.get("TimeToLiveDescription", {})
        if time_to_live.get("TimeToLiveStatus") == "DISABLED":
            time_to_live.pop("AttributeName", None)  # MiniStack keeps the old name
        for cost in answer.get("ConsumedCapacity", ()) if operation.startswith("Transact") else ():
            # MiniStack does not count the indexes here.
            cost.pop("WriteCapacityUnits", cost.pop("ReadCapacityUnits", None))
    pages = [{name: plain(part) for name, part in answer.items() if name not in ignored} for answer in answers]
    if operation != "Scan":
        return pages
    # A scan has no order, so the items of all pages are compared as a sorted list.
    items = sorted((item for page in pages for item in page.get("Items", ())), key=repr)
    return [len(pages), sum(page["Count"] for page in pages), sum(page["ScannedCount"] for page in pages), items]


# Known differences from DynamoDB: (prefix of operations, part of an error message, what MiniStack does).
GAPS = [
    ("", "Incorrect operand type", "it checks types only during the evaluation, also those of the item's attributes"),
    ("", "requires an upper bound", "it checks bounds only during the evaluation"),
    ("", "must be distinct from the remaining", "it allows a comparison of an attribute with itself"),
    ("", "Invalid FilterExpression", "it parses a filter only if there are items"),
    ("Query", "used in KeyConditionExpression", "it accepts <> as a condition on a key"),
    ("Query", "can only contain non-primary key attributes", "it finds keys only at the top level of a filter"),
    ("", "document path provided in the update expression is invalid", "it accepts REMOVE of a path without a parent"),
    ("", "incorrect data type", "it accepts ADD to an attribute that is not a number"),
    ("", "This attribute is part of the key", "it checks keys late, and only at the top level of a path"),
    ("UpdateTimeToLive", "TimeToLive is", "it accepts a repeated change"),
    ("Transact", "key element does not match the schema", "in transactions it accepts keys with additional attributes"),
    ("Transact", "size limit of", "in transactions it accepts keys of any length"),
    ("TransactWriteItems", "Request token already in use", "it keeps the tokens of cancelled transactions"),
    ("Transact", "unused in expressions", "in transactions it does not report unused names"),
    ("TransactGetItems", "", "it does not check keys and paths if there is no such item"),
    ("BatchGetItem", "Expression", "it parses a projection only if there are items"),
    ("", "Two document paths", "it checks overlaps last, and never in transactions"),
    ("", "Syntax error", "it accepts some invalid expressions, and parses some only when it needs them"),
]


def gap(operation: str, expected: Any, answer: Any, messages: str) -> bool:
    """Whether a difference is known: MiniStack is wrong, or AWS does not document the right answer."""
    if isinstance(expected, list) and isinstance(answer, list):
        return False
    if any(operation.startswith(operations) and part in messages for operations, part, _ in GAPS):
        return True
    # An invalid call is a ValidationException, a failed item cancels it. The engines classify some errors differently.
    refusals = ("TransactionCanceledException", "ValidationException", "IdempotentParameterMismatchException")
    return operation == "TransactWriteItems" and answer[0] in refusals[:2] and expected[0] in refusals


def plain(node: Any) -> Any:
    """Return a value with sets and maps in a canonical order and numbers in a canonical form."""
    match node:
        case {"N": str(digits)}:
            return ("N", Decimal(digits))
        case {"NS": [*members]}:
            return ("NS", sorted(map(Decimal, members)))
        case {"SS": [*members]} | {"BS": [*members]}:
            return (next(iter(node)), sorted(members))
        case dict():
            return {name: plain(node[name]) for name in sorted(node)}
        case list():
            return [plain(part) for part in node]
    return node


def renamed(node: Any, names: dict[str, str]) -> Any:
    """Return the parameters with this sequence's names of tables and tokens."""
    if isinstance(node, list):
        return [renamed(part, names) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        names.get(name, name): names[part] if name in ("TableName", "ClientRequestToken") else renamed(part, names)
        for name, part in node.items()
    }


@settings(
    max_examples=EXAMPLES or 25,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(calls=calls)
def test_random_calls_get_the_same_results_as_from_ministack(
    client: Any, tmp_path_factory: pytest.TempPathFactory, calls: list[Call]
) -> None:
    engine = Engine(tmp_path_factory.mktemp("engine") / "file")
    local = local_transport(engine)

    def same(operation: str, params: dict[str, Any]) -> bool:
        """Compare a call; return False if only one of the two executed it, because later calls would differ."""
        expected, theirs = execute(client._make_api_call, operation, params)
        answer, ours = execute(local, operation, params)
        if answer != expected and gap(operation, expected, answer, f"{ours}; {theirs}"):
            return isinstance(expected, tuple) and isinstance(answer, tuple)
        assert (operation, params, answer, ours) == (operation, params, expected, ours)
        return True

    names = {name: f"{name}-{next(numbers)}" for name in (*TABLES, *TOKENS)}
    try:
        for name, definition in TABLES.items():
            table = {"TableName": names[name], "BillingMode": "PAY_PER_REQUEST", **definition}
            client.create_table(**table)
            local("CreateTable", table)
        for operation, params in calls:
            if not same(operation, renamed(params, names)):
                break
    finally:
        engine.close()
