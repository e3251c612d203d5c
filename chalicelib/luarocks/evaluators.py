"""Where rockspecs are evaluated: in a confined child process, or on AWS in a Lambda function of their own.

Lambda has no filters of system calls, so there native code in a rockspec could take over the process that evaluates it.
The function has no rights and no secrets. Its event is `{"source": BASE64}`, its result `{"answer": BASE64}`, or
`{"error": "stopped"}` or `{"error": "busy"}`.
"""

import base64
import json
import logging
from typing import Any

from chalicelib import settings
from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.workers import Confined, Stopped
from chalicelib.core.errors import Busy

EVALUATOR = Confined(
    "chalicelib.luarocks.evaluator:make",
    b"warm = {'up'}",
    Limits(seconds=2.0, cpu_seconds=1, memory=128 << 20),
)
_OVERLOADED = ("TooManyRequestsException", "ServiceException", "EC2ThrottledException")
_log = logging.getLogger(__name__)


def run(source: bytes) -> bytes:
    """Return the evaluator's answer for a rockspec. Raises Stopped or Busy."""
    function = settings.current().luarocks_evaluator
    return _invoke(function, source) if function else EVALUATOR.run(source)


def handle(event: dict[str, str], context: Any) -> dict[str, str]:
    """Serve the Lambda function. A child process evaluates the rockspec here, too, under the same limits."""
    try:
        answer = EVALUATOR.run(base64.b64decode(event["source"]))
    except Stopped:
        return {"error": "stopped"}
    except Busy:
        return {"error": "busy"}
    return {"answer": base64.b64encode(answer).decode()}


def _invoke(function: str, source: bytes) -> bytes:
    from botocore.exceptions import BotoCoreError, ClientError

    from chalicelib.core import aws

    event = json.dumps({"source": base64.b64encode(source).decode()})
    try:
        reply = aws.client("lambda").invoke(FunctionName=function, Payload=event)
        result: dict[str, str] = json.loads(reply["Payload"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] not in _OVERLOADED:
            raise
        raise _busy() from error
    except BotoCoreError as error:
        raise _busy() from error
    if "FunctionError" in reply:
        _log.warning("%s failed: %s", function, reply["FunctionError"])
        raise Stopped
    if "error" in result:
        raise _busy() if result["error"] == "busy" else Stopped
    return base64.b64decode(result["answer"])


def _busy() -> Busy:
    return Busy("Rockspecs cannot be evaluated right now", retry_after=5)
