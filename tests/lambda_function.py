"""A Lambda function in this process, behind boto3: requests reach its handler as JSON, and so do its results."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import botocore
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.session import Session

Handler = Callable[[Any, Any], Any]
_handlers: list[Handler] = []


class FunctionFailed(Exception):
    """Raised by a handler: the function ends without a result."""


class Throttled(Exception):
    """Raised by a handler: Lambda does not start the function."""


@contextmanager
def answering(handler: Handler) -> Iterator[None]:
    """Call `handler` for every invocation in the block."""
    _handlers.append(handler)
    try:
        yield
    finally:
        _handlers.pop()


def _invoke(request: AWSRequest, **_: Any) -> AWSResponse | None:
    if not _handlers:
        return None
    try:
        result, status, headers = _handlers[-1](json.loads(request.body), None), 200, {}
    except FunctionFailed:
        result, status, headers = {"errorType": "Runtime.ExitError"}, 200, {"X-Amz-Function-Error": "Unhandled"}
    except Throttled:
        name = "TooManyRequestsException"
        result, status, headers = {"message": "Rate Exceeded."}, 429, {"x-amzn-ErrorType": name}
    response = AWSResponse(request.url, status, headers, None)
    response._content = json.dumps(result).encode()
    if status == 200:
        response.raw = _Body(response._content)
    return response


class _Body:
    """The body as botocore streams it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, amount: int | None = None) -> bytes:
        content, self._content = self._content, b""
        return content


def _listen(session: Session) -> None:
    session.register("before-send.lambda.Invoke", _invoke)


botocore.register_initializer(_listen)
