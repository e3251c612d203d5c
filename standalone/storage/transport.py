"""The transport of one machine: an engine in this process executes the operations."""

from typing import Any

from botocore.exceptions import ClientError

from chalicelib.core.transport import Transport
from standalone.storage.engine import Engine
from standalone.storage.errors import DynamoError


def local_transport(engine: Engine) -> Transport:
    """Return a transport over `engine`. Its refusals are ClientErrors with the response that DynamoDB would send."""

    def execute(operation: str, parameters: dict[str, Any], /) -> dict[str, Any]:
        try:
            return engine.execute(operation, parameters)
        except DynamoError as error:
            response = {"Error": {"Code": error.code, "Message": error.message}, **error.extra}
            raise ClientError(response, operation) from error

    return execute
