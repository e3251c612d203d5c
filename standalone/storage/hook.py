"""Lets botocore's DynamoDB clients, and so PynamoDB, be answered by an engine in this process.

Whichever handler of `before-call` answers first stands in for the network. For what reads and writes items the way
there is short: botocore does not validate, address and build a request first, which costs more than the answer does.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import botocore
import orjson
from botocore.model import OperationModel
from botocore.parsers import create_parser
from botocore.session import Session

from standalone.storage.engine import Engine
from standalone.storage.errors import DynamoError

ITEM_OPERATIONS = {
    "GetItem",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "Query",
    "Scan",
    "BatchGetItem",
    "BatchWriteItem",
    "TransactGetItems",
    "TransactWriteItems",
}
parse: Callable[..., dict[str, Any]] = create_parser("json").parse
attached: Engine | None = None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """As much of a response as botocore looks at once a handler has answered for the network."""

    status_code: int
    headers: dict[str, str] = field(default_factory=dict)


def attach(engine: Engine) -> None:
    """From now on this engine answers, whichever client asks."""
    global attached
    attached = engine


def detach() -> None:
    """From now on clients go where they would have gone, those of the time before included."""
    global attached
    attached = None


class DirectClient:
    """Comes before botocore's own class in its DynamoDB clients."""

    def _make_api_call(self, operation_name: str, api_params: dict[str, Any]) -> dict[str, Any]:
        client = cast(Any, self)
        if attached is None or operation_name not in ITEM_OPERATIONS:
            return cast(dict[str, Any], super()._make_api_call(operation_name, api_params))  # type: ignore[misc]
        model = client.meta.service_model.operation_model(operation_name)
        told = {"model": model, "context": {}}
        client.meta.events.emit(f"provide-client-params.dynamodb.{operation_name}", params=api_params, **told)
        _, answered = client.meta.events.emit_until_response(
            f"before-call.dynamodb.{operation_name}", params={"body": body_of(api_params)}, **told
        )
        response, parsed = answered
        if response.status_code >= 300:
            raise client.exceptions.from_code(parsed["Error"]["Code"])(parsed, operation_name)
        return cast(dict[str, Any], parsed)


def body_of(params: dict[str, Any]) -> bytes:
    """A request's body."""
    return orjson.dumps(params, default=lambda value: b64encode(value).decode())


def answer(model: OperationModel, params: dict[str, Any], **_: Any) -> tuple[HttpResponse, dict[str, Any]] | None:
    engine = attached
    if engine is None:
        return None
    try:
        return succeeded(model, engine.execute(model.name, orjson.loads(params["body"])))
    except DynamoError as error:
        return failed(error)


def succeeded(model: OperationModel, result: dict[str, Any]) -> tuple[HttpResponse, dict[str, Any]]:
    response = HttpResponse(200, {"x-amzn-requestid": uuid4().hex.upper()})
    if model.name in ITEM_OPERATIONS:
        return response, (with_bytes(result) if may_have_bytes(result) else result) | metadata(response)
    # Descriptions are rare and full of timestamps: botocore's own parser knows where.
    wire = {"status_code": 200, "headers": response.headers, "body": orjson.dumps(result)}
    return response, parse(wire, model.output_shape) | metadata(response)


def failed(error: DynamoError) -> tuple[HttpResponse, dict[str, Any]]:
    response = HttpResponse(400, {"x-amzn-requestid": uuid4().hex.upper()})
    spelling = "Message" if error.code == "TransactionCanceledException" else "message"
    return response, {
        "Error": {"Code": error.code, "Message": error.message},
        spelling: error.message,
        **with_bytes(error.extra),
        **metadata(response),
    }


def metadata(response: HttpResponse) -> dict[str, Any]:
    return {
        "ResponseMetadata": {
            "RequestId": response.headers["x-amzn-requestid"],
            "HTTPStatusCode": response.status_code,
            "HTTPHeaders": response.headers,
            "RetryAttempts": 0,
        }
    }


def may_have_bytes(result: dict[str, Any]) -> bool:
    """Whether there may be binary values: a page of items is written out faster than it is looked through."""
    text = orjson.dumps(result)
    return b'"B":"' in text or b'"BS":[' in text


def with_bytes(node: Any) -> Any:
    """Binary values as botocore hands them on; no other place of a response looks like one."""
    if isinstance(node, list):
        return [with_bytes(element) for element in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((name, value),) = node.items()
        if isinstance(value, str):
            return {"B": b64decode(value)} if name == "B" else node
        if name == "BS" and isinstance(value, list):
            return {"BS": [b64decode(text) for text in value]}
    return {name: with_bytes(member) for name, member in node.items()}


def _put_first(base_classes: list[type], **_: Any) -> None:
    base_classes.insert(0, DirectClient)


def _listen(session: Session) -> None:
    session.register("creating-client-class.dynamodb", _put_first)
    session.register("before-call.dynamodb", answer)


botocore.register_initializer(_listen)
