"""Random sequences of calls get the same answers and errors from the engine as from MiniStack.

`MOONBASE_EXAMPLES=2000` tries more sequences than usual, and other ones each time.
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
    """MiniStack's."""
    log: Path = tmp_path_factory.mktemp("ministack") / "log"
    with ministack.running(ministack.HOME, log) as cloud:
        yield cloud.client("dynamodb")


def ask(call: Transport, operation: str, params: dict[str, Any]) -> tuple[Any, str]:
    """What is answered, in a form to be compared (of a list of pages, all of them), and the messages of a refusal."""
    try:
        answers = [call(operation, params)]
        while start := answers[-1].get("LastEvaluatedKey"):
            answers.append(call(operation, {**params, "ExclusiveStartKey": start}))
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        reasons = error.response.get("CancellationReasons", [])
        told = [(reason["Code"], plain(reason.get("Item"))) for reason in reasons]
        messages = [message, *(reason.get("Message", "") for reason in reasons)]
        return (code, told or plain(error.response.get("Item"))), "; ".join(messages)
    return comparable(operation, answers), ""


def comparable(operation: str, answers: list[dict[str, Any]]) -> Any:
    left_out = {"ResponseMetadata"}
    if operation == "BatchGetItem":
        left_out.add("ConsumedCapacity")  # MiniStack does not tell it
    for answer in answers:
        if answer.get("Attributes") == {}:
            del answer["Attributes"]  # MiniStack gives none or no attributes, as it happens
        time_to_live = answer.get("TimeToLiveDescription", {})
        if time_to_live.get("TimeToLiveStatus") == "DISABLED":
            time_to_live.pop("AttributeName", None)  # MiniStack remembers it
        for cost in answer.get("ConsumedCapacity", ()) if operation.startswith("Transact") else ():
            # MiniStack leaves the indexes out of these.
            cost.pop("WriteCapacityUnits", cost.pop("ReadCapacityUnits", None))
    told = [{name: plain(part) for name, part in answer.items() if name not in left_out} for answer in answers]
    if operation != "Scan":
        return told
    # A scan has no order: how many pages, and what is on them all.
    items = sorted((item for page in told for item in page.get("Items", ())), key=repr)
    return [len(told), sum(page["Count"] for page in told), sum(page["ScannedCount"] for page in told), items]


# Where MiniStack is not as DynamoDB: (operations, part of a refusal, why).
GAPS = [
    ("", "Incorrect operand type", "it checks the types of operands, and those in the item too, when it comes to them"),
    ("", "requires an upper bound", "it checks bounds only when it comes to them"),
    ("", "must be distinct from the remaining", "it compares an attribute with itself"),
    ("", "Invalid FilterExpression", "it reads a filter only when there is something to filter"),
    ("Query", "used in KeyConditionExpression", "it takes <> for a condition on a key"),
    ("Query", "can only contain non-primary key attributes", "it looks for keys only at the top of a filter"),
    ("", "document path provided in the update expression is invalid", "it removes what is in nothing"),
    ("", "incorrect data type", "it adds to what is no number"),
    ("", "This attribute is part of the key", "it looks for that late, and not below the top of a path"),
    ("UpdateTimeToLive", "TimeToLive is", "it switches what is switched, whatever the attribute"),
    ("Transact", "key element does not match the schema", "in transactions it takes keys with too much in them"),
    ("Transact", "size limit of", "in transactions it takes keys of any length"),
    ("TransactWriteItems", "Request token already in use", "it keeps the tokens of cancelled transactions"),
    ("Transact", "unused in expressions", "in transactions it does not look for unused names"),
    ("TransactGetItems", "", "it looks neither at keys nor at paths when there is no such item"),
    ("BatchGetItem", "Expression", "it reads a projection only when there is something to cut out"),
    ("", "Two document paths", "it looks for overlaps last, and in transactions never"),
    ("", "Syntax error", "it forgives some faults, and reads some expressions only when it comes to them"),
]


def gap(operation: str, expected: Any, answer: Any, messages: str) -> bool:
    """Whether they differ where MiniStack is known to be wrong, or where nobody has told what is right."""
    if isinstance(expected, list) and isinstance(answer, list):
        return False
    if any(operation.startswith(operations) and part in messages for operations, part, _ in GAPS):
        return True
    # What can never be valid refuses the whole call, the rest cancels it; they draw the line at other places.
    refusals = ("TransactionCanceledException", "ValidationException", "IdempotentParameterMismatchException")
    return operation == "TransactWriteItems" and answer[0] in refusals[:2] and expected[0] in refusals


def plain(node: Any) -> Any:
    """Sets and maps in one order, numbers in one spelling."""
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
    """The call with the tables and tokens of this sequence."""
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
def test_random_calls_are_answered_as_ministack_answers_them(
    client: Any, tmp_path_factory: pytest.TempPathFactory, calls: list[Call]
) -> None:
    engine = Engine(tmp_path_factory.mktemp("engine") / "file")
    local = local_transport(engine)

    def same(operation: str, params: dict[str, Any]) -> bool:
        """Whether to go on: not when one has done what the other has not."""
        expected, theirs = ask(client._make_api_call, operation, params)
        answer, ours = ask(local, operation, params)
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
