"""Listeners for AWS calls of this process, by botocore or by the transport of one machine.

Listeners are called before the call, the newest first. A listener that raises prevents the call, and older listeners
do not see it: a ClientError simulates an error of AWS, `Died` the end of the process.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import botocore
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from chalicelib.core import transport
from chalicelib.core.transport import Transport


@dataclass(frozen=True)
class AwsCall:
    """One operation of a service, such as `GetItem` of `dynamodb`, with botocore's parameters."""

    service: str
    operation: str
    parameters: Mapping[str, Any]


Listener = Callable[[AwsCall], object]
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Call `listener` before every AWS call from now on."""
    _listeners.append(listener)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call `listener` before every AWS call in the block."""
    listen(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def observed(transport: Transport) -> Transport:
    """Return `transport` with the listeners called before it."""

    def execute(operation: str, parameters: dict[str, Any], /) -> dict[str, Any]:
        _announce(AwsCall("dynamodb", operation, parameters))
        return transport(operation, parameters)

    return execute


def _by_botocore(model: OperationModel, params: Mapping[str, Any], **_: Any) -> None:
    _announce(AwsCall(model.service_model.service_name, model.name, params))


def _announce(call: AwsCall) -> None:
    for listener in reversed(tuple(_listeners)):
        listener(call)


botocore.register_initializer(lambda session: session.register("provide-client-params", _by_botocore))


class Died(BaseException):
    """The simulated end of the process."""


def dies(work: Callable[[], object], after: int, of: str | None = None) -> bool:
    """Run `work` and simulate the end of the process before a call; return False if `work` makes fewer calls.

    `after` is the number of calls before the end; `of` limits the count to one operation.
    """
    calls = count()

    def die(call: AwsCall) -> None:
        if of in (None, call.operation) and next(calls) >= after:  # a dead process makes no later calls
            raise Died

    try:
        with listening(die):
            work()
    except Died:
        return True
    return False


@contextmanager
def meanwhile(happen: Callable[[], object], after: int, of: str | None = None) -> Iterator[None]:
    """Run `happen` once in the block before a call; `after` and `of` are those of `dies`."""
    calls = count()

    def interrupt(call: AwsCall) -> None:
        if of in (None, call.operation) and next(calls) == after:
            happen()

    with listening(interrupt):
        yield


@contextmanager
def refusing(operation: str, code: str, **more: Any) -> Iterator[None]:
    """Make every call of `operation` in the block fail with an error code and `more` in the response."""

    def refuse(call: AwsCall) -> None:
        if call.operation == operation:
            raise ClientError({"Error": {"Code": code, "Message": code}, **more}, operation)

    with listening(refuse):
        yield


@dataclass
class Units:
    """Consumed read and write units of DynamoDB."""

    read: float = 0
    written: float = 0


@contextmanager
def metered() -> Iterator[Units]:
    """Add up the units that operations consume in the block, as our engine counts them; only in the embedded world."""
    inner, units = transport.current(), Units()
    assert inner is not None

    def execute(operation: str, parameters: dict[str, Any], /) -> dict[str, Any]:
        response = inner(operation, {**parameters, "ReturnConsumedCapacity": "TOTAL"})
        consumed = response["ConsumedCapacity"]
        total = sum(each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else [consumed]))
        if operation in ("GetItem", "Query"):
            units.read += total
        else:
            units.written += total
        return response

    with transport.override(execute):
        yield units
