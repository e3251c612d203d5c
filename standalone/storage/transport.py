"""The transport of one machine: an engine in this process executes the operations."""

from typing import Any

from botocore.exceptions import ClientError

from chalicelib.core.errors import Full
from chalicelib.core.transport import Transport
from standalone.storage.engine import Engine
from standalone.storage.errors import DISK_FULL, DynamoError


def local_transport(engine: Engine) -> Transport:
    """Return a transport over `engine`. Its refusals are ClientErrors with the response that DynamoDB would send.

    A full disk, which DynamoDB does not have, raises Full.
    """

    def execute(operation: str, parameters: dict[str, Any], /) -> dict[str, Any]:
        try:
            return engine.execute(operation, parameters)
        except DynamoError as error:
            if error.code == DISK_FULL:
                raise Full from error
            response = {"Error": {"Code": error.code, "Message": error.message}, **error.extra}
            raise ClientError(response, operation) from error

    return execute
