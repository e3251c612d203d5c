"""On AWS, a function of its own evaluates rockspecs; the app sees no difference."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from chalicelib import settings
from chalicelib.core.lua import rooms
from chalicelib.luarocks import sandbox
from chalicelib.luarocks.sandbox import SOURCE_LIMIT
from tests import rights
from tests.aws_calls import AwsCall, listening
from tests.client import Client, Reply
from tests.lambda_function import FunctionFailed, Throttled, answering
from tests.luarocks.builders import rockspec
from tests.rights import API, Right
from tests.worlds import both_worlds

pytestmark = both_worlds
ROOT = Path(__file__).parents[2]


@pytest.fixture
def function() -> Iterator[list[Any]]:
    """The function of the stack; yields its events and results."""
    seen: list[Any] = []

    def handle(event: Any, context: Any) -> Any:
        result = rooms.handle(event, context)
        seen.append((event, result))
        return result

    with settings.override(lua_evaluator="Evaluator"), answering(handle):
        yield seen


def upload(client: Client, key: str, source: bytes) -> Reply:
    return client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("say-1.0-1.rockspec", source)})


def test_an_upload_is_evaluated_by_the_function(client: Client, key: str, function: list[Any]) -> None:
    rights.drain()
    assert upload(client, key, rockspec()).status == 200
    assert Right(API, "lambda:InvokeFunction", "Evaluator.Arn") in rights.drain()
    ((event, result),) = function
    assert list(event) == ["profile", "program"]
    ((name, source),) = json.loads(base64.b64decode(event["program"]))["chunks"]
    assert (event["profile"], name, base64.b64decode(source)) == ("small", "rockspec", rockspec())
    assert json.loads(base64.b64decode(result["answer"]))[0] == "result"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"x =", "Failed to parse rockspec"),
        (b"x.y = 1", "Failed to eval rockspec"),
        (b"while true do end", "Failed to eval rockspec"),
        (b'x = ("a"):rep(1e9)', "Failed to eval rockspec"),
    ],
)
def test_its_errors_are_those_of_a_child_process(
    client: Client, key: str, function: list[Any], source: bytes, message: str
) -> None:
    reply = upload(client, key, source)
    assert (reply.status, reply.json) == (400, {"errors": [message]})


def test_a_function_that_a_rockspec_ends_is_the_rockspecs_fault(
    client: Client, key: str, function: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: Any, context: Any) -> Any:
        raise FunctionFailed

    with answering(fail):
        reply = upload(client, key, rockspec())
    assert (reply.status, reply.json) == (400, {"errors": ["Failed to eval rockspec"]})
    assert "Evaluator failed: Unhandled" in caplog.text


def test_a_function_without_capacity_is_a_503(client: Client, key: str, function: list[Any]) -> None:
    def throttle(event: Any, context: Any) -> Any:
        raise Throttled

    def busy(event: Any, context: Any) -> Any:
        return {"error": "busy"}

    for handle in (throttle, busy):
        with answering(handle):
            assert_unavailable(upload(client, key, rockspec()))


def test_a_function_out_of_reach_is_a_503(client: Client, key: str, function: list[Any]) -> None:
    def time_out(call: AwsCall) -> None:
        if call.service == "lambda":
            raise ConnectTimeoutError(endpoint_url="https://lambda")

    with listening(time_out):
        assert_unavailable(upload(client, key, rockspec()))


def assert_unavailable(reply: Reply) -> None:
    assert (reply.status, reply.json) == (503, {"errors": ["Rockspecs cannot be evaluated right now"]})
    assert reply.header("retry-after") == "5"


def test_the_largest_rockspec_and_its_result_fit_into_an_invocation(function: list[Any]) -> None:
    text = b"x" * (SOURCE_LIMIT - 100)
    assert sandbox.evaluate(b'x = "' + text + b'"') == {"x": text.decode()}
    for content in function[0]:
        assert len(json.dumps(content)) < 6 * 1024 * 1024


def test_the_function_loads_nothing_of_the_app() -> None:
    code = "import sys, chalicelib.core.lua.rooms; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    packages = {name.partition(".")[0] for name in done.stdout.split()}
    assert packages & {"botocore", "boto3", "pynamodb", "chalice", "lupa", "orjson", "msgspec"} == set()
